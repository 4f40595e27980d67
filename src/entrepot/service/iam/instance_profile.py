"""Instance profiles: names under which machines would find a role; kept so that what sets them up can go on.

Nothing here starts machines, so that a role in a profile gives nobody anything; who puts it in needs `iam:PassRole` on
it nevertheless.

Spec: IAM API, CreateInstanceProfile, GetInstanceProfile, ListInstanceProfiles, ListInstanceProfilesForRole,
AddRoleToInstanceProfile, RemoveRoleFromInstanceProfile, DeleteInstanceProfile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_error import DeleteConflict, EntityNotFound
from entrepot.domain.iam_limit import ROLES_OF_INSTANCE_PROFILE
from entrepot.domain.iam_tag import merge_tags
from entrepot.domain.page import Page, PageRequest, cut_page, slice_page
from entrepot.service.context import Context
from entrepot.service.iam.entity import add_entity, begin_change, check_quota, get_entity, name_key, start_of
from entrepot.service.iam.removal import remove_entity
from entrepot.service.iam.role import Role, shown_roles
from entrepot.store.metadata import iam_instance_profile as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import EntityQuery
from entrepot.store.metadata.iam_role import list_roles_by_id
from entrepot.store.metadata.iam_tag import list_tags, put_tags


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    """An instance profile with its role, if it has one."""

    entity: Entity
    role: Role | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of a single profile; lists leave them out."""


class IamInstanceProfileService:
    """What can be done with instance profiles."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def create(self, wanted: NewEntity, tags: Mapping[str, str]) -> InstanceProfile:
        """Make an instance profile without a role.

        Raises:
            EntityAlreadyExists: the name is taken, in any case.
            QuotaExceeded: profiles of the account, or tags.
        """

        def change(connection: Connection) -> InstanceProfile:
            begin_change(connection, wanted.account_id)
            entity = add_entity(connection, self._context, wanted)
            rows.insert_profile(connection, entity.id)
            put_tags(connection, entity.id, merge_tags({}, tags))
            return InstanceProfile(entity, tags=list_tags(connection, entity.id))

        return await self._database.write(change)

    async def get(self, account_id: str, name: str) -> InstanceProfile:
        """One by name, in any case.

        Raises:
            EntityNotFound: there is none.
        """

        def query(connection: Connection) -> InstanceProfile:
            profile = _get(connection, account_id, name)
            (shown,) = _shown(connection, [profile])
            return InstanceProfile(shown.entity, shown.role, list_tags(connection, shown.entity.id))

        return await self._database.read(query)

    async def list(self, account_id: str, path_prefix: str, page: PageRequest) -> Page[InstanceProfile]:
        """Those whose paths begin so, by name, without their tags."""
        query = EntityQuery(account_id, EntityKind.INSTANCE_PROFILE, path_prefix, start_of(page), page.size + 1)
        found = await self._database.read(lambda connection: _shown(connection, rows.list_profiles(connection, query)))
        return cut_page(found, page.size, lambda profile: name_key(profile.entity))

    async def list_of_role(self, account_id: str, role_name: str, page: PageRequest) -> Page[InstanceProfile]:
        """Those that have a role, by name, without their tags.

        Raises:
            EntityNotFound: there is no such role.
        """

        def query(connection: Connection) -> Page[InstanceProfile]:
            role = get_entity(connection, account_id, EntityKind.ROLE, role_name)
            return slice_page(profiles_of_roles(connection, [role.id]), page)

        return await self._database.read(query)

    async def add_role(self, account_id: str, name: str, role_name: str) -> None:
        """Put a role into a profile.

        Raises:
            EntityNotFound: there is no such profile or role.
            QuotaExceeded: it has one already.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            profile = _get(connection, account_id, name)
            role = get_entity(connection, account_id, EntityKind.ROLE, role_name)
            check_quota(ROLES_OF_INSTANCE_PROFILE, int(profile.role_id is not None))
            rows.set_role(connection, profile.entity.id, role.id)

        await self._database.write(change)

    async def remove_role(self, account_id: str, name: str, role_name: str) -> None:
        """Take a role out of a profile.

        Raises:
            EntityNotFound: there is no such profile or role, or it is not in the profile.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            profile = _get(connection, account_id, name)
            role = get_entity(connection, account_id, EntityKind.ROLE, role_name)
            if profile.role_id != role.id:
                raise EntityNotFound("role in profile", f"{role_name} in Instance Profile {name}")
            rows.set_role(connection, profile.entity.id, None)

        await self._database.write(change)

    async def delete(self, account_id: str, name: str) -> None:
        """Delete a profile with its tags.

        Raises:
            EntityNotFound: there is none.
            DeleteConflict: a role is in it.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            profile = _get(connection, account_id, name)
            if profile.role_id is not None:
                raise DeleteConflict("remove roles from instance profile first")
            rows.delete_profile(connection, profile.entity.id)
            remove_entity(connection, profile.entity)

        await self._database.write(change)


def profiles_of_roles(connection: Connection, role_ids: Collection[str]) -> list[InstanceProfile]:
    """All profiles that have one of some roles, by name, without their tags."""
    return _shown(connection, rows.list_profiles_of_roles(connection, role_ids))


def _get(connection: Connection, account_id: str, name: str) -> rows.ProfileRow:
    found = rows.find_profile(connection, account_id, name)
    if found is None:
        raise EntityNotFound(EntityKind.INSTANCE_PROFILE.value, name)
    return found


def _shown(connection: Connection, found: Sequence[rows.ProfileRow]) -> list[InstanceProfile]:
    ids = {profile.role_id for profile in found if profile.role_id is not None}
    roles = {role.entity.id: role for role in shown_roles(connection, list_roles_by_id(connection, ids))}
    return [InstanceProfile(profile.entity, roles.get(profile.role_id or "")) for profile in found]
