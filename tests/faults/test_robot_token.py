"""Robot tokens end with the next request on every worker, under load too, by API and by the operator's command."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.command import run_command
from tests.support.iam_rows import document
from tests.support.poll import wait_until
from tests.support.registry_client import RegistryClient, exchange
from tests.support.robot import ROLE, trust
from tests.support.server import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.support.two_workers import client_of
from tests.support.wire import basic

ROOT = {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}
IMAGE = "/v2/faults/manifests/v1"


@dataclass
class Robots:
    """A role for robots on a server with two workers, and a connection to each of them."""

    client: RegistryClient
    iam: Any
    own: Any
    role: str
    connections: tuple[http.client.HTTPConnection, ...]

    def create(self, name: str = "ci", **members: Any) -> str:
        """A token that may pull, unless `members` say otherwise; its password."""
        given = {"repositories": ["faults"], "actions": ["PULL"]} | members
        password: str = self.own.create_robot_token(name=name, roleArn=self.role, **given)["password"]
        return password

    def hear(self, password: str, method: str = "GET", path: str = IMAGE, **headers: str) -> set[int]:
        """What each worker answers."""
        sent = {"Authorization": basic(password), **headers}
        return {exchange(one, method, path, None, sent).status for one in self.connections}


@pytest.fixture
def robots(client: RegistryClient) -> Iterator[Robots]:
    client.push_image("faults", "v1", [b"layer"])
    iam, own = (client_of(client.server, service, ROOT) for service in ("iam", "entrepot"))
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=document("ecr:*"))
    with ExitStack() as stack:
        connections = tuple(client.connect(worker) for worker in client.server.worker_pids())
        for one in connections:
            stack.callback(one.close)
        yield Robots(client, iam, own, role, connections)


def test_what_ends_a_token_ends_it_on_every_worker(robots: Robots) -> None:
    password = robots.create()
    assert robots.hear(password) == {200}
    assert robots.hear(password, "POST", "/v2/faults/blobs/uploads/") == {403}
    robots.own.delete_robot_token(name="ci")
    assert robots.hear(password) == {401}
    again = robots.create()
    assert (robots.hear(again), robots.hear(password)) == ({200}, {401})
    machines = trust(Principal={"Service": "ec2.amazonaws.com"})
    robots.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=machines)
    assert robots.hear(again) == {401}
    robots.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust())
    assert robots.hear(again) == {200}
    robots.iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=document("ecr:PutImage"))
    assert robots.hear(again) == {403}
    robots.iam.delete_role_policy(RoleName=ROLE, PolicyName="own")
    robots.iam.delete_role(RoleName=ROLE)
    assert robots.hear(again) == {401}
    robots.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust())
    robots.iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=document("ecr:*"))
    assert robots.hear(again) == {401}, "a role of the same name is another role"


def test_the_operators_command_ends_it_beside_the_running_server(robots: Robots) -> None:
    password = robots.create()
    assert robots.hear(password) == {200}
    done = run_command(robots.client.server, "robot", "revoke", "ci")
    assert done.returncode == 0, done.stderr
    assert robots.hear(password) == {401}


def test_nobody_pulls_once_it_is_revoked(robots: Robots) -> None:
    """Clients of both workers pull all the time: after the answer to DeleteRobotToken none gets anything."""
    password = robots.create()
    is_revoked, late = threading.Event(), []
    count = [0]

    def pull(connection: http.client.HTTPConnection) -> None:
        while True:
            was_revoked = is_revoked.is_set()
            status = exchange(connection, "GET", IMAGE, None, {"Authorization": basic(password)}).status
            count[0] += 1
            if status != 200:
                late.append(status)
                return
            if was_revoked:
                late.append(status)

    pulling = [threading.Thread(target=pull, args=(one,)) for one in robots.connections]
    for one in pulling:
        one.start()
    wait_until(lambda: count[0] > 100, what="some pulls")
    robots.own.delete_robot_token(name="ci")
    is_revoked.set()
    for one in pulling:
        one.join(20)
        assert not one.is_alive()
    assert late == [401, 401]


def test_it_expires_by_the_clock(robots: Robots) -> None:
    password = robots.create(expiresAt=datetime.now(UTC) + timedelta(seconds=3))
    assert robots.hear(password) == {200}
    wait_until(lambda: robots.hear(password) == {401}, what="the end of the token")
    assert robots.own.describe_robot_tokens(names=["ci"])["robotTokens"][0]["status"] == "EXPIRED"


def test_an_address_is_that_of_the_peer(robots: Robots) -> None:
    """No proxy is trusted, so nobody can say to be somebody else."""
    password = robots.create(addresses=["192.0.2.0/24"])
    assert robots.hear(password) == {403}
    for header in ("X-Forwarded-For", "X-Real-IP"):
        assert robots.hear(password, **{header: "192.0.2.7"}) == {403}
    assert robots.hear(password, Forwarded="for=192.0.2.7") == {403}


def test_uses_are_there_after_the_server_has_ended(robots: Robots) -> None:
    password = robots.create()
    assert robots.hear(password) == {200}
    server = robots.client.server
    server.stop()
    server.start()
    (token,) = client_of(server, "entrepot", ROOT).describe_robot_tokens()["robotTokens"]
    assert token["lastUsedAddress"] == "127.0.0.1"
