"""Probes: `/healthz` says that requests are served, `/readyz` that database and store can be used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy import Connection, literal, select

from entrepot.app.logs import reason_of
from entrepot.domain.error import RegistryError
from entrepot.store.blob.base import BlobStore
from entrepot.store.metadata.base import Database
from entrepot.transport.message import HttpResponse

log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[HttpResponse]]
HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class Health:
    """The probes of one worker."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database = database
        self._store = store

    def probes(self) -> Mapping[str, Probe]:
        """Path to probe."""
        return {"/healthz": self.live, "/readyz": self.ready}

    async def live(self) -> HttpResponse:
        """200 as long as this worker answers at all."""
        return HttpResponse(200, HEADERS, b"ok\n")

    async def ready(self) -> HttpResponse:
        """200 when a push would work, else 503 and which part would not."""
        failing = [
            name for name, is_fine in (("database", await self._reads()), ("store", self._has_room())) if not is_fine
        ]
        if failing:
            return HttpResponse(503, HEADERS, f"not ready: {', '.join(failing)}\n".encode())
        return HttpResponse(200, HEADERS, b"ready\n")

    async def _reads(self) -> bool:
        try:
            return await self._database.read(_one) == 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is no
            log.warning("health.database", error=reason_of(error))
            return False

    def _has_room(self) -> bool:
        try:
            self._store.check_room()
        except (RegistryError, OSError) as error:
            log.warning("health.store", error=reason_of(error))
            return False
        return True


def _one(connection: Connection) -> int | None:
    return connection.scalar(select(literal(1)))
