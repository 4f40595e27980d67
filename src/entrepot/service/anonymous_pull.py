"""Anonymous pull: repositories whose images everybody may pull, on hosts that ask for Bearer tokens; none by default.

Spec: security rules, "Decisions"; docs/adr/0025-anonymous-pull.md.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.context import Context
from entrepot.store.metadata import anonymous_pull as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from entrepot.store.metadata.repository import hold_repository


class AnonymousPullService:
    """Which repositories are open. A change holds from the next request on, on every worker."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def is_open(self, registry: Registry, name: RepositoryName) -> bool:
        """Whether a repository is open; never remembered."""
        return await self._database.lookup(lambda connection: rows.is_open(connection, registry, name))

    async def allow(self, registry: Registry, name: RepositoryName) -> bool:
        """Open a repository; False if it was open.

        Raises:
            RepositoryNotFound: no repository of that name.
        """
        return await self._change(
            registry, name, lambda c, row_id: rows.open_repository(c, row_id, self._context.now_micros())
        )

    async def deny(self, registry: Registry, name: RepositoryName) -> bool:
        """Close a repository; False if it was not open.

        Raises:
            RepositoryNotFound: no repository of that name.
        """
        return await self._change(registry, name, rows.close_repository)

    async def list(self) -> list[tuple[Registry, RepositoryName]]:
        """The open repositories of all registries."""
        return await self._database.read(rows.list_open)

    async def _change(
        self, registry: Registry, name: RepositoryName, change: Callable[[Connection, int], bool]
    ) -> bool:
        def changed(connection: Connection) -> bool:
            held = hold_repository(connection, registry, name)
            if held is None:
                raise RepositoryNotFound(registry, name)
            raise_access_epoch(connection, registry.account_id)
            return change(connection, held.repository.id)

        return await self._database.write(changed)
