"""Roles: made, looked at, changed and deleted.

Spec: IAM API, CreateRole, GetRole, ListRoles, UpdateRole, UpdateAssumeRolePolicy, DeleteRole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_error import DeleteConflict, EntityNotFound
from entrepot.domain.iam_tag import merge_tags
from entrepot.domain.limit import ROLE_SESSION_SECONDS_DEFAULT
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.service.context import Context
from entrepot.service.iam.boundary import check_boundary
from entrepot.service.iam.entity import add_entity, begin_change, name_key, start_of
from entrepot.service.iam.removal import check_without_policies, remove_entity
from entrepot.service.iam.trust_policy import find_trusted
from entrepot.service.saved_policy import show_all
from entrepot.store.metadata import iam_role as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import EntityQuery, update_entity
from entrepot.store.metadata.iam_instance_profile import list_profiles_of_roles
from entrepot.store.metadata.iam_tag import list_tags, put_tags
from entrepot.store.metadata.identity import delete_access_keys


@dataclass(frozen=True, slots=True)
class Role:
    """A role as it is shown."""

    entity: Entity
    trust_policy: str
    """With the ARNs of today, or the unique ids of those who are gone."""
    session_seconds_max: int
    used_at: datetime | None = None
    used_region: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of a single role; lists leave them out."""


@dataclass(frozen=True, slots=True)
class NewRole:
    """A role that is to be made."""

    entity: NewEntity
    trust_policy: str
    session_seconds_max: int = ROLE_SESSION_SECONDS_DEFAULT
    tags: Mapping[str, str] = field(default_factory=dict)


class IamRoleService:
    """What can be done with roles as such."""

    def __init__(self, database: Database, context: Context, aws: AwsPolicies) -> None:
        self._database, self._context, self._aws = database, context, aws

    async def create(self, wanted: NewRole) -> Role:
        """Make a role that has no permissions yet.

        Raises:
            EntityAlreadyExists: the name is taken, in any case.
            EntityNotFound: there is no such policy as is to bound the role.
            MalformedPolicy: the trust policy is none, or names somebody who does not exist.
            QuotaExceeded: roles of the account, tags, or the length of the trust policy.
        """
        account_id = wanted.entity.account_id

        def change(connection: Connection) -> Role:
            begin_change(connection, account_id)
            check_boundary(connection, self._aws, account_id, wanted.entity.boundary)
            trusted = find_trusted(connection, wanted.trust_policy)
            entity = add_entity(connection, self._context, wanted.entity)
            row = rows.RoleRow(entity, wanted.trust_policy, trusted, wanted.session_seconds_max)
            rows.insert_role(connection, row)
            put_tags(connection, entity.id, merge_tags({}, wanted.tags))
            return _whole(connection, row)

        return await self._database.write(change)

    async def get(self, account_id: str, name: str) -> Role:
        """A role by name, in any case.

        Raises:
            EntityNotFound: there is none.
        """
        return await self._database.read(lambda connection: _whole(connection, _get(connection, account_id, name)))

    async def list(self, account_id: str, path_prefix: str, page: PageRequest) -> Page[Role]:
        """Roles whose paths begin so, by name, without their tags."""
        query = EntityQuery(account_id, EntityKind.ROLE, path_prefix, start_of(page), page.size + 1)
        found = await self._database.read(
            lambda connection: shown_roles(connection, rows.list_roles(connection, query))
        )
        return cut_page(found, page.size, lambda role: name_key(role.entity))

    async def update(self, account_id: str, name: str, description: str | None, seconds_max: int | None) -> Role:
        """Change description, longest session, or both; None leaves what is there.

        Raises:
            EntityNotFound: there is no such role.
        """

        def change(connection: Connection) -> Role:
            begin_change(connection, account_id)
            role = _get(connection, account_id, name)
            if description is not None:
                update_entity(connection, role.entity.id, description=description or None)
            if seconds_max is not None:
                rows.update_session_seconds_max(connection, role.entity.id, seconds_max)
            return _whole(connection, _get(connection, account_id, name))

        return await self._database.write(change)

    async def update_trust(self, account_id: str, name: str, trust_policy: str) -> None:
        """Replace the trust policy; who may assume the role is decided by it from the next request on.

        Raises:
            EntityNotFound: there is no such role.
            MalformedPolicy: the trust policy is none, or names somebody who does not exist.
            QuotaExceeded: it is too long.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            role = _get(connection, account_id, name)
            rows.update_trust(connection, role.entity.id, trust_policy, find_trusted(connection, trust_policy))

        await self._database.write(change)

    async def delete(self, account_id: str, name: str) -> None:
        """Delete a role with its tags; its sessions end at once.

        Raises:
            EntityNotFound: there is no such role.
            DeleteConflict: it is in an instance profile, or policies are left.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            role = _get(connection, account_id, name).entity
            if list_profiles_of_roles(connection, [role.id]):
                raise DeleteConflict("remove roles from instance profile first")
            check_without_policies(connection, role)
            delete_access_keys(connection, account_id, role.id)
            rows.delete_role(connection, role.id)
            remove_entity(connection, role)

        await self._database.write(change)


def _get(connection: Connection, account_id: str, name: str) -> rows.RoleRow:
    found = rows.find_role(connection, account_id, name)
    if found is None:
        raise EntityNotFound(EntityKind.ROLE.value, name)
    return found


def _whole(connection: Connection, row: rows.RoleRow) -> Role:
    (role,) = shown_roles(connection, [row], list_tags(connection, row.entity.id))
    return role


def shown_roles(connection: Connection, found: list[rows.RoleRow], tags: Mapping[str, str] = {}) -> list[Role]:
    """Roles with their trust policies as they read today; `tags` are all theirs."""
    documents = show_all(connection, [(row.trust_policy, row.trust_principals) for row in found])
    return [
        Role(row.entity, document, row.session_seconds_max, row.used_at, row.used_region, tags)
        for row, document in zip(found, documents, strict=True)
    ]
