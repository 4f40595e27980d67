"""A PostgreSQL server for one test run: started by the first test that needs it, stopped with the run.

All processes of a run (pytest-xdist) share it through a directory that the environment names. Its default
collation is a language's, so that a text column which forgot its bytewise collation shows in the tests.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

RUN_DIRECTORY = "ENTREPOT_TEST_POSTGRES"
PREFIX = "entrepot-pg-"
TEMPLATE = "entrepot_template"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "4GB",
    "deadlock_timeout": "100ms",
}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _end_run()


@contextmanager
def server_of_a_program(prepare_template: Callable[[str], object]) -> Iterator[PostgresServer]:
    """A server for a program that is no test run."""
    _begin_run()
    try:
        yield PostgresServer.of_this_run(prepare_template)
    finally:
        _end_run()


def _begin_run() -> None:
    _remove_leftovers()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    (directory / "owner.pid").write_text(str(os.getpid()))
    os.environ[RUN_DIRECTORY] = str(directory)


def _end_run() -> None:
    _remove(Path(os.environ.pop(RUN_DIRECTORY)))


class PostgresServer:
    """A server whose files and socket are in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._account = _server_account()

    @classmethod
    def of_this_run(cls, prepare_template: Callable[[str], object]) -> PostgresServer:
        """Start the server, or join it if another process of the run did."""
        server = cls(Path(os.environ[RUN_DIRECTORY]))
        with (server._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (server._directory / "ready").exists():
                server._start()
                server._execute(f"CREATE DATABASE {TEMPLATE}")
                prepare_template(server.url(TEMPLATE))
                (server._directory / "ready").touch()
        return server

    def url(self, database: str) -> str:
        """Where SQLAlchemy finds a database of the server."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._directory}"

    @contextmanager
    def fresh_database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a new copy of the migrated template (`template0`: an empty one), dropped afterwards."""
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate", "--pgdata", str(self._directory / "data"))

    def _start(self) -> None:
        if self._account:
            os.chown(self._directory, self._account["user"], self._account["group"])
        self._directory.chmod(0o755)  # the tests, as another user, come in for the socket
        data = str(self._directory / "data")
        self._run(
            "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync",
            "--locale=C", "--locale-provider=icu", "--icu-locale=en-US",
        )  # fmt: skip
        settings = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        self._run(
            "pg_ctl", "start", "--wait", "--pgdata", data, "--log", str(self._directory / "log"),
            "--options", f"-k '{self._directory}' {settings}",
        )  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        """Run a server program as a user that it accepts: it refuses to work for root."""
        subprocess.run(
            [_server_program(program), *arguments],
            cwd=self._directory,
            check=True,
            stdout=subprocess.DEVNULL,
            **self._account,
        )

    def _execute(self, statement: str) -> None:
        with psycopg.connect(host=str(self._directory), user="postgres", dbname="postgres", autocommit=True) as server:
            server.execute(statement.encode())


def _remove_leftovers() -> None:
    """Stop the servers of test runs that were killed before they could."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = directory / "owner.pid"
        if owner.exists() and owner.stat().st_size and not psutil.pid_exists(int(owner.read_text())):
            _remove(directory)


def _remove(directory: Path) -> None:
    if (directory / "data" / "postmaster.pid").exists():
        PostgresServer(directory).stop()
    shutil.rmtree(directory, ignore_errors=True)


def _server_account() -> dict[str, Any]:
    """Keyword arguments for `subprocess` that leave root behind."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.fail("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _server_program(name: str) -> str:
    """The newest installed server's program of that name."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found:
        return found
    reason = f"PostgreSQL's server program {name} is not installed (Debian: apt-get install postgresql)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
