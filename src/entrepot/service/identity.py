"""Identities: accounts, and the access keys of their root users.

Spec: IAM user guide, "AWS account root user"; the security design, "Identity".
"""

from __future__ import annotations

import json

from sqlalchemy import Connection

from entrepot.domain.identity import (
    AccessKey,
    AccessKeyTaken,
    Account,
    AccountAlreadyExists,
    AccountNotFound,
    RootKeyMissing,
    check_access_key,
    check_account_id,
)
from entrepot.domain.key import ACCESS_KEY_PURPOSE
from entrepot.domain.managed_policy import AWS_ACCOUNT
from entrepot.domain.principal import principal_of, root_of
from entrepot.domain.session_record import read_session
from entrepot.service.context import Context
from entrepot.service.credential import new_key_id, new_secret
from entrepot.service.iam.access_key import AccessKeyOf, add_key
from entrepot.service.key import KeyService
from entrepot.store.metadata import identity as rows
from entrepot.store.metadata.access_key import list_keys
from entrepot.store.metadata.base import Database


class IdentityService:
    """Who can hold credentials. A change holds from the next request on, on every worker."""

    def __init__(self, database: Database, context: Context, key: KeyService) -> None:
        self._database = database
        self._context = context
        self._key = key

    async def create_account(self, account_id: str, name: str) -> Account:
        """Make an account with a root access key.

        Raises:
            InvalidParameter: not 12 digits.
            AccountAlreadyExists: the id is taken.
        """
        check_account_id(account_id)

        def change(connection: Connection) -> Account:
            if not rows.insert_account(connection, account_id, name, self._context.now_micros()):
                raise AccountAlreadyExists(account_id)
            self._make_root_key(connection, account_id)
            return _get_account(connection, account_id)

        return await self._database.write(change)

    async def ensure_account(self, account_id: str, name: str) -> Account:
        """Get or make an account with an active root access key; for each start, in any number of processes.

        Raises:
            InvalidParameter: not 12 digits.
        """
        check_account_id(account_id)

        def change(connection: Connection) -> Account:
            rows.insert_account(connection, account_id, name, self._context.now_micros())
            rows.hold_account(connection, account_id)
            if not _active_root_keys(connection, account_id):
                self._make_root_key(connection, account_id)
            return _get_account(connection, account_id)

        return await self._database.write(change)

    async def list_accounts(self) -> list[Account]:
        """All accounts by id."""
        return await self._database.read(rows.list_accounts)

    async def get_account(self, account_id: str) -> Account:
        """One account.

        Raises:
            AccountNotFound: no such account.
        """
        return await self._database.lookup(lambda connection: _get_account(connection, account_id))

    async def root_key(self, account_id: str) -> AccessKey:
        """The newest active root access key of an account, secret included.

        Raises:
            AccountNotFound: no such account.
            RootKeyMissing: its root keys were deleted or switched off.
        """

        def query(connection: Connection) -> AccessKey:
            _get_account(connection, account_id)
            active = _active_root_keys(connection, account_id)
            if not active:
                raise RootKeyMissing(account_id)
            return self._get_key(connection, active[-1])

        return await self._database.read(query)

    async def rotate_root_key(self, account_id: str) -> AccessKey:
        """Replace the root access key by a new random one; tokens made with the old one end at once.

        Raises:
            AccountNotFound: no such account.
        """

        def change(connection: Connection) -> AccessKey:
            _hold_account(connection, account_id)
            rows.delete_access_keys(connection, account_id, root_of(account_id).unique_id)
            return self._make_root_key(connection, account_id)

        return await self._database.write(change)

    async def set_root_key(self, account_id: str, access_key_id: str, secret: str) -> AccessKey:
        """Make this the only root access key, as settings say at each start.

        The same key again changes nothing, others that root has made meanwhile stay.

        Raises:
            InvalidParameter: an id or secret that cannot be used.
            AccountNotFound: no such account.
            AccessKeyTaken: the id belongs to another account.
        """
        check_access_key(access_key_id, secret)

        def change(connection: Connection) -> AccessKey:
            _hold_account(connection, account_id)
            if access_key_id in _active_root_keys(connection, account_id):
                key = self._get_key(connection, access_key_id)
                if key.secret == secret:
                    return key
            rows.delete_access_keys(connection, account_id, root_of(account_id).unique_id)
            return self._insert_root_key(connection, account_id, access_key_id, secret)

        return await self._database.write(change)

    async def find_access_key(self, access_key_id: str) -> AccessKey | None:
        """A key by id, active or not, with its secret and the access epoch of its account: one read."""
        row = await self._database.lookup(lambda connection: rows.find_access_key(connection, access_key_id))
        return None if row is None else self._to_key(row)

    def _make_root_key(self, connection: Connection, account_id: str) -> AccessKey:
        return self._insert_root_key(connection, account_id, new_key_id(self._context), new_secret(self._context))

    def _insert_root_key(self, connection: Connection, account_id: str, key_id: str, secret: str) -> AccessKey:
        rows.raise_access_epoch(connection, account_id)
        wanted = AccessKeyOf(account_id, root_of(account_id).unique_id, key_id, secret)
        made = add_key(connection, self._context, self._key, wanted)
        if made is None:
            raise AccessKeyTaken(key_id)
        return self._to_key(made)

    def _get_key(self, connection: Connection, key_id: str) -> AccessKey:
        row = rows.find_access_key(connection, key_id)
        if row is None:
            raise AssertionError(key_id)  # listed or inserted in this transaction
        return self._to_key(row)

    def _to_key(self, row: rows.AccessKeyRow) -> AccessKey:
        secret = self._key.unseal(ACCESS_KEY_PURPOSE, row.sealed_secret, row.id).decode()
        session = read_session(row.session) if row.session is not None else None
        principal = principal_of(row.account_id, row.unique_id, row.path, row.name, session)
        sources = tuple(json.loads(row.source_arns)) if row.source_arns is not None else ()
        return AccessKey(
            row.id, principal, secret, row.is_active, row.access_epoch, session, row.session_token, sources
        )


def _get_account(connection: Connection, account_id: str) -> Account:
    found = rows.find_account(connection, account_id)
    if found is None or account_id == AWS_ACCOUNT:
        raise AccountNotFound(account_id)
    return found


def _active_root_keys(connection: Connection, account_id: str) -> list[str]:
    """Ids, oldest first."""
    return [state.id for state in list_keys(connection, root_of(account_id).unique_id) if state.is_active]


def _hold_account(connection: Connection, account_id: str) -> None:
    if account_id == AWS_ACCOUNT or not rows.hold_account(connection, account_id):
        raise AccountNotFound(account_id)
