"""Lambda, CodeBuild and ECS as docs/lambda.md has them: functions run, docker pulls, tasks get roles; others not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.page import shell_script
from tests.support.server import ACCOUNT, REGION
from tests.support.world import ACCOUNTS, HOST, World, aws_program

DOCKER = "/usr/bin/docker"
OTHER = ACCOUNTS[1]
HELLO = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello"
CLIENT = (sys.executable, "-m", "tests.e2e.clients.lambda_service")
SECTIONS = ("A key for Lambda", "A repository that Lambda may read")
NOBODYS_KEY = ("env", "-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY")


class Platform:
    """Runs functions, builds and tasks with the profiles that the page makes."""

    def __init__(self, world: World) -> None:
        self.world, self.home = world, world.scratch()

    def page(self, *sections: str) -> str:
        """Run the commands of sections of the page as the operator."""
        environment = {
            "PATH": f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "ENTREPOT_DATA_DIR": str(self.world.directory / "data"),
            "HOME": str(self.home),
        }
        account = f"account={ACCOUNT}\ncd {self.home}\n"
        return self.world.do("bash", "-c", account + shell_script("lambda.md", *sections), env=environment)

    def as_service(self, profile: str, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program with the key of a service and nobody else's."""
        return self.world.run(*NOBODYS_KEY, *command, env={"HOME": str(self.home), "AWS_PROFILE": profile})

    def invoke(self, function: str, tag: str, repository: str = "functions/hello") -> subprocess.CompletedProcess[str]:
        """Pull, unpack and run an image for a function."""
        return self.as_service("lambda", *CLIENT, function, repository, tag, self.world.scratch())


@pytest.fixture(scope="module")
def platform(world: World, images: ImageLayout) -> Platform:
    made = Platform(world)
    made.page(*SECTIONS)
    world.login("skopeo", "login")
    for name in ("python-app", "layers", "zstd", "multi"):
        world.push(images, name, f"{HOST}/functions/hello:{name}")
    world.push(images, "busybox", f"{HOST}/functions/hello:latest")
    return made


@pytest.mark.parametrize(
    ("tag", "printed"),
    [
        ("python-app", "python-app 2.19.1 2.10\n"),
        ("layers", "".join(f"layer-{number:02}\n" for number in range(1, 13))),
        ("zstd", "zstd\n"),
        ("multi", "amd64\n"),
    ],
)
def test_a_function_runs(platform: Platform, tag: str, printed: str) -> None:
    for function in (HELLO, f"{HELLO}:live"):
        done = platform.invoke(function, tag)
        assert (done.returncode, done.stdout) == (0, printed), done.stderr


@pytest.mark.parametrize(
    "function",
    [
        HELLO.replace(ACCOUNT, OTHER),
        HELLO.replace("hello", "other"),
        HELLO.replace(REGION, "eu-west-1"),
        HELLO.replace("hello", "*"),
        HELLO.replace("lambda", "ecs"),
    ],
)
def test_other_functions_do_not(platform: Platform, function: str) -> None:
    done = platform.invoke(function, "python-app")
    assert done.returncode != 0
    assert "AccessDenied" in done.stderr or "is not authorized" in done.stderr, done.stderr


def test_the_page_from_there_on(platform: Platform, images: ImageLayout) -> None:
    printed = platform.page("What the platform does")
    layers = images.manifest(images.tags()["busybox"]["digest"])["layers"]
    assert [line.split("?")[0].rpartition("/")[2] for line in printed.split()] == [one["digest"] for one in layers]
    told = platform.page("CodeBuild: docker pulls as a service", "ECS: the execution role of a task")
    assert "written to the AWS profile codebuild-web" in told
    told = platform.page("Look, ask why, revoke")
    assert f"lambda.amazonaws.com: ecr:BatchGetImage on arn:aws:ecr:{REGION}:{ACCOUNT}" in told
    assert "Allowed" in told


def test_docker_pulls_as_codebuild(platform: Platform, images: ImageLayout) -> None:
    world = platform.world
    world.push(images, "busybox", f"{HOST}/build/image:1")
    password = platform.as_service("codebuild-web", aws_program(), "ecr", "get-login-password").stdout
    config = world.scratch()
    docker = (DOCKER, "--config", config)
    world.do(*docker, "login", "--username", "AWS", "--password-stdin", HOST, stdin=password)
    world.do(*docker, "pull", "--quiet", f"{HOST}/build/image:1")
    for refused in ("functions/hello:latest", "build/image:missing"):
        done = world.run(*docker, "pull", "--quiet", f"{HOST}/{refused}")
        assert done.returncode != 0
    assert "not found" in done.stderr, "who may read hears what is missing"
    world.do(*docker, "tag", f"{HOST}/build/image:1", f"{HOST}/build/image:2")
    assert world.run(*docker, "push", "--quiet", f"{HOST}/build/image:2").returncode != 0


def test_a_task_pulls_with_its_execution_role(platform: Platform) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/task-execution"
    assume = ("sts", "assume-role", "--role-arn", role, "--role-session-name", "task", "--output", "json")
    done = platform.as_service("ecs-main", aws_program(), *assume)
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)["Credentials"]
    session = {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }
    images = ("ecr", "batch-get-image", "--repository-name", "functions/hello", "--image-ids", "imageTag=latest")
    assert json.loads(platform.world.do(aws_program(), *images, "--output", "json", env=session))["images"]
    refused = platform.as_service("codebuild-web", aws_program(), *assume)
    assert "AccessDenied" in refused.stderr
