"""RapidCart: the walk-through of docs/access.md as it stands there, then every team tries everything on both planes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.page import shell_script
from tests.support.server import ACCOUNT
from tests.support.world import HOST, World, aws_program

DOCKER = "/usr/bin/docker"
OWN = {
    "backend": "backend",
    "frontend": "frontend",
    "ml": "model-server",
    "data": "batch-processor",
    "infra": "base/python",
    "reader": None,
}
"""Team → the repository that it pushes to."""
_WITHOUT_KEY = ("env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY")
"""The profile decides, not the world's root key."""
REPOSITORIES = [name for name in OWN.values() if name]


class Company:
    """The teams, each with its profile and its docker."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world, self.directory = world, directory

    def environment(self, team: str) -> dict[str, str]:
        """What a member of a team has: the team's profile, and nobody's key."""
        return {"HOME": str(self.directory), "AWS_PROFILE": f"rapidcart-{team}"}

    def codes(self, profile: str, calls: Sequence[tuple[str, str, dict[str, Any]]]) -> list[str]:
        """What boto3 hears of each call with a profile: nothing, or the code of an error."""
        program = Path(__file__).parent / "clients" / "api_calls.py"
        environment = {"HOME": str(self.directory), "AWS_PROFILE": profile}
        command = (*_WITHOUT_KEY, sys.executable, program)
        codes: list[str] = json.loads(self.world.do(*command, env=environment, stdin=json.dumps(calls)))
        return codes

    def aws(self, team: str, *arguments: str) -> tuple[int, str, str]:
        """`aws …` of a member of a team: exit code, output, errors."""
        inside = self.world.run(
            "env",
            "-u",
            "AWS_ACCESS_KEY_ID",
            "-u",
            "AWS_SECRET_ACCESS_KEY",
            "-u",
            "AWS_SESSION_TOKEN",
            aws_program(),
            *arguments,
            "--output",
            "json",
            env=self.environment(team),
        )
        return inside.returncode, inside.stdout, inside.stderr

    def docker(self, team: str, *arguments: str) -> tuple[int, str]:
        """`docker …` of a member of a team: exit code, all that it printed."""
        done = self.world.run(DOCKER, "--config", self.directory / f"docker-{team}", *arguments)
        return done.returncode, done.stdout + done.stderr

    def login(self, team: str) -> None:
        code, printed, errors = self.aws(team, "ecr", "get-authorization-token")
        assert code == 0, errors
        token = json.loads(printed)["authorizationData"][0]["authorizationToken"]
        place = self.directory / f"docker-{team}"
        place.mkdir(exist_ok=True)
        (place / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": token}}}))


@pytest.fixture(scope="module")
def company(world: World, images: ImageLayout) -> Company:
    """The walk-through is done, every team has logged docker in, and an image is in every repository."""
    made = Company(world, world.scratch())
    bin_directories = f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    script = f"cd {made.directory}\n{shell_script('access.md')}"
    world.do("bash", "-c", script, env={"HOME": str(made.directory), "PATH": bin_directories})
    for team, name in OWN.items():
        made.login(team)
        if name:
            auth = {"REGISTRY_AUTH_FILE": str(made.directory / f"docker-{team}" / "config.json")}
            world.push(images, "busybox", f"{HOST}/rapidcart/{name}:base", env=auth)
    return made


@pytest.mark.parametrize("team", OWN)
def test_a_member_is_the_session_of_a_role(company: Company, team: str) -> None:
    code, printed, errors = company.aws(team, "sts", "get-caller-identity")
    assert code == 0, errors
    assert f":assumed-role/rapidcart-{team}/" in json.loads(printed)["Arn"]


@pytest.mark.parametrize("team", OWN)
def test_docker_push_goes_to_the_own_repository_only(company: Company, team: str) -> None:
    source = f"{HOST}/rapidcart/base/python:base"
    assert company.docker("infra", "pull", "--quiet", source)[0] == 0
    for name in REPOSITORIES:
        target = f"{HOST}/rapidcart/{name}:by-{team}"
        assert company.docker(team, "tag", source, target)[0] == 0
        code, printed = company.docker(team, "push", target)
        if name == OWN[team]:
            assert code == 0, printed
        else:
            assert code != 0
            assert "is not authorized to perform: ecr:" in printed, printed
            assert f"repository/rapidcart/{name}" in printed
    everything = company.world.digests("rapidcart/base/python")
    assert (f"by-{team}" in everything) == (team == "infra")


@pytest.mark.parametrize("team", OWN)
def test_docker_pull_of_the_own_and_of_the_base_only(company: Company, team: str) -> None:
    for name in REPOSITORIES:
        code, printed = company.docker(team, "pull", "--quiet", f"{HOST}/rapidcart/{name}:base")
        may = team == "reader" or name in (OWN[team], "base/python")
        assert (code == 0) == may, printed
        assert may or "is not authorized to perform: ecr:BatchGetImage" in printed


@pytest.mark.parametrize("team", OWN)
def test_the_api_says_the_same(company: Company, team: str) -> None:
    asked = [
        ("ecr", operation, {"repositoryName": f"rapidcart/{name}", **more})
        for name in REPOSITORIES
        for operation, more in (
            ("batch_get_image", {"imageIds": [{"imageTag": "base"}]}),
            ("initiate_layer_upload", {}),
            ("batch_delete_image", {"imageIds": [{"imageTag": "base"}]}),
        )
    ]
    answers = company.codes(f"rapidcart-{team}", asked)
    for name in REPOSITORIES:
        may_read = team == "reader" or name in (OWN[team], "base/python")
        expected = [may_read, name == OWN[team], False]
        assert [answers.pop(0) for _ in expected] == ["" if may else "AccessDeniedException" for may in expected]


@pytest.mark.parametrize("team", OWN)
def test_nobody_takes_a_role_or_right_that_is_not_theirs(company: Company, team: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/rapidcart-"
    assume = [("sts", "assume_role", {"RoleArn": role + other, "RoleSessionName": "try"}) for other in OWN]
    taken = company.codes(f"rapidcart-{team}-key", assume)
    assert taken == ["" if other == team else "AccessDenied" for other in OWN]

    administrator = {"RoleName": f"rapidcart-{team}", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    policy = {"repositoryName": "rapidcart/base/python", "policyText": "{}"}
    asked = [
        ("iam", "list_users", {}),
        ("iam", "attach_role_policy", administrator),
        ("ecr", "create_repository", {"repositoryName": "rapidcart/mine"}),
        ("ecr", "set_repository_policy", policy),
    ]
    denied = ["AccessDenied", "AccessDenied", "AccessDeniedException", "AccessDeniedException"]
    assert company.codes(f"rapidcart-{team}", asked) == denied


def test_a_change_holds_for_passwords_that_docker_has(company: Company) -> None:
    target = f"{HOST}/rapidcart/backend:base"
    assert company.docker("backend", "pull", "--quiet", target)[0] == 0
    detach = ("iam", "detach-role-policy", "--role-name", "rapidcart-backend", "--policy-arn")
    policy = f"arn:aws:iam::{ACCOUNT}:policy/rapidcart-team"
    company.world.do(aws_program(), *detach, policy)
    try:
        code, printed = company.docker("backend", "pull", "--quiet", target)
        assert code != 0
        assert "is not authorized" in printed
    finally:
        company.world.do(aws_program(), "iam", "attach-role-policy", *detach[2:], policy)
    assert company.docker("backend", "pull", "--quiet", target)[0] == 0
