"""Robot tokens as docs/robot-tokens.md has them, then with docker, podman and skopeo: what they do not open."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.page import shell_script
from tests.support.server import ACCOUNT
from tests.support.world import API_HOST, HOST, World, aws_program

ROLE = f"arn:aws:iam::{ACCOUNT}:role/robots"
NAME = "nas-e2e"
CLIENTS = ["docker", "podman", "skopeo"]
OVER = re.compile(r"expired|unauthorized|authentication required|denied", re.IGNORECASE)


@dataclass
class Robots:
    """The operator of the page, and clients that have nothing but a password."""

    world: World
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "ENTREPOT_DATA_DIR": str(self.world.directory / "data"),
            "AWS_ENDPOINT_URL_ENTREPOT": f"https://{API_HOST}",
            "HOME": str(self.home),
        }

    def page(self) -> str:
        return self.world.do("bash", "-c", f"cd {self.home}\n{shell_script('robot-tokens.md')}", env=self.environment)

    def aws(self, *arguments: str) -> Any:
        """`aws entrepot …` with its JSON answer parsed."""
        printed = self.world.do(aws_program(), "entrepot", *arguments, "--output", "json", env=self.environment)
        return json.loads(printed)

    def create(self, name: str, *arguments: str) -> str:
        """A token of the page's role; its password."""
        given = ("--name", name, "--role-arn", ROLE, "--repositories", "robots/*", *arguments)
        password: str = self.aws("create-robot-token", *given)["password"]
        return password

    def delete(self, name: str) -> None:
        self.aws("delete-robot-token", "--name", name)


@pytest.fixture(scope="module")
def robots(world: World, images: ImageLayout) -> Robots:
    """The page was followed; there are images in a repository of the robots and in one of others."""
    made = Robots(world, world.scratch())
    (made.home / "printed").write_text(made.page())
    world.create("others/app")
    world.login("skopeo", "login")
    for repository in ("robots/app", "others/app"):
        world.push(images, "busybox", f"{HOST}/{repository}:busybox")
    return made


@dataclass
class Client:
    """docker, podman or skopeo with a password, and no other."""

    robots: Robots
    program: str
    directory: Path

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        config = {"DOCKER_CONFIG": str(self.directory), "REGISTRY_AUTH_FILE": str(self.directory / "auth.json")}
        done = self.robots.world.run(self.program, *arguments, stdin=stdin, env=config)
        return done.returncode, done.stdout + done.stderr

    def login(self, password: str, user: str = "AWS") -> tuple[int, str]:
        return self("login", "--username", user, "--password-stdin", HOST, stdin=password)

    def pull(self, repository: str) -> tuple[int, str]:
        image = f"{HOST}/{repository}:busybox"
        if self.program == "skopeo":
            return self("copy", "--quiet", f"docker://{image}", f"dir:{self.robots.world.scratch()}")
        self("image", "rm", "--force", image)
        return self("pull", "--quiet", image)

    def push(self, repository: str) -> tuple[int, str]:
        target = f"{HOST}/{repository}:pushed-by-{self.program}"
        if self.program == "skopeo":
            source = f"docker://{HOST}/robots/app:busybox"
            return self("copy", "--quiet", source, f"docker://{target}")
        self("tag", f"{HOST}/robots/app:busybox", target)
        return self("push", "--quiet", target)


@pytest.fixture
def client(request: pytest.FixtureRequest, robots: Robots) -> Client:
    return Client(robots, request.param, robots.world.scratch())


def test_the_page_shows_what_it_made(robots: Robots) -> None:
    printed = (robots.home / "printed").read_text()
    assert "nas-push" in printed
    assert '"status": "ACTIVE"' in printed
    assert "Allowed: " in printed
    assert "refused from the next request on" in printed
    password = (robots.home / "push.password").read_text().strip()
    assert re.fullmatch(r"entr_[A-Z2-7]{71}", password)
    assert password not in printed
    assert robots.aws("describe-robot-tokens")["robotTokens"] == []


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_token_that_may_pull_does_nothing_else_and_nothing_once_revoked(robots: Robots, client: Client) -> None:
    password = robots.create(NAME, "--actions", "PULL")
    assert client.login(password, NAME)[0] == 0
    code, said = client.pull("robots/app")
    assert code == 0, said
    for code, said in (client.push("robots/app"), client.pull("others/app"), client.push("others/app")):
        assert code != 0
        assert re.search(r"denied|not authorized|forbidden", said, re.IGNORECASE), said
    (used,) = robots.aws("describe-robot-tokens", "--names", NAME)["robotTokens"]
    assert used["status"] == "ACTIVE"
    robots.delete(NAME)
    code, said = client.pull("robots/app")
    assert code != 0
    assert OVER.search(said), said
    assert client.login(password, NAME)[0] != 0, "replayed after it was revoked"


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_token_that_may_push(robots: Robots, client: Client) -> None:
    assert client.login(robots.create(NAME, "--actions", "PUSH", "PULL"))[0] == 0
    assert client.pull("robots/app")[0] == 0
    code, said = client.push("robots/app")
    assert code == 0, said
    assert client.push("others/app")[0] != 0
    assert f"pushed-by-{client.program}" in robots.world.digests("robots/app")
    robots.delete(NAME)


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_another_address_is_denied(robots: Robots, client: Client) -> None:
    password = robots.create(NAME, "--actions", "PULL", "--addresses", "198.51.100.0/24")
    client.login(password)
    code, said = client.pull("robots/app")
    assert code != 0
    assert "no robot token scope allows" in said
    url = f"https://{HOST}/v2/robots/app/manifests/busybox"
    for header in ("X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7", "X-Real-IP: 198.51.100.7"):
        asked = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", f"AWS:{password}", "-H", header, url)
        assert robots.world.do(*asked) == "403", header
    robots.delete(NAME)


def test_the_apis_refuse_it(robots: Robots) -> None:
    password = robots.create(NAME, "--actions", "PULL")
    target = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"
    form = ("-H", "Content-Type: application/x-amz-json-1.1", "-H", target, "-d", "{}")
    said = robots.world.do("curl", "-s", "-u", f"AWS:{password}", *form, f"https://{API_HOST}/")
    assert json.loads(said)["__type"] == "IncompleteSignatureException"
    keys = {"AWS_ACCESS_KEY_ID": password[5:21], "AWS_SECRET_ACCESS_KEY": password}
    done = robots.world.run(aws_program(), "ecr", "describe-repositories", env=keys)
    assert done.returncode != 0
    assert "UnrecognizedClientException" in done.stderr
    robots.delete(NAME)


def test_boto3_knows_the_service_by_the_path_of_its_model(robots: Robots) -> None:
    """Without `aws configure add-model`: AWS_DATA_PATH is enough."""
    program = "import boto3; print(boto3.client('entrepot').describe_robot_tokens()['robotTokens'])"
    data = Path(__file__).parents[2] / "src" / "entrepot" / "transport" / "aws" / "entrepot" / "data"
    environment = robots.environment | {"HOME": str(robots.world.scratch()), "AWS_DATA_PATH": str(data)}
    python = aws_program().with_name("python")
    assert robots.world.do(python, "-c", program, env=environment).strip() == "[]"
