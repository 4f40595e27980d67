"""Backup of a server under load, restored on either engine; both killed at every step; half of one is refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.faults.conftest import running
from tests.support.command import json_of, run_command, run_until_done
from tests.support.database import PostgresAddress
from tests.support.load import REPOSITORY, Load, loaded
from tests.support.poll import wait_until
from tests.support.registry_client import RegistryClient
from tests.support.server import Server


def record_of(target: Path) -> dict[str, object]:
    said: dict[str, object] = json.loads((target / "backup.json").read_bytes())
    return said


def restored(source: Path, tmp_path: Path, **environment: str) -> Server:
    """A server of the restored data directory, not started."""
    server = Server(tmp_path / "restored", tmp_path / "home2", environment=environment)
    said = json_of(run_command(server, "restore", source, "--digests", "--json"))
    assert said["findings"] == []
    return server


def test_a_backup_under_load_is_whole(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with loaded(server) as load:
        wait_until(lambda: load.kept or load.errors, what="an image")
        before = dict(load.kept)
        first = run_command(server, "backup", target, "--with-key")
        assert first.returncode == 0, first.stderr
        assert "master.key opens everything" in first.stderr
        between = dict(load.kept)
        wait_until(lambda: len(load.kept) > len(between) or load.errors, what="another image")
        second = run_command(server, "backup", target, "--with-key")
        assert second.returncode == 0, second.stderr
        assert " 0 there before" not in second.stdout, "what is there is not brought again"
    assert load.errors == []
    server.stop()
    copy = restored(target, tmp_path)
    copy.start()
    try:
        client = RegistryClient(copy)
        for tag, digest in {**before, **between}.items():
            answer = client.request("HEAD", f"/v2/{REPOSITORY}/manifests/{tag}").expect(200)
            assert answer.headers["docker-content-digest"] == digest
        client.push_image(REPOSITORY, "after", [b"the restore"])
    finally:
        copy.stop()
    assert run_command(copy, "verify", "--digests").returncode == 0


def test_a_registry_moves_from_sqlite_to_postgresql(
    sqlite_server: Server, postgres_address: PostgresAddress, postgres_server: object, tmp_path: Path
) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    digest = client.push_image("faults", "v1", [b"layer"])
    assert run_command(sqlite_server, "backup", tmp_path / "backup", "--with-key").returncode == 0
    copy = restored(tmp_path / "backup", tmp_path, ENTREPOT_DATABASE_URL=postgres_address.url)
    copy.start()
    try:
        moved = RegistryClient(copy)
        assert moved.request("HEAD", "/v2/faults/manifests/v1").headers["docker-content-digest"] == digest
        moved.push_image("faults", "v2", [b"ids go on"])
        moved.create("another")
    finally:
        copy.stop()
    again = run_command(
        Server(tmp_path / "third", tmp_path / "home3", environment=copy.environment), "restore", tmp_path / "backup"
    )
    assert again.returncode == 2
    assert "the PostgreSQL database is not empty" in again.stderr


def test_a_backup_that_is_killed_at_every_step_is_never_taken_for_whole(sqlite_server: Server, tmp_path: Path) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    client.push_image("faults", "v1", [b"one", b"two"])
    target = tmp_path / "backup"
    done = run_command(sqlite_server, "backup", target, "--with-key", dies_at=12)
    assert done.returncode < 0
    refused = run_command(Server(tmp_path / "new", tmp_path / "home2"), "restore", target)
    assert (refused.returncode, "no complete backup" in refused.stderr) == (2, True)
    kills = run_until_done(sqlite_server, "backup", target, "--with-key", first=13, stride=4)
    assert kills > 3
    assert record_of(target)["blobs"] == 3
    sqlite_server.stop()
    copy = restored(target, tmp_path)
    copy.start()
    RegistryClient(copy).request("GET", "/v2/faults/manifests/v1").expect(200)
    copy.close()


def test_a_restore_that_is_killed_at_every_step_goes_on(sqlite_server: Server, tmp_path: Path) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    client.push_image("faults", "v1", [b"one", b"two"])
    target = tmp_path / "backup"
    assert run_command(sqlite_server, "backup", target).returncode == 0
    key = tmp_path / "key"
    shutil.copy(sqlite_server.data_dir / "master.key", key)
    copy = Server(tmp_path / "restored", tmp_path / "home2")
    kills = run_until_done(copy, "restore", target, "--key-file", key, stride=3, is_done=is_restored)
    assert kills > 3
    assert json_of(run_command(copy, "verify", "--digests", "--json"))["images"] == 1
    copy.start()
    RegistryClient(copy).request("GET", "/v2/faults/manifests/v1").expect(200)
    copy.close()


def test_a_restore_that_was_cut_off_right_before_its_end_is_finished(backed_up: Path, tmp_path: Path) -> None:
    """But not where a server was started in between and made a database of its own."""
    copy, key = Server(tmp_path / "restored", tmp_path / "home2"), tmp_path / "data" / "master.key"
    assert run_command(copy, "restore", backed_up, "--key-file", key).returncode == 0
    mark = copy.data_dir / "restore.partial"
    mark.write_text(f"{backed_up}\n")
    assert run_command(copy, "restore", backed_up, "--key-file", key).returncode == 0
    assert not mark.exists()
    other = Server(tmp_path / "other", tmp_path / "home3")
    other.start()
    other.stop()
    (other.data_dir / "restore.partial").write_text(f"{backed_up}\n")
    refused = run_command(other, "restore", backed_up, "--key-file", key)
    assert (refused.returncode, "is not empty" in refused.stderr) == (2, True)


def is_restored(server: Server) -> bool:
    """Whether the directory is whole: killed after that, in the verification, there is nothing to go on with."""
    return (server.data_dir / "metadata.sqlite").exists() and not list(server.data_dir.glob("*restor*"))


@pytest.fixture
def backed_up(sqlite_server: Server, tmp_path: Path) -> Path:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    client.push_image("faults", "v1", [b"one"])
    assert run_command(sqlite_server, "backup", tmp_path / "backup").returncode == 0
    return tmp_path / "backup"


def test_what_cannot_be_restored_says_why(backed_up: Path, sqlite_server: Server, tmp_path: Path) -> None:
    copy = Server(tmp_path / "restored", tmp_path / "home2")
    assert not (backed_up / "master.key").exists()
    refused = run_command(copy, "restore", backed_up)
    assert (refused.returncode, "does not hold the master key" in refused.stderr) == (2, True)
    wrong = tmp_path / "wrong"
    wrong.write_text("00" * 32)
    refused = run_command(copy, "restore", backed_up, "--key-file", wrong)
    assert (refused.returncode, "does not open this backup" in refused.stderr) == (2, True)
    refused = run_command(sqlite_server, "restore", backed_up)
    assert refused.returncode == 2
    assert "another server" in refused.stderr
    (snapshot,) = backed_up.glob("metadata-*.sqlite")
    with snapshot.open("r+b") as file:
        file.truncate(5000)
    refused = run_command(copy, "restore", backed_up)
    assert (refused.returncode, "missing or damaged" in refused.stderr) == (2, True)


def test_a_directory_with_something_else_is_no_place_for_a_backup(sqlite_server: Server, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    refused = run_command(sqlite_server, "backup", tmp_path / "photos")
    assert (refused.returncode, "no backup" in refused.stderr) == (1, True)
    refused = run_command(sqlite_server, "backup", sqlite_server.data_dir / "backup")
    assert (refused.returncode, "inside each other" in refused.stderr) == (1, True)


def test_an_incremental_backup_drops_what_is_no_longer_there(backed_up: Path, sqlite_server: Server) -> None:
    stray = backed_up / "blobs" / "ab" / ("ab" * 16)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of an earlier backup")
    done = run_command(sqlite_server, "backup", backed_up, "--with-key")
    assert "1 no longer needed" in done.stdout
    assert len(list(backed_up.glob("metadata-*"))) == 1
    assert (backed_up / "master.key").stat().st_mode & 0o077 == 0
    run_command(sqlite_server, "backup", backed_up)
    assert not (backed_up / "master.key").exists(), "asked for without, it leaves"


def has_moved(load: Load, beyond: int) -> bool:
    return load.pushed > beyond or bool(load.errors)


EAGER = {"ENTREPOT_BLOB_PROMISE_SECONDS": "2", "ENTREPOT_COLLECTION_PERIOD_SECONDS": "1"}
"""A collector that takes at once whatever it may."""


def test_an_eager_collector_takes_nothing_from_a_backup(tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with running(Server(tmp_path / "data", tmp_path / "home", environment=EAGER)) as server:
        with loaded(server) as load:
            for turn in range(4):
                before = load.pushed
                wait_until(partial(has_moved, load, before + 3), what="pushes")
                done = run_command(server, "backup", target, "--with-key")
                assert done.returncode == 0, f"backup {turn}: {done.stderr}"
        assert load.errors == []
        said = json_of(run_command(server, "verify", "--digests", "--json"))
        assert said["findings"] == []
    restored(target, tmp_path)
