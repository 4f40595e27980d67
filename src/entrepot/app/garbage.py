"""Garbage collection as an operator runs it: now, or only to see what would go."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.app import workbench
from entrepot.app.config import Settings
from entrepot.app.workbench import CommandError, Workbench
from entrepot.domain.promise import BlobPromise
from entrepot.service.garbage import Collected, GarbageService
from entrepot.service.upload import UploadService
from entrepot.service.upload.sweep import Swept
from entrepot.store.metadata.garbage import Survey

__all__ = ["Collected", "CommandError", "Survey", "Swept", "collect", "survey"]

OnProgress = Callable[[Collected], None]


def survey(settings: Settings) -> Survey:
    """What a collection would remove now.

    Raises:
        CommandError: the database cannot be used.
    """
    return workbench.run(settings, lambda bench: _service(bench).survey())


def collect(settings: Settings, on_progress: OnProgress) -> tuple[Collected, Swept]:
    """Collect, and free the bytes whose time has come.

    Raises:
        CommandError: database or store cannot be used.
    """

    async def act(bench: Workbench) -> tuple[Collected, Swept]:
        async with bench.open_storage() as storage:
            collected = await _service(bench).collect(on_progress)
            return collected, await UploadService(bench.database, bench.context, storage).sweep()

    return workbench.run(settings, act)


def _service(bench: Workbench) -> GarbageService:
    promise = BlobPromise(bench.settings.blob_promise_seconds)
    return GarbageService(bench.database, bench.context, promise=promise)
