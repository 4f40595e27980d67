"""Maintenance as an operator begins and ends it: rows in the database, which every worker sees with its next change."""

from __future__ import annotations

from functools import partial

from entrepot.app import workbench
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.store.metadata import maintenance as rows
from entrepot.store.metadata.base import from_micros
from entrepot.store.metadata.maintenance import MaintenanceRow


def begin(settings: Settings, reason: str) -> None:
    """Have the registry refuse changes of clients.

    Raises:
        CommandError: the database cannot be used.
    """

    async def act(bench: Workbench) -> None:
        await bench.database.write(partial(rows.begin, reason=reason, now=bench.context.now_micros()))

    workbench.run(settings, act)


def end(settings: Settings) -> bool:
    """Have it take them again; whether it refused them.

    Raises:
        CommandError: the database cannot be used.
    """
    return workbench.run(settings, lambda bench: bench.database.write(rows.end))


def find(settings: Settings) -> MaintenanceRow | None:
    """Since when and why it refuses changes, if it does.

    Raises:
        CommandError: the database cannot be used.
    """
    return workbench.run(settings, lambda bench: bench.database.read(rows.find))


def since(row: MaintenanceRow | None) -> str | None:
    """When it began, for people and programs."""
    return None if row is None else from_micros(row.begun_at).isoformat(timespec="seconds")
