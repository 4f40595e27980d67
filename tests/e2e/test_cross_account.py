"""Docker across accounts: both sides must allow, and either side can end it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.server import PROGRAM, ROOT_ENVIRONMENT
from tests.support.world import ACCOUNTS, HOST, World, aws_program

DOCKER = "/usr/bin/docker"
STRANGER = ACCOUNTS[1]
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSH = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"]


class Neighbour:
    """A user of another account, whose docker is logged in to the home registry."""

    def __init__(self, world: World) -> None:
        self.world, self.directory = world, world.scratch()
        self.root = self._root_key()

    def aws(self, *arguments: str, key: dict[str, str]) -> Any:
        printed = self.world.do(aws_program(), *arguments, "--output", "json", env=key)
        return json.loads(printed) if printed.strip() else None

    def docker(self, *arguments: str) -> tuple[int, str]:
        done = self.world.run(DOCKER, "--config", self.directory, *arguments)
        return done.returncode, done.stdout + done.stderr

    def policy(self, *actions: str) -> None:
        """Let the user do these on everything, as far as its own account goes."""
        statement = {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", *actions], "Resource": "*"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        put = ("iam", "put-user-policy", "--user-name", "bob", "--policy-name", "own", "--policy-document", text)
        self.aws(*put, key=self.root)

    def login(self) -> None:
        self.aws("iam", "create-user", "--user-name", "bob", key=self.root)
        made = self.aws("iam", "create-access-key", "--user-name", "bob", key=self.root)["AccessKey"]
        self.policy()
        key = _environment(made["AccessKeyId"], made["SecretAccessKey"])
        password = self.world.do(aws_program(), "ecr", "get-login-password", env=key)
        login = ("--config", self.directory, "login", "--username", "AWS", "--password-stdin", HOST)
        self.world.do(DOCKER, *login, stdin=password)

    def _root_key(self) -> dict[str, str]:
        data = str(self.world.directory / "data")
        command = (PROGRAM, "admin", "account", "create", STRANGER, "--show", "--json", "--data-dir", data)
        made = json.loads(self.world.do(*command, env=ROOT_ENVIRONMENT))
        return _environment(made["accessKeyId"], made["secretAccessKey"])


def _environment(key_id: str, secret: str) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}


@pytest.fixture(scope="module")
def neighbour(world: World) -> Neighbour:
    made = Neighbour(world)
    made.login()
    return made


def allow(world: World, repository: str, *actions: str) -> None:
    """Let the other account do these to a repository."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{STRANGER}:root"}, "Action": list(actions)}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.aws("set-repository-policy", "--repository-name", repository, "--policy-text", text)


def test_push_and_pull_when_both_sides_allow(world: World, neighbour: Neighbour, images: ImageLayout) -> None:
    address = world.create("shared/app")
    world.login("skopeo", "login")
    world.push(images, "busybox", f"{address}:one")

    neighbour.policy(*PULL, *PUSH)
    assert_denied(neighbour.docker("pull", "--quiet", f"{address}:one"))
    allow(world, "shared/app", *PULL)
    code, printed = neighbour.docker("pull", "--quiet", f"{address}:one")
    assert code == 0, printed
    neighbour.docker("tag", f"{address}:one", f"{address}:two")
    assert_denied(neighbour.docker("push", "--quiet", f"{address}:two"))
    allow(world, "shared/app", *PULL, *PUSH)
    code, printed = neighbour.docker("push", "--quiet", f"{address}:two")
    assert code == 0, printed
    assert set(world.digests("shared/app")) == {"one", "two"}

    neighbour.policy(*PULL)
    assert_denied(neighbour.docker("push", "--quiet", f"{address}:two"))
    world.aws("delete-repository-policy", "--repository-name", "shared/app")
    assert_denied(neighbour.docker("pull", "--quiet", f"{address}:one"))


def test_repositories_without_a_policy_and_missing_ones_are_alike(world: World, neighbour: Neighbour) -> None:
    world.create("private/app")
    neighbour.policy(*PULL)
    there = neighbour.docker("pull", "--quiet", f"{HOST}/private/app:one")
    missing = neighbour.docker("pull", "--quiet", f"{HOST}/private/nix:one")

    assert_denied(there)
    assert there[1].replace("private/app", "private/nix") == missing[1]


def assert_denied(answer: tuple[int, str]) -> None:
    code, printed = answer
    assert code != 0
    assert f"arn:aws:iam::{STRANGER}:user/bob is not authorized to perform: ecr:" in printed, printed
