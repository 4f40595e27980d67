"""`entrepot agent` and ECS: docs/ecs.md as it stands there, then a task's programs, with and without rights."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.page import shell_script
from tests.support.poll import wait_until
from tests.support.server import ACCOUNT, PROGRAM
from tests.support.world import HOST, World, aws_program

ROLE = f"arn:aws:iam::{ACCOUNT}:role/ecsTaskExecutionRole"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
PUSHER = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
URL = "http://127.0.0.1:4790/credentials"
_OTHERS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_WITHOUT: tuple[str, ...] = ("env", *(word for name in _OTHERS for word in ("-u", name)))


class Task:
    """A machine with an agent, and programs that have nothing but its address and token."""

    def __init__(self, world: World, directory: Path, printed: str) -> None:
        self.world, self.directory, self.printed = world, directory, printed

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": URL,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.directory / "second-token"),
        }

    def aws(self, *arguments: str, **more: str) -> tuple[int, str]:
        """Exit code, and what `aws` printed or complained of."""
        done = self.world.run(*_WITHOUT, aws_program(), *arguments, env=self.environment | more)
        return done.returncode, done.stdout + done.stderr

    def use_image(self, source: str, target: str) -> Any:
        program = Path(__file__).parent / "clients" / "task_image.py"
        command: tuple[str | Path, ...] = (*_WITHOUT, sys.executable, program, ACCOUNT, source, target)
        return json.loads(self.world.do(*command, env=self.environment))

    def curl(self, *arguments: str) -> tuple[str, Any]:
        """Status and JSON; the token is the right one unless a test sends another."""
        token = f"Authorization: {(self.directory / 'second-token').read_text()}"
        given = arguments if any("Authorization" in word for word in arguments) else (*arguments, "-H", token)
        text, _, status = self.world.do("curl", "-s", "-w", "\n%{http_code}", *given).rpartition("\n")
        return status, json.loads(text or "null")


@pytest.fixture(scope="module")
def task(world: World, images: ImageLayout) -> Iterator[Task]:
    """The page was followed; then a second agent is there, on another port."""
    directory = world.scratch()
    path = f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    script = f"cd {directory}\n{shell_script('ecs.md')}\nkill $agent\nwait $agent\n[ ! -e token ]\n"
    printed = world.do("bash", "-c", script, env={"HOME": str(directory), "PATH": path})
    token = directory / "second-token"
    options = ("--role-arn", ROLE, "--profile", "docker-host", "--listen", "127.0.0.1:4790", "--token-file", token)
    environment = {**world.environment, "HOME": str(directory)}
    agent = world.namespace.start([PROGRAM, "agent", *options], env=environment, log=directory / "second.log")
    wait_until(token.exists, what="the agent's token")
    yield Task(world, directory, printed)
    world.namespace.terminate(agent)
    assert (agent.returncode, token.exists()) == (0, False)


def test_the_page_ends_with_the_roles_identity_and_a_pulled_image(task: Task) -> None:
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/ecsTaskExecutionRole/entrepot-agent" in task.printed
    assert task.printed.strip().splitlines()[-1].startswith("sha256:")


def test_the_execution_role_pulls_and_does_not_push(task: Task) -> None:
    said = task.use_image(f"{HOST}/ecs/app:1", f"{HOST}/ecs/app:2")
    assert said["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/ecsTaskExecutionRole/entrepot-agent"
    assert (said["user"], said["proxyEndpoint"]) == ("AWS", f"https://{HOST}")
    assert said["answer"] == [
        ["ResponseMetadata", "authorizationData"],
        ["authorizationToken", "expiresAt", "proxyEndpoint"],
    ]
    assert said["pulled"] == [f"{HOST}/ecs/app@{task.world.digests('ecs/app')['1']}"]
    (refused,) = said["pushed"]
    assert "is not authorized to perform: ecr:PutImage" in refused


def test_rights_given_and_taken_hold_for_the_same_credentials(task: Task) -> None:
    root, on = (aws_program(), "iam"), ("--role-name", "ecsTaskExecutionRole", "--policy-arn")
    task.world.do(*root, "attach-role-policy", *on, PUSHER)
    said = task.use_image(f"{HOST}/ecs/app:1", f"{HOST}/ecs/app:2")
    assert said["pushed"] == [task.world.digests("ecs/app")["2"]]
    task.world.do(*root, "detach-role-policy", *on, PUSHER)

    task.world.do(*root, "detach-role-policy", *on, POLICY)
    try:
        assert "is not authorized to perform: ecr:GetAuthorizationToken" in task.aws("ecr", "get-login-password")[1]
        inline = {"Version": "2012-10-17", "Statement": [_allow("ecr:GetAuthorizationToken")]}
        put = ("put-role-policy", "--role-name", "ecsTaskExecutionRole", "--policy-name", "login")
        task.world.do(*root, *put, "--policy-document", json.dumps(inline))
        denied = task.use_image(f"{HOST}/ecs/app:1", f"{HOST}/ecs/app:3")["denied"]
        assert "is not authorized to perform: ecr:BatchGetImage" in denied
    finally:
        task.world.do(*root, "attach-role-policy", *on, POLICY)
    assert task.use_image(f"{HOST}/ecs/app:1", f"{HOST}/ecs/app:3")["pulled"]


def test_the_token_as_a_variable(task: Task) -> None:
    file = Path(task.environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    unset = ("env", "-u", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    environment = task.environment | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": file.read_text()}
    command: tuple[str | Path, ...] = (*_WITHOUT, *unset, aws_program(), "sts", "get-caller-identity")
    assert "ecsTaskExecutionRole" in task.world.do(*command, env=environment)


def test_another_name_that_leads_here_gets_nothing(task: Task) -> None:
    status, answer = task.curl(
        "--resolve", "rebound.example:4790:127.0.0.1", URL.replace("127.0.0.1", "rebound.example")
    )
    assert (status, answer["code"]) == ("403", "AccessDenied")
    assert task.curl(URL)[0] == "200"


def test_only_the_token_and_get_are_answered(task: Task) -> None:
    assert task.curl("-H", "Authorization: wrong", URL)[0] == "403"
    assert task.curl("-H", "Authorization;", URL)[0] == "403"
    assert task.curl("-X", "POST", URL)[0] == "405"
    assert task.curl("-H", "Origin: http://127.0.0.1:4790", URL)[0] == "403"
    wrong = task.aws("sts", "get-caller-identity", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="/dev/null")
    assert wrong[0] != 0
    assert "AccessDenied" in wrong[1]


def test_nobody_else_on_the_network_reaches_it(task: Task) -> None:
    assert task.world.run("curl", "-s", "http://192.0.2.10:4790/credentials").returncode != 0


def _allow(action: str) -> dict[str, str]:
    return {"Effect": "Allow", "Action": action, "Resource": "*"}
