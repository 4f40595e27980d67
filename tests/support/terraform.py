"""Terraform with the AWS provider, from a mirror on this machine, against a server of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

PROVIDER = "registry.terraform.io/hashicorp/aws"
SERVICES = ("ec2", "ecr", "iam", "kms", "sts")
HEAD = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
variable "url" { type = string }
variable "secret_key" { type = string }
provider "aws" {
  region     = "%(region)s"
  access_key = "%(access_key)s"
  secret_key = var.secret_key
  skip_metadata_api_check = true
  endpoints {
    %(endpoints)s
  }
}
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

    def __init__(self, directory: Path, server: Server) -> None:
        program, mirror = shutil.which("terraform"), provider_mirror()
        if program is None or mirror is None:
            pytest.skip(f"terraform ({program}) with a mirror of {PROVIDER} ({mirror}) is not on this machine")
        directory.mkdir()
        config = directory / "terraform.rc"
        config.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
        self._directory, self._program, self.server = directory, program, server
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        self._environment = kept | {
            "TF_CLI_CONFIG_FILE": str(config),
            "TF_IN_AUTOMATION": "1",
            "TF_VAR_url": server.url,
            "TF_VAR_secret_key": SECRET_ACCESS_KEY,
            "CHECKPOINT_DISABLE": "1",
        }
        self.settings: dict[str, Any] = {}
        """Values of the configuration's variables."""

    def write(self, configuration: str) -> None:
        """Write resources, data sources and variables below the provider's own lines, and prepare the directory."""
        endpoints = "\n    ".join(f"{service} = var.url" for service in SERVICES)
        head = HEAD % {"region": REGION, "access_key": ACCESS_KEY_ID, "endpoints": endpoints}
        (self._directory / "main.tf").write_text(head + configuration)
        self._run("init", "-no-color", "-input=false")

    def apply(self) -> None:
        self._run("apply", "-no-color", "-input=false", "-auto-approve")

    def plan(self, *, changes: bool) -> None:
        """Plan; exit code 2 says that something would change."""
        self._run("plan", "-no-color", "-input=false", "-detailed-exitcode", expected=2 if changes else 0)

    def destroy(self) -> None:
        self._run("destroy", "-no-color", "-input=false", "-auto-approve")

    def output(self, name: str) -> str:
        """The text of an output."""
        return self._run("output", "-raw", name)

    def client(self, service: str) -> Any:
        """A client of boto3 as root of the account."""
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )

    def _run(self, *arguments: str, expected: int = 0) -> str:
        """Run terraform with the current settings; what it printed."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in self.settings.items()}
        variables = {f"TF_VAR_{name}": text for name, text in texts.items()}
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
