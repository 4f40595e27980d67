"""Local files serve one host: a database counts on one directory of blobs, and a server with another one stops."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.database import PostgresAddress
from tests.support.server import PROGRAM, ROOT_ENVIRONMENT, Server

MASTER_KEY = "07" * 32


@pytest.fixture
def first(tmp_path: Path, postgres_address: PostgresAddress) -> Iterator[Server]:
    environment = {"ENTREPOT_DATABASE_URL": postgres_address.url, "ENTREPOT_MASTER_KEY": MASTER_KEY}
    server = Server(tmp_path / "first", tmp_path / "home", workers=1, environment=environment)
    try:
        server.start()
        yield server
    finally:
        server.close()


def start(first: Server, data_dir: Path) -> tuple[int, list[str]]:
    """Exit code and errors of a server with another data directory on the same database."""
    kept = {"HOME": str(first.home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [PROGRAM, "serve", "--data-dir", str(data_dir), "--port", "0", "--workers", "1"],
        env=kept | ROOT_ENVIRONMENT | dict(first.environment),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, [line for line in done.stderr.splitlines() if line.startswith("entrepot:")]


def test_a_second_host_is_refused_and_leaves_no_mark(first: Server, tmp_path: Path) -> None:
    named = (first.data_dir / "store" / "store.id").read_text().strip()
    for _ in range(2):
        code, errors = start(first, tmp_path / "second")
        assert (code, len(errors)) == (1, 1)
        assert f"another directory than {tmp_path / 'second' / 'store'}" in errors[0]
        assert named in errors[0]
        assert not (tmp_path / "second" / "store" / "store.id").exists()


def test_the_directory_may_move(first: Server, tmp_path: Path) -> None:
    first.stop()
    shutil.move(first.data_dir, tmp_path / "moved")
    first.data_dir = tmp_path / "moved"
    first.start()


def test_one_that_was_never_named_is_named_by_its_next_start(first: Server, postgres_address: PostgresAddress) -> None:
    """As the directories of before revision 0002 are; a start that died between file and row leaves a name, too."""
    first.stop()
    engine = create_engine(postgres_address.url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM file_store"))
    engine.dispose()
    (first.data_dir / "store" / "store.id").unlink()
    first.start()
    first.stop()
    first.start()
