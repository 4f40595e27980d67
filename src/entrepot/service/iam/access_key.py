"""Access keys of users and of root: two each, switched on and off, and when they were last used.

Spec: IAM API, CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.domain.iam_error import EntityNotFound
from entrepot.domain.iam_limit import ACCESS_KEYS
from entrepot.domain.identity import KeyState, KeyUse
from entrepot.domain.key import ACCESS_KEY_PURPOSE
from entrepot.domain.page import Page, PageRequest, slice_page
from entrepot.domain.principal import root_of
from entrepot.service.context import Context
from entrepot.service.credential import new_key_id, new_secret
from entrepot.service.iam.entity import begin_change, check_quota, get_entity
from entrepot.service.key import KeyService
from entrepot.service.note_log import NoteLog
from entrepot.store.metadata import access_key as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import find_entity_by_id
from entrepot.store.metadata.identity import AccessKeyRow, find_access_key, insert_access_key


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose keys are meant: a user of an account, or its root."""

    account_id: str
    user_name: str | None = None
    """None stands for root."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as its holder is given it, once."""

    state: KeyState
    secret: str = field(repr=False)
    user_name: str | None
    """As the user writes it."""


class KeyUseLog(NoteLog[str, KeyUse]):
    """The last use of each key that was not written yet."""

    def __init__(self, database: Database, context: Context) -> None:
        super().__init__(database, context, rows.record_uses)

    def record(self, key_id: str, region: str, service: str) -> None:
        """Note that a key signed a request now, to a service, named as scopes name it, in a region."""
        self.note(key_id, KeyUse(self._context.now(), region, service))


class IamAccessKeyService:
    """What can be done with keys that do not expire."""

    def __init__(self, database: Database, context: Context, key: KeyService) -> None:
        self._database, self._context, self._key = database, context, key
        self.uses = KeyUseLog(database, context)

    async def create(self, owner: Owner) -> NewKey:
        """Make a key; the secret is shown this once.

        Raises:
            EntityNotFound: there is no such user.
            QuotaExceeded: he has two already.
        """

        def change(connection: Connection) -> NewKey:
            begin_change(connection, owner.account_id)
            unique_id, name = _find(connection, owner)
            check_quota(ACCESS_KEYS, len(rows.list_keys(connection, unique_id)))
            key_id, secret = new_key_id(self._context), new_secret(self._context)
            add_key(connection, self._context, self._key, AccessKeyOf(owner.account_id, unique_id, key_id, secret))
            made = next(state for state in rows.list_keys(connection, unique_id) if state.id == key_id)
            return NewKey(made, secret, name)

        return await self._database.write(change)

    async def list(self, owner: Owner, page: PageRequest) -> tuple[str | None, Page[KeyState]]:
        """The user's name as he writes it, and a page of his keys, oldest first.

        Raises:
            EntityNotFound: there is no such user.
        """

        def query(connection: Connection) -> tuple[str | None, Page[KeyState]]:
            unique_id, name = _find(connection, owner)
            return name, slice_page(rows.list_keys(connection, unique_id), page)

        return await self._database.read(query)

    async def set_active(self, owner: Owner, key_id: str, is_active: bool) -> None:
        """Switch a key on or off; off, it signs nothing more, and tokens made with it end at once.

        Raises:
            EntityNotFound: there is no such user, or he has no such key.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, owner.account_id)
            if not rows.set_active(connection, _find(connection, owner)[0], key_id, is_active):
                raise EntityNotFound("access key", key_id)

        await self._database.write(change)

    async def delete(self, owner: Owner, key_id: str) -> None:
        """Delete a key; tokens made with it end at once.

        Raises:
            EntityNotFound: there is no such user, or he has no such key.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, owner.account_id)
            if not rows.delete_key(connection, _find(connection, owner)[0], key_id):
                raise EntityNotFound("access key", key_id)

        await self._database.write(change)

    async def last_use(self, account_id: str, key_id: str) -> tuple[str | None, KeyUse | None] | None:
        """Whose key it is (None of root) and when it was last used, if ever; None if the account has no such key.

        What this worker has not written yet counts, what others have not does not.
        """

        def query(connection: Connection) -> tuple[str | None, KeyUse | None] | None:
            found = rows.find_owner(connection, account_id, key_id)
            if found is None:
                return None
            user = find_entity_by_id(connection, found[0])
            return (None if user is None else user.name), found[1]

        found = await self._database.read(query)
        return None if found is None else (found[0], self.uses.find(key_id) or found[1])


@dataclass(frozen=True, slots=True)
class AccessKeyOf:
    """A key that is to be made for somebody."""

    account_id: str
    unique_id: str
    key_id: str
    secret: str = field(repr=False)


def add_key(connection: Connection, context: Context, key: KeyService, wanted: AccessKeyOf) -> AccessKeyRow | None:
    """Make an active key that does not expire, its secret sealed; None when the id is taken."""
    sealed = key.seal(connection, ACCESS_KEY_PURPOSE, wanted.secret.encode(), wanted.key_id)
    row = AccessKeyRow(wanted.key_id, wanted.account_id, wanted.unique_id, sealed, True, 0)
    is_made = insert_access_key(connection, row, context.now_micros())
    return find_access_key(connection, wanted.key_id) if is_made else None


def _find(connection: Connection, owner: Owner) -> tuple[str, str | None]:
    """The owner's unique id, and his name as he writes it."""
    if owner.user_name is None:
        return root_of(owner.account_id).unique_id, None
    user = get_entity(connection, owner.account_id, EntityKind.USER, owner.user_name)
    return user.id, user.name
