"""Aliases: names of keys that can be moved from one key to another.

Spec: KMS API, CreateAlias, UpdateAlias, DeleteAlias, ListAliases; KMS developer guide, "Aliases in AWS KMS".
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from entrepot.domain.kms import KeyName, KmsAlias, KmsKey, alias_arn
from entrepot.domain.kms_error import AliasNotFound, AliasTaken, KmsQuotaExceeded
from entrepot.domain.kms_limit import ALIASES_MAX
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.kms.key import begin_change, check_not_pending, get_key
from entrepot.store.metadata import kms_alias as rows
from entrepot.store.metadata.base import Database


class KmsAliasService:
    """Aliases of an account and region; names have their prefix."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def create(self, place: Registry, name: str, key: KmsKey) -> None:
        """Give a key of that account and region another name.

        Raises:
            AliasTaken: it names a key already.
            KmsQuotaExceeded: the key has as many as it can have.
            KeyNotFound, KeyStateInvalid: the key is gone, or about to be.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, place.account_id)
            self._check_target(connection, key)
            if not rows.insert_alias(connection, place, name, key.id, self._context.now_micros()):
                raise AliasTaken(alias_arn(place, name))

        await self._database.write(change)

    async def find(self, place: Registry, name: str) -> KmsAlias:
        """An alias by name.

        Raises:
            AliasNotFound
        """
        return await self._database.read(lambda connection: _get(connection, place, name))

    async def move(self, alias: KmsAlias, key: KmsKey) -> bool:
        """Have an alias name another key; False, and nothing is done, when it names another one by now.

        Raises:
            AliasNotFound, KmsQuotaExceeded, KeyNotFound, KeyStateInvalid
        """

        def change(connection: Connection) -> None:
            if key.id != alias.key_id:
                self._check_target(connection, key)
            rows.move_alias(connection, alias.place, alias.name, key.id, self._context.now_micros())

        return await self._change(alias, change)

    async def delete(self, alias: KmsAlias) -> bool:
        """Take a name away; its key stays. False, and nothing is done, when it names another key by now.

        Raises:
            AliasNotFound
        """
        return await self._change(alias, lambda connection: rows.delete_alias(connection, alias.place, alias.name))

    async def list(self, place: Registry, page: PageRequest, key: KmsKey | None) -> Page[KmsAlias]:
        """Aliases by name; of one key only, if one is given."""
        after, key_id = "" if page.after is None else str(page.after[0]), None if key is None else key.id
        found = await self._database.read(lambda c: rows.list_aliases(c, place, after, page.size + 1, key_id))
        return cut_page(found, page.size, lambda alias: (alias.name,))

    async def _change(self, alias: KmsAlias, work: Callable[[Connection], None]) -> bool:
        """Do something to an alias while it names the key that the caller was allowed to take it from."""

        def change(connection: Connection) -> bool:
            begin_change(connection, alias.place.account_id)
            if _get(connection, alias.place, alias.name).key_id != alias.key_id:
                return False
            work(connection)
            return True

        return await self._database.write(change)

    def _check_target(self, connection: Connection, key: KmsKey) -> None:
        check_not_pending(get_key(connection, KeyName(key.place, key.id)))
        if rows.count_aliases(connection, key.id) >= ALIASES_MAX:
            raise KmsQuotaExceeded(f"The key has {ALIASES_MAX} aliases.")


def _get(connection: Connection, place: Registry, name: str) -> KmsAlias:
    found = rows.find_alias(connection, place, name)
    if found is None:
        raise AliasNotFound(alias_arn(place, name))
    return found
