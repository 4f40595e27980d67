"""`entrepot keys rotate` beside a server under load, and killed at every step: the server runs on, and starts again."""

from __future__ import annotations

from tests.support.command import json_of, run_command, run_until_done
from tests.support.load import loaded
from tests.support.poll import wait_until
from tests.support.registry_client import RegistryClient
from tests.support.server import Server


def test_a_running_server_goes_on(server: Server) -> None:
    before = (server.data_dir / "master.key").read_bytes()
    with loaded(server) as load:
        done = run_command(server, "keys", "rotate")
        assert done.returncode == 0, done.stderr
        assert "sealed with a new master key" in done.stdout
        pushed = load.pushed
        wait_until(lambda: load.pushed > pushed + 2 or load.errors, what="pushes after the rotation")
    assert load.errors == []
    assert (server.data_dir / "master.key").read_bytes() != before
    assert (server.data_dir / "master.key.old").read_bytes() == before
    for worker in server.worker_pids():
        RegistryClient(server).request("GET", "/v2/", worker=worker).expect(200)
    server.stop()
    server.start()
    RegistryClient(server).create("after")
    assert json_of(run_command(server, "verify", "--digests", "--json"))["findings"] == []


def test_killed_at_every_step_it_leaves_a_server_that_runs_and_starts(sqlite_server: Server) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    client.push_image("faults", "v1", [b"layer"])
    for step in range(0, 40, 3):
        done = run_command(sqlite_server, "keys", "rotate", dies_at=step)
        RegistryClient(sqlite_server).push_image("faults", f"step-{step}", [f"layer {step}".encode()])
        if step % 2:
            sqlite_server.kill()
            sqlite_server.start()
            RegistryClient(sqlite_server).request("GET", "/v2/faults/manifests/v1").expect(200)
        if done.returncode == 0:
            break
    else:
        raise AssertionError("the rotation never came to its end")
    assert step > 10
    assert run_until_done(sqlite_server, "keys", "rotate", first=1000) == 0
    assert json_of(run_command(sqlite_server, "verify", "--digests", "--json"))["findings"] == []


def test_signing_keys_are_rotated_without_anybody_noticing(sqlite_server: Server) -> None:
    client = RegistryClient(sqlite_server)
    client.create("faults")
    assert "sign from" in run_command(sqlite_server, "keys", "rotate", "--signing").stdout
    client.push_image("faults", "v1", [b"layer"])
    again = run_command(sqlite_server, "keys", "rotate", "--signing")
    assert (again.returncode, "is not over" in again.stderr) == (1, True)
    sqlite_server.stop()
    sqlite_server.start()
    client.request("GET", "/v2/faults/manifests/v1").expect(200)
