"""A data directory as a server leaves it, made without one: migrated, with its keys and an account."""

from __future__ import annotations

from pathlib import Path

from entrepot.app import workbench
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.workbench import Workbench
from entrepot.service.identity import IdentityService
from entrepot.store.metadata.migrate import migrate_sqlite


def start_once(path: Path) -> Settings:
    """Make the directory; the settings that name it."""
    settings = Settings(data_dir=path)
    directory = DataDirectory.of(settings)
    directory.create()
    directory.make_master_key()
    assert directory.sqlite_file is not None
    migrate_sqlite(directory.sqlite_file)

    async def make_account(bench: Workbench) -> None:
        await IdentityService(bench.database, bench.context, bench.keys).ensure_account(settings.account_id, "first")

    workbench.run(settings, make_account)
    return settings
