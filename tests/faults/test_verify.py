"""`entrepot verify` beside a running server under load, and killed in the middle of a repair."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.support.command import json_of, run_command, run_until_done
from tests.support.load import Load, loaded
from tests.support.poll import wait_until
from tests.support.registry_client import RegistryClient, digest_of
from tests.support.server import Server

ROUNDS = 3
LAYERS = [b"first" * 30_000, b"second" * 100]


def test_beside_a_server_under_load_nothing_is_reported(server: Server) -> None:
    with loaded(server) as load:
        for _ in range(ROUNDS):
            before = load.pushed
            said = json_of(run_command(server, "verify", "--digests", "--orphans", "--json"))
            assert said["findings"] == []
            wait_until(partial(_has_moved, load, before), what="more pushes")
    assert load.errors == []
    assert json_of(run_command(server, "verify", "--digests", "--json"))["images"] == len(load.kept)


def test_a_repair_that_is_killed_at_every_step_is_finished_by_the_next(sqlite_server: Server) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    client.push_image("faults", "v1", LAYERS)
    (path,) = [one for one in (sqlite_server.data_dir / "store/blobs").glob("??/*") if one.stat().st_size > 100_000]
    path.write_bytes(bytes(path.stat().st_size))
    done = run_command(sqlite_server, "verify", "--digests")
    assert done.returncode == 1
    assert "123456789012/us-east-1/faults:v1@" in done.stdout
    assert f"lost: {digest_of(LAYERS[0])}" in done.stdout

    kills = run_until_done(sqlite_server, "verify", "--digests", "--repair", "--orphans", stride=2)
    assert kills > 3, "the repair changes the disk in more steps"
    assert json_of(run_command(sqlite_server, "verify", "--digests", "--json"))["images"] == 0
    assert client.request("HEAD", f"/v2/faults/blobs/{digest_of(LAYERS[0])}").status == 404
    client.push_image("faults", "v1", LAYERS)
    assert json_of(run_command(sqlite_server, "verify", "--digests", "--json"))["images"] == 1
    assert client.request("GET", f"/v2/faults/blobs/{digest_of(LAYERS[0])}").expect(200).body == LAYERS[0]


def test_most_of_the_store_missing_is_no_reason_to_move_rows(sqlite_server: Server, tmp_path: Path) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    client.push_image("faults", "v1", [f"layer {number}".encode() for number in range(25)])
    store = sqlite_server.data_dir / "store"
    (store / "blobs").rename(store / "elsewhere")
    done = run_command(sqlite_server, "verify", "--repair")
    assert done.returncode == 2
    assert "is the disk of the blobs mounted" in done.stderr
    store.rename(tmp_path / "unmounted")
    assert run_command(sqlite_server, "verify", "--repair").returncode == 2
    assert not store.exists(), "a directory that is not there is not made"


def _has_moved(load: Load, before: int) -> bool:
    return load.pushed > before or bool(load.errors)
