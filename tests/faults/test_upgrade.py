"""Data directories of earlier versions are upgraded by the start of this one, verified, pulled from and pushed to."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from entrepot.store.metadata.revision import newest_revision
from tests.support import kept
from tests.support.command import json_of, run_command
from tests.support.registry_client import RegistryClient
from tests.support.server import Server


def revision_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    finally:
        connection.close()


@pytest.fixture(params=kept.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_walking_registry_is_kept() -> None:
    assert "0001-walking" in kept.names()


def test_an_earlier_version_is_upgraded(name: str, tmp_path: Path) -> None:
    directory = kept.unpack(name, tmp_path).data_dir
    before, file = name[:4], directory / "metadata.sqlite"
    assert revision_of(file) == before
    server = Server(directory, tmp_path / "home")
    try:
        server.start()
        assert revision_of(file) == newest_revision()
        if before != newest_revision():
            copy = file.with_name(f"metadata.sqlite.before-{newest_revision()}")
            assert revision_of(copy) == before, "the file is copied before it is migrated"
        said = json_of(run_command(server, "verify", "--digests", "--orphans", "--json"))
        assert (said["findings"], said["images"]) == ([], len(kept.images()) + 1)
        client = RegistryClient(server)
        kept.check(client)
        client.push_image(kept.REPOSITORY, "new", [b"after the upgrade"])
        kept.check(client)
    finally:
        server.close()


def test_a_newer_schema_stops_this_version(tmp_path: Path) -> None:
    directory = kept.unpack("0001-walking", tmp_path).data_dir
    connection = sqlite3.connect(directory / "metadata.sqlite")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    server = Server(directory, tmp_path / "home")
    with pytest.raises(RuntimeError, match="has schema 9999, this entrepot knows schemas up to"):
        server.start()
    assert revision_of(directory / "metadata.sqlite") == "9999"
    done = run_command(server, "verify")
    assert done.returncode == 2
    assert "has schema 9999" in done.stderr
