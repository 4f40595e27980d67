"""Accounts as IAM sees them: their alias, and how much of everything they have.

Spec: IAM API, GetAccountSummary, CreateAccountAlias, ListAccountAliases, DeleteAccountAlias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.domain.iam_error import EntityAlreadyExists, EntityNotFound
from entrepot.domain.principal import root_of
from entrepot.service.iam.entity import begin_change
from entrepot.store.metadata import iam_account as rows
from entrepot.store.metadata.access_key import list_keys
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_policy_version import count_versions_of_account

_ALIAS = "account alias"


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """How much an account has."""

    entities: Mapping[EntityKind, int]
    policy_versions: int
    """Of all its managed policies."""
    has_root_keys: bool


class IamAccountService:
    """What IAM says of accounts as wholes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def summarise(self, account_id: str) -> AccountSummary:
        """Count."""

        def query(connection: Connection) -> AccountSummary:
            keys = list_keys(connection, root_of(account_id).unique_id)
            versions = count_versions_of_account(connection, account_id)
            return AccountSummary(rows.count_by_kind(connection, account_id), versions, bool(keys))

        return await self._database.read(query)

    async def list_aliases(self, account_id: str) -> list[str]:
        """The alias, if there is one."""
        alias = await self._database.lookup(lambda connection: rows.find_alias(connection, account_id))
        return [] if alias is None else [alias]

    async def set_alias(self, account_id: str, alias: str) -> None:
        """Give an account an alias in the place of what it had.

        Raises:
            EntityAlreadyExists: the account has it already, or another one.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            if rows.find_alias(connection, account_id) == alias:
                raise EntityAlreadyExists(_ALIAS, alias)
            rows.delete_alias(connection, account_id)
            if not rows.insert_alias(connection, account_id, alias):
                raise EntityAlreadyExists(_ALIAS, alias)

        await self._database.write(change)

    async def delete_alias(self, account_id: str, alias: str) -> None:
        """Take an account's alias away.

        Raises:
            EntityNotFound: the account has another one, or none.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            if rows.find_alias(connection, account_id) != alias:
                raise EntityNotFound(_ALIAS, alias)
            rows.delete_alias(connection, account_id)

        await self._database.write(change)
