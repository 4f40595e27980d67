"""Groups, and which users are in them.

Spec: IAM API, CreateGroup, GetGroup, ListGroups, UpdateGroup, DeleteGroup, AddUserToGroup, RemoveUserFromGroup,
ListGroupsForUser.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_error import DeleteConflict
from entrepot.domain.iam_limit import GROUPS_OF_USER
from entrepot.domain.page import Page, PageRequest, cut_page, slice_page
from entrepot.service.context import Context
from entrepot.service.iam.entity import (
    add_entity,
    begin_change,
    check_quota,
    get_entity,
    list_page,
    name_key,
    start_of,
    update_place,
)
from entrepot.service.iam.removal import check_without_policies, remove_entity
from entrepot.store.metadata import iam_member as members
from entrepot.store.metadata.base import Database


class IamGroupService:
    """What can be done with groups and their members."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def create(self, wanted: NewEntity) -> Entity:
        """Make a group without members.

        Raises:
            EntityAlreadyExists: the name is taken, in any case.
            QuotaExceeded: groups of the account.
        """

        def change(connection: Connection) -> Entity:
            begin_change(connection, wanted.account_id)
            return add_entity(connection, self._context, wanted)

        return await self._database.write(change)

    async def get(self, account_id: str, name: str, page: PageRequest) -> tuple[Entity, Page[Entity]]:
        """A group with a page of its users by name.

        Raises:
            EntityNotFound: there is no such group.
        """

        def query(connection: Connection) -> tuple[Entity, Page[Entity]]:
            group = get_entity(connection, account_id, EntityKind.GROUP, name)
            found = members.list_members(connection, group.id, start_of(page), page.size + 1)
            return group, cut_page(found, page.size, name_key)

        return await self._database.read(query)

    async def list(self, account_id: str, path_prefix: str, page: PageRequest) -> Page[Entity]:
        """Groups whose paths begin so, by name."""
        return await list_page(self._database, account_id, EntityKind.GROUP, path_prefix, page)

    async def list_of_user(self, account_id: str, user_name: str, page: PageRequest) -> Page[Entity]:
        """The groups that a user is in, by name.

        Raises:
            EntityNotFound: there is no such user.
        """

        def query(connection: Connection) -> Page[Entity]:
            user = get_entity(connection, account_id, EntityKind.USER, user_name)
            return slice_page(members.list_groups_of(connection, user.id), page)

        return await self._database.read(query)

    async def update(self, account_id: str, name: str, new_path: str | None, new_name: str | None) -> None:
        """Move or rename a group; its policies and members stay.

        Raises:
            EntityNotFound: there is none.
            EntityAlreadyExists: another group has the new name.
        """
        await update_place(self._database, account_id, EntityKind.GROUP, name, new_path, new_name)

    async def delete(self, account_id: str, name: str) -> None:
        """Delete a group.

        Raises:
            EntityNotFound: there is none.
            DeleteConflict: members or policies are left.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            group = get_entity(connection, account_id, EntityKind.GROUP, name)
            if members.has_members(connection, group.id):
                raise DeleteConflict("remove users from group first")
            check_without_policies(connection, group)
            remove_entity(connection, group)

        await self._database.write(change)

    async def add_user(self, account_id: str, name: str, user_name: str) -> None:
        """Put a user into a group; again does not matter.

        Raises:
            EntityNotFound: no such user, or no such group; the user is looked for first.
            QuotaExceeded: the user is in as many groups as he can be.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            user, group = _pair(connection, account_id, user_name, name)
            if not members.is_member(connection, group.id, user.id):
                check_quota(GROUPS_OF_USER, members.count_groups_of(connection, user.id))
                members.insert_member(connection, group.id, user.id)

        await self._database.write(change)

    async def remove_user(self, account_id: str, name: str, user_name: str) -> None:
        """Take a user out of a group; one who is not in it does not matter.

        Raises:
            EntityNotFound: no such user, or no such group; the user is looked for first.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            user, group = _pair(connection, account_id, user_name, name)
            members.delete_member(connection, group.id, user.id)

        await self._database.write(change)


def _pair(connection: Connection, account_id: str, user_name: str, group_name: str) -> tuple[Entity, Entity]:
    user = get_entity(connection, account_id, EntityKind.USER, user_name)
    return user, get_entity(connection, account_id, EntityKind.GROUP, group_name)
