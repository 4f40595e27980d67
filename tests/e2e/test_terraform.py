"""Terraform with the AWS provider: apply, a plan with nothing to do, change, destroy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

PROVIDER = "registry.terraform.io/hashicorp/aws"
MAIN = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
variable "url" { type = string }
variable "secret_key" { type = string }
variable "mutability" { type = string }
variable "scan" { type = bool }
variable "tags" { type = map(string) }
provider "aws" {
  region     = "%(region)s"
  access_key = "%(access_key)s"
  secret_key = var.secret_key
  skip_metadata_api_check = true
  endpoints {
    ecr = var.url
    sts = var.url
  }
}
resource "aws_ecr_repository" "app" {
  name                 = "terraform/app"
  image_tag_mutability = var.mutability
  image_scanning_configuration { scan_on_push = var.scan }
  encryption_configuration { encryption_type = "AES256" }
  tags = var.tags
}
data "aws_ecr_repository" "app" {
  name       = aws_ecr_repository.app.name
  depends_on = [aws_ecr_repository.app]
}
output "url" { value = data.aws_ecr_repository.app.repository_url }
"""


def provider_mirror() -> Path | None:
    """A directory with unpacked providers: Terraform's own places, a named one, or one under /opt."""
    named = os.environ.get("ENTREPOT_TEST_TERRAFORM_PLUGINS")
    places = [Path(named)] if named else []
    places += [Path.home() / ".terraform.d/plugins", Path.home() / ".local/share/terraform/plugins"]
    places += [Path("/usr/local/share/terraform/plugins"), Path("/usr/share/terraform/plugins")]
    places += sorted(Path("/opt").glob("*"))
    return next((place for place in places if (place / PROVIDER).is_dir()), None)


class Terraform:
    """One working directory."""

    def __init__(self, directory: Path, program: str, mirror: Path, url: str) -> None:
        self._directory, self._program = directory, program
        config = directory / "terraform.rc"
        config.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
        (directory / "main.tf").write_text(MAIN % {"region": REGION, "access_key": ACCESS_KEY_ID})
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        self._environment = kept | {
            "TF_CLI_CONFIG_FILE": str(config),
            "TF_IN_AUTOMATION": "1",
            "TF_VAR_url": url,
            "TF_VAR_secret_key": SECRET_ACCESS_KEY,
            "CHECKPOINT_DISABLE": "1",
        }
        self.settings: dict[str, Any] = {}
        self.run("init", "-no-color", "-input=false")

    def run(self, *arguments: str, expected: int = 0) -> str:
        """Run terraform with the current settings; what it printed."""
        variables = {f"TF_VAR_{name}": json.dumps(value) for name, value in self.settings.items()}
        variables["TF_VAR_mutability"] = self.settings.get("mutability", "")
        result = subprocess.run(
            [self._program, *arguments],
            cwd=self._directory,
            env=self._environment | variables,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert result.returncode == expected, result.stdout + result.stderr
        return result.stdout

    def apply(self) -> None:
        self.run("apply", "-no-color", "-input=false", "-auto-approve")

    def plan(self, *, changes: bool) -> None:
        """Plan; exit code 2 says that something would change."""
        self.run("plan", "-no-color", "-input=false", "-detailed-exitcode", expected=2 if changes else 0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server over plain HTTP on a loopback port."""
    server = Server(tmp_path / "data", tmp_path / "home")
    server.start()
    yield server
    server.close()


@pytest.fixture
def terraform(tmp_path: Path, server: Server) -> Terraform:
    """An initialised working directory."""
    program, mirror = shutil.which("terraform"), provider_mirror()
    if program is None or mirror is None:
        pytest.skip(f"terraform ({program}) with a mirror of {PROVIDER} ({mirror}) is not on this machine")
    directory = tmp_path / "terraform"
    directory.mkdir()
    return Terraform(directory, program, mirror, server.url)


def test_the_life_of_a_repository(terraform: Terraform, server: Server) -> None:
    ecr = boto3.client(
        "ecr",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )
    terraform.settings = {"mutability": "IMMUTABLE", "scan": True, "tags": {"team": "one", "env": "test"}}
    terraform.apply()
    (made,) = ecr.describe_repositories()["repositories"]
    assert (made["repositoryName"], made["imageTagMutability"]) == ("terraform/app", "IMMUTABLE")
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert terraform.run("output", "-raw", "url") == made["repositoryUri"]
    terraform.plan(changes=False)

    terraform.settings = {"mutability": "MUTABLE", "scan": False, "tags": {"team": "two", "cost": "7"}}
    terraform.plan(changes=True)
    terraform.apply()
    (changed,) = ecr.describe_repositories()["repositories"]
    assert changed["imageTagMutability"] == "MUTABLE"
    assert changed["imageScanningConfiguration"] == {"scanOnPush": False}
    tags = ecr.list_tags_for_resource(resourceArn=changed["repositoryArn"])["tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "two", "cost": "7"}
    terraform.plan(changes=False)

    terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")
    assert ecr.describe_repositories()["repositories"] == []
