"""Connections of a real server with two workers: even, and served whatever becomes of a worker."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

from tests.support.poll import wait_until
from tests.support.registry_client import RegistryClient
from tests.support.server import Server

PROMPT_SECONDS = 1.0
"""Much more than a worker leaves a connection to another."""


@pytest.fixture
def server(sqlite_server: Server) -> Server:
    """On SQLite: the engine has no part in it."""
    return sqlite_server


@pytest.fixture
def client(client: RegistryClient) -> RegistryClient:
    """Without the connection that boto3 keeps."""
    client.ecr.close()
    return client


def _shares(client: RegistryClient, connections: list[http.client.HTTPConnection]) -> Counter[int | None]:
    return Counter(client.worker_of(connection) for connection in connections)


def _has_connections(workers: list[int]) -> bool:
    return any(each.raddr for pid in workers for each in psutil.Process(pid).net_connections("tcp"))


def _ask(client: RegistryClient, connection: http.client.HTTPConnection) -> None:
    client.request("GET", "/v2/", connection=connection).expect(200)


def test_kept_connections_are_spread_evenly(server: Server, client: RegistryClient) -> None:
    workers = server.worker_pids()
    for _ in range(3):
        wait_until(lambda: not _has_connections(workers), what="the end of earlier connections")
        connections = [client.connect() for _ in range(8)]
        for connection in connections:
            _ask(client, connection)
        assert _shares(client, connections) == dict.fromkeys(workers, 4)
        for connection in connections:
            connection.close()


def test_a_worker_that_stands_still_keeps_no_connection_waiting(server: Server, client: RegistryClient) -> None:
    still, _ = server.worker_pids()
    os.kill(still, signal.SIGSTOP)
    try:
        for _ in range(4):
            began = time.monotonic()
            connection = client.connect()
            _ask(client, connection)
            assert time.monotonic() - began < PROMPT_SECONDS
            connection.close()
    finally:
        os.kill(still, signal.SIGCONT)


def test_a_worker_killed_while_connections_arrive_takes_only_those_that_it_had(
    server: Server, client: RegistryClient
) -> None:
    """Each request opens a connection; a client whose connection broke tries again, and nobody waits for long."""
    stop, slow, broken = threading.Event(), [], []

    def ask_on() -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                client.request("GET", "/v2/").expect(200)
            except (OSError, http.client.HTTPException) as error:
                broken.append(error)
            if time.monotonic() - began > PROMPT_SECONDS:
                slow.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            _kill_one(server, client)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not slow
    assert len(broken) <= 3 * len(threads)
    wait_until(lambda: not _has_connections(server.worker_pids()), what="the end of these connections")
    connections = [client.connect() for _ in range(8)]
    for connection in connections:
        _ask(client, connection)
    assert sorted(_shares(client, connections).values()) == [4, 4]
    for connection in connections:
        connection.close()


def _kill_one(server: Server, client: RegistryClient) -> None:
    """Kill a worker and wait until all accept again."""
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(set(server.worker_pids()) - {victim}) == server.workers, what="the successor")
    for worker in server.worker_pids():
        client.connect(worker).close()


def test_a_server_told_to_stop_ends_with_connections_open(server: Server, client: RegistryClient) -> None:
    connections = [client.connect() for _ in range(8)]
    for connection in connections:
        _ask(client, connection)
    assert server.stop() == 0
    for connection in connections:
        with suppress(ConnectionResetError):
            assert connection.sock.recv(1) == b""
        connection.close()
