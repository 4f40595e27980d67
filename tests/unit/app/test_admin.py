"""Administration: identities of a database, without a server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.app import admin, engine
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.workbench import CommandError
from entrepot.service.context import Context
from entrepot.store.metadata.migrate import migrate_sqlite

ACCOUNT = "210987654321"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a server that has been started once."""
    settings = Settings(data_dir=tmp_path / "data")
    directory = DataDirectory.of(settings)
    directory.create()
    assert directory.sqlite_file is not None
    migrate_sqlite(directory.sqlite_file)

    async def make_key() -> None:
        database = engine.open_database(settings, directory)
        await engine.open_keys(database, Context(), settings, directory, may_make_key=True)
        await database.close()

    asyncio.run(make_key())
    return settings


def test_accounts_are_made_and_listed(settings: Settings) -> None:
    made, key = admin.create_account(settings, ACCOUNT, "second")
    assert (made.id, made.name) == (ACCOUNT, "second")
    assert [account.id for account in admin.list_accounts(settings)] == [ACCOUNT]
    assert admin.root_key(settings, ACCOUNT, rotates=False) == key


def test_rotation_replaces_the_key(settings: Settings) -> None:
    _, key = admin.create_account(settings, ACCOUNT, "second")
    fresh = admin.root_key(settings, ACCOUNT, rotates=True)
    assert fresh.id != key.id
    assert admin.root_key(settings, ACCOUNT, rotates=False) == fresh


def test_unknown_accounts_are_those_that_no_start_makes(settings: Settings, tmp_path: Path) -> None:
    admin.create_account(settings, ACCOUNT, "second")
    asked = (settings.account_id, "000000000000", ACCOUNT)
    assert admin.unknown_accounts(settings, asked) == ["000000000000"]
    never_started = Settings(data_dir=tmp_path / "other")
    assert admin.unknown_accounts(never_started, asked) == []
    assert not never_started.data_dir.exists()


def test_errors_are_one_line(settings: Settings) -> None:
    admin.create_account(settings, ACCOUNT, "second")
    with pytest.raises(CommandError, match="the account 210987654321 exists already"):
        admin.create_account(settings, ACCOUNT, "second")
    with pytest.raises(CommandError, match="12 digits"):
        admin.create_account(settings, "12", "third")
    with pytest.raises(CommandError, match="there is no account 000000000000"):
        admin.root_key(settings, "000000000000", rotates=False)


def test_a_place_without_a_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"metadata\.sqlite is missing or made by an older version"):
        admin.list_accounts(Settings(data_dir=tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


def test_another_master_key_is_refused(settings: Settings) -> None:
    (settings.data_dir / "master.key").write_text("00" * 32)
    with pytest.raises(CommandError, match="the master key does not open this database"):
        admin.list_accounts(settings)


def test_the_key_goes_to_a_profile(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    _, key = admin.create_account(settings, ACCOUNT, "second")
    admin.write_key(settings, "second", key.id, key.secret)
    assert f"[second]\naws_access_key_id = {key.id}\n" in (tmp_path / "credentials").read_text()
    assert "endpoint_url = http://127.0.0.1:5000\n" in (tmp_path / "config").read_text()
