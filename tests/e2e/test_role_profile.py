"""The AWS CLI makes a role and works in it by a profile with `role_arn`, down to the password for docker."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ACCOUNT, AWS_ENVIRONMENT, REGION, Server
from tests.support.world import aws_program

ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/mia"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "42"}},
        }
    ],
}
PROFILES = """
[profile mia]
region = {region}
[profile deploy]
region = {region}
role_arn = {role}
source_profile = mia
external_id = 42
role_session_name = laptop
duration_seconds = 900
"""


class Shell:
    """The AWS CLI against one server, with a home of its own."""

    def __init__(self, home: Path, server: Server) -> None:
        self._home, self.server = home, server
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment = kept | {"HOME": str(home), "AWS_ENDPOINT_URL": server.url, "AWS_PAGER": ""}
        (home / ".aws").mkdir(parents=True)

    def run(self, *arguments: str, profile: str | None = None) -> subprocess.CompletedProcess[str]:
        """As root, or with a profile."""
        own = {"AWS_PROFILE": profile} if profile else AWS_ENVIRONMENT
        command = [str(aws_program()), *arguments, "--output", "json"]
        environment = self._environment | own
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def do(self, *arguments: str, profile: str | None = None) -> Any:
        result = self.run(*arguments, profile=profile)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout) if result.stdout.startswith("{") else result.stdout.strip()

    def write(self, name: str, text: str) -> None:
        (self._home / ".aws" / name).write_text(text)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    server = Server(tmp_path / "data", tmp_path / "home")
    server.start()
    try:
        yield Shell(tmp_path / "cli", server)
    finally:
        server.close()


def test_a_profile_with_a_role(shell: Shell) -> None:
    shell.do("iam", "create-user", "--user-name", "mia")
    key = shell.do("iam", "create-access-key", "--user-name", "mia")["AccessKey"]
    shell.do("iam", "create-role", "--role-name", "deploy", "--path", "/ci/", *_document("assume-role", TRUST))
    attached = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
    shell.do("iam", "attach-role-policy", "--role-name", "deploy", "--policy-arn", attached)
    shell.do("ecr", "create-repository", "--repository-name", "team/app")
    shell.write("config", PROFILES.format(region=REGION, role=ROLE))
    secrets = (f"aws_access_key_id = {key['AccessKeyId']}", f"aws_secret_access_key = {key['SecretAccessKey']}")
    shell.write("credentials", "\n".join(["[mia]", *secrets, ""]))

    who = shell.do("sts", "get-caller-identity", profile="deploy")
    password = shell.do("ecr", "get-login-password", profile="deploy")
    refused = shell.run("ecr", "delete-repository", "--repository-name", "team/app", profile="deploy")
    stranger = shell.run("ecr", "describe-repositories", profile="mia")

    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/laptop"
    assert _tags(shell.server, password) == {"name": "team/app", "tags": []}
    assert f"{who['Arn']} is not authorized to perform: ecr:DeleteRepository" in refused.stderr
    assert "AccessDeniedException" in stranger.stderr
    shown = shell.do("iam", "get-role", "--role-name", "deploy")["Role"]
    assert shown["AssumeRolePolicyDocument"] == TRUST


def _document(option: str, document: dict[str, Any]) -> tuple[str, str]:
    return f"--{option}-policy-document", json.dumps(document)


def _tags(server: Server, password: str) -> Any:
    """The list of tags, as whoever logs in with a password is told."""
    login = base64.b64encode(f"AWS:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", "/v2/team/app/tags/list", headers={"Authorization": f"Basic {login}"})
        return json.load(connection.getresponse())
    finally:
        connection.close()
