"""The server as a family of processes: one per directory and port, drained, replaced, and gone when killed."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from tests.support.certificate import make_certificates
from tests.support.poll import wait_until
from tests.support.registry_client import RegistryClient, digest_of, with_digest
from tests.support.server import PROGRAM, ROOT_ENVIRONMENT, SECRET_ACCESS_KEY, Server, free_port

ENDS_WITHIN_SECONDS = 20


@pytest.fixture
def server(sqlite_server: Server) -> Server:
    """On SQLite: the engine has no part in it."""
    return sqlite_server


def _refused(server: Server, *options: str, env: Mapping[str, str] = {}) -> tuple[int, list[str]]:
    """Exit code and error lines of a server that cannot start beside `server`."""
    kept = {"HOME": str(server.home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [PROGRAM, "serve", *options],
        env=kept | ROOT_ENVIRONMENT | dict(env),
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_SECONDS,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


def _is_replaced(server: Server, gone: set[int]) -> list[int] | None:
    workers = server.worker_pids()
    return workers if len(workers) == server.workers and not gone & set(workers) else None


def test_the_output_tells_how_to_go_on_and_no_secret(server: Server) -> None:
    wait_until(lambda: "docker push" in server.log.read_text(), what="the lines to paste")
    text = server.log.read_text()
    assert re.search(r"^ready \d+\.\d\d s after its start", text, re.MULTILINE)
    assert f"docker login --username AWS --password-stdin 127.0.0.1:{server.port}" in text
    assert SECRET_ACCESS_KEY not in text
    assert f"endpoint_url = {server.url}" in (server.home / ".aws" / "config").read_text()
    assert SECRET_ACCESS_KEY in (server.home / ".aws" / "credentials").read_text()


def test_a_second_server_on_the_data_directory_is_refused(server: Server) -> None:
    code, lines = _refused(server, "--data-dir", str(server.data_dir), "--port", "0")
    assert server.process is not None
    assert (code, lines) == (
        1,
        [f"entrepot: another server (process {server.process.pid}) uses the data directory {server.data_dir}"],
    )


def test_a_second_server_on_the_port_is_refused(server: Server, tmp_path: Path) -> None:
    code, lines = _refused(server, "--data-dir", str(tmp_path / "other"), "--port", str(server.port))
    assert (code, lines) == (1, [f"entrepot: cannot listen on {server.url}: another program listens there already"])


def test_wrong_settings_are_named(server: Server, tmp_path: Path) -> None:
    code, lines = _refused(
        server,
        "--data-dir",
        str(tmp_path / "other"),
        "--workers",
        "none",
        env={"ENTREPOT_REGION": "x", "ENTREPOT_REGOIN": "y"},
    )
    assert code == 2
    assert [line.partition(":")[2].split()[0] for line in lines] == ["warning:", "workers", "region"]
    assert not (tmp_path / "other").exists()


def test_another_master_key_stops_the_start(server: Server) -> None:
    server.stop()
    code, lines = _refused(server, "--data-dir", str(server.data_dir), env={"ENTREPOT_MASTER_KEY": "00" * 32})
    assert code == 1
    assert len(lines) == 1
    assert "the master key does not open this database" in lines[0]


def test_a_lost_master_key_stops_the_start_and_is_not_made_anew(server: Server) -> None:
    server.stop()
    (server.data_dir / "master.key").unlink()
    code, lines = _refused(server, "--data-dir", str(server.data_dir))
    assert (code, len(lines)) == (1, 1)
    assert "put the right key back" in lines[0]
    assert not (server.data_dir / "master.key").exists()


def test_sigterm_lets_requests_finish_and_takes_no_more(server: Server, data: Callable[[int], bytes]) -> None:
    client = RegistryClient(server)
    client.create("drained")
    location = client.request("POST", "/v2/drained/blobs/uploads/", b"").expect(202).location
    idle, busy = client.connect(), client.connect()
    layer = data(200_000)
    busy.putrequest("PATCH", location)
    for name, value in {**client.headers, "Content-Length": str(len(layer))}.items():
        busy.putheader(name, value)
    busy.endheaders(layer[:100_000])
    client.request("GET", "/v2/drained/tags/list", connection=idle).expect(200)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: _is_closed(server.port), what="the end of accepting")
    assert idle.sock.recv(1) == b""  # an idle connection does not hold up the end
    busy.send(layer[100_000:])
    answer = busy.getresponse()
    assert answer.status == 202
    answer.read()
    idle.close()
    busy.close()
    assert server.process.wait(ENDS_WITHIN_SECONDS) == 0
    assert not (server.data_dir / "server.json").exists()
    server.start()
    client.request("PUT", with_digest(answer.headers["Location"], digest_of(layer)), b"").expect(201)


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_second_sigterm_ends_at_once(server: Server) -> None:
    client = RegistryClient(server)
    client.create("cut")
    location = client.request("POST", "/v2/cut/blobs/uploads/", b"").expect(202).location
    busy = client.connect()
    busy.putrequest("PATCH", location)
    for name, value in {**client.headers, "Content-Length": "1000"}.items():
        busy.putheader(name, value)
    busy.endheaders(b"x" * 10)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: _is_closed(server.port), what="the end of accepting")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(ENDS_WITHIN_SECONDS / 4)
    busy.close()


def _kill_one(server: Server) -> None:
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: _is_replaced(server, {victim}), what="the successor")


def test_killed_workers_are_replaced(server: Server) -> None:
    client = RegistryClient(server)
    for _ in range(3):
        _kill_one(server)
        for _ in range(20):
            client.request("GET", "/v2/").expect(200)  # also those that the dead worker's queue got


def test_sighup_replaces_the_workers_without_a_failed_request(server: Server) -> None:
    client = RegistryClient(server)
    before = set(server.worker_pids())
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    while not _is_replaced(server, before):
        client.request("GET", "/v2/").expect(200)
    assert server.stop() == 0


def test_a_killed_supervisor_leaves_nothing_behind(server: Server) -> None:
    family = server.processes()
    assert len(family) == 1 + server.workers
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(_is_alive(process) for process in family), what="the end of the workers")
    server.start()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_workers_that_cannot_start_end_the_server_with_their_error(server: Server) -> None:
    (server.data_dir / "master.key").write_text("00" * 32)
    assert server.process is not None
    for victim in server.worker_pids():
        os.kill(victim, signal.SIGKILL)
    assert server.process.wait(ENDS_WITHIN_SECONDS) == 1
    assert server.log.read_text().splitlines()[-1] == "entrepot: the master key does not open this database"


def test_tls_beside_plain_http(server: Server, tmp_path: Path) -> None:
    server.stop()
    made = make_certificates(tmp_path, ["127.0.0.1"])
    port = free_port()
    listen = f"http://127.0.0.1:{server.port},https://127.0.0.1:{port}"
    tls = {"ENTREPOT_TLS_CERTIFICATE": str(made.certificate), "ENTREPOT_TLS_KEY": str(made.key)}
    secure = _WithListeners(
        server.data_dir, server.home, environment={"ENTREPOT_LISTEN": listen, **tls}, port=server.port
    )
    try:
        secure.start()
        context = ssl.create_default_context(cafile=made.ca)
        context.set_alpn_protocols(["h2", "http/1.1"])
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        connection.request("GET", "/readyz")
        assert connection.getresponse().read() == b"ready\n"
        assert connection.sock.selected_alpn_protocol() == "http/1.1"
        connection.close()
    finally:
        secure.close()


class _WithListeners(Server):
    """Its listeners come from the environment."""

    def command(self) -> list[str]:
        return [str(PROGRAM), "serve", "--data-dir", str(self.data_dir), "--workers", "2"]
