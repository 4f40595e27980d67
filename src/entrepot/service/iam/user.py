"""Users: made, looked at, renamed and deleted.

Spec: IAM API, CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_error import DeleteConflict
from entrepot.domain.iam_tag import merge_tags
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.page import Page, PageRequest
from entrepot.service.context import Context
from entrepot.service.iam.boundary import check_boundary
from entrepot.service.iam.entity import add_entity, begin_change, get_entity, list_page, update_place
from entrepot.service.iam.removal import check_without_policies, remove_entity
from entrepot.store.metadata.access_key import list_keys
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_member import count_groups_of
from entrepot.store.metadata.iam_tag import list_tags, put_tags
from entrepot.store.metadata.identity import delete_access_keys


@dataclass(frozen=True, slots=True)
class User:
    """A user with his tags."""

    entity: Entity
    tags: Mapping[str, str]


class IamUserService:
    """What can be done with users as such."""

    def __init__(self, database: Database, context: Context, aws: AwsPolicies) -> None:
        self._database, self._context, self._aws = database, context, aws

    async def create(self, wanted: NewEntity, tags: Mapping[str, str]) -> User:
        """Make a user, without any credentials.

        Raises:
            EntityAlreadyExists: the name is taken, in any case.
            EntityNotFound: there is no such policy as is to bound the user.
            QuotaExceeded: users of the account, or tags.
        """

        def change(connection: Connection) -> User:
            begin_change(connection, wanted.account_id)
            check_boundary(connection, self._aws, wanted.account_id, wanted.boundary)
            entity = add_entity(connection, self._context, wanted)
            put_tags(connection, entity.id, merge_tags({}, tags))
            return User(entity, list_tags(connection, entity.id))

        return await self._database.write(change)

    async def get(self, account_id: str, name: str) -> User:
        """A user by name, in any case.

        Raises:
            EntityNotFound: there is none.
        """

        def query(connection: Connection) -> User:
            entity = get_entity(connection, account_id, EntityKind.USER, name)
            return User(entity, list_tags(connection, entity.id))

        return await self._database.read(query)

    async def list(self, account_id: str, path_prefix: str, page: PageRequest) -> Page[Entity]:
        """Users whose paths begin so, by name."""
        return await list_page(self._database, account_id, EntityKind.USER, path_prefix, page)

    async def update(self, account_id: str, name: str, new_path: str | None, new_name: str | None) -> None:
        """Move or rename a user; his credentials, policies and groups stay with him.

        Raises:
            EntityNotFound: there is none.
            EntityAlreadyExists: another user has the new name.
        """
        await update_place(self._database, account_id, EntityKind.USER, name, new_path, new_name)

    async def delete(self, account_id: str, name: str) -> None:
        """Delete a user with his tags and what sessions he has.

        Raises:
            EntityNotFound: there is none.
            DeleteConflict: policies, access keys or groups are left.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            user = get_entity(connection, account_id, EntityKind.USER, name)
            check_without_policies(connection, user)
            if list_keys(connection, user.id):
                raise DeleteConflict("delete access keys first")
            if count_groups_of(connection, user.id):
                raise DeleteConflict("remove users from group first")
            delete_access_keys(connection, account_id, user.id)
            remove_entity(connection, user)

        await self._database.write(change)
