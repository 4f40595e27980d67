"""RapidCart: the walk-through of docs/access.md as it stands there, then every team tries everything on both planes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.page import shell_script
from tests.support.server import REGION
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
    for name in REPOSITORIES:
        repository = ("--repository-name", f"rapidcart/{name}", "--region", REGION)
        read = company.aws(team, "ecr", "batch-get-image", *repository, "--image-ids", "imageTag=base")
        may_read = team == "reader" or name in (OWN[team], "base/python")
        assert (read[0] == 0) == may_read, read
        start = company.aws(team, "ecr", "initiate-layer-upload", *repository)
        assert (start[0] == 0) == (name == OWN[team]), start
        delete = company.aws(team, "ecr", "batch-delete-image", *repository, "--image-ids", "imageTag=base")
        for code, _, errors in (read, start, delete):
            assert code == 0 or "AccessDeniedException" in errors
        assert delete[0] != 0


@pytest.mark.parametrize("team", OWN)
def test_nobody_takes_a_role_or_right_that_is_not_theirs(company: Company, team: str) -> None:
    world = company.world
    account = HOST.partition(".")[0]
    for other in OWN:
        role = f"arn:aws:iam::{account}:role/rapidcart-{other}"
        taken = world.run(
            *_WITHOUT_KEY,
            aws_program(),
            "sts",
            "assume-role",
            "--role-arn",
            role,
            "--role-session-name",
            "x",
            env=company.environment(team) | {"AWS_PROFILE": f"rapidcart-{team}-key"},
        )
        assert (taken.returncode == 0) == (other == team), taken.stderr
        assert other == team or "AccessDenied" in taken.stderr
    for command in (
        ("iam", "list-users"),
        (
            "iam",
            "attach-role-policy",
            "--role-name",
            f"rapidcart-{team}",
            "--policy-arn",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        ("ecr", "create-repository", "--repository-name", "rapidcart/mine"),
        ("ecr", "set-repository-policy", "--repository-name", "rapidcart/base/python", "--policy-text", "{}"),
    ):
        code, _, errors = company.aws(team, *command)
        assert code != 0
        assert "AccessDenied" in errors


def test_a_change_holds_for_passwords_that_docker_has(company: Company) -> None:
    target = f"{HOST}/rapidcart/backend:base"
    assert company.docker("backend", "pull", "--quiet", target)[0] == 0
    detach = ("iam", "detach-role-policy", "--role-name", "rapidcart-backend", "--policy-arn")
    account = HOST.partition(".")[0]
    policy = f"arn:aws:iam::{account}:policy/rapidcart-team"
    company.world.do(aws_program(), *detach, policy)
    try:
        code, printed = company.docker("backend", "pull", "--quiet", target)
        assert code != 0
        assert "is not authorized" in printed
    finally:
        company.world.do(aws_program(), "iam", "attach-role-policy", *detach[2:], policy)
    assert company.docker("backend", "pull", "--quiet", target)[0] == 0
