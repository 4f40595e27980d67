"""Anonymous pull opened and closed beside a running server: every worker heeds it with its next request."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import running
from tests.support.command import run_command
from tests.support.database import PostgresAddress
from tests.support.registry_client import RegistryClient, exchange
from tests.support.server import ACCOUNT, REGION, Server

HOST = "public.example"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/faults"


@pytest.fixture(params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegistryClient]:
    """A server with a Bearer host, and an image in `faults`."""
    environment = {"ENTREPOT_BEARER_HOSTS": HOST}
    if request.param == "postgresql":
        address: PostgresAddress = request.getfixturevalue("postgres_address")
        environment["ENTREPOT_DATABASE_URL"] = address.url
    with running(Server(tmp_path / "data", tmp_path / "home", environment=environment)) as server:
        made = RegistryClient(server)
        made.create("faults")
        made.push_image("faults", "v1", [b"layer"])
        yield made


def pull(connection: http.client.HTTPConnection) -> int:
    """The status of a manifest's GET with a new token of nobody, both from one worker."""
    token = json.loads(exchange(connection, "GET", "/token/", None, {"Host": HOST}).body)["token"]
    headers = {"Host": HOST, "Authorization": f"Bearer {token}"}
    return exchange(connection, "GET", "/v2/faults/manifests/v1", None, headers).status


def test_every_worker_heeds_it_at_once(client: RegistryClient) -> None:
    with contextlib.ExitStack() as stack:
        workers = [client.connect(pid) for pid in client.server.worker_pids()]
        for one in workers:
            stack.callback(one.close)
        assert [pull(one) for one in workers] == [401, 401]
        for _ in range(2):
            assert run_command(client.server, "admin", "anonymous-pull", "allow", ARN).returncode == 0
            assert [pull(one) for one in workers * 2] == [200] * 4
            assert run_command(client.server, "admin", "anonymous-pull", "deny", ARN).returncode == 0
            assert [pull(one) for one in workers] == [401, 401]


def test_tokens_of_one_worker_hold_at_the_other(client: RegistryClient) -> None:
    assert run_command(client.server, "admin", "anonymous-pull", "allow", ARN).returncode == 0
    with contextlib.ExitStack() as stack:
        first, second = (client.connect(pid) for pid in client.server.worker_pids())
        stack.callback(first.close)
        stack.callback(second.close)
        token = json.loads(exchange(first, "GET", "/token/", None, {"Host": HOST}).body)["token"]
        headers = {"Host": HOST, "Authorization": f"Bearer {token}"}
        assert exchange(second, "GET", "/v2/faults/manifests/v1", None, headers).status == 200
