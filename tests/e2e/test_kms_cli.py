"""The AWS CLI and KMS by the profile that the server writes: keys, secrets in files, data keys and grants."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ACCOUNT, Server
from tests.support.world import aws_program

PROFILE = "entrepot"
CONTEXT = ("--encryption-context", "app=shop,stage=prod")


class Shell:
    """The CLI in the home of who started the server, with nothing but the profile."""

    def __init__(self, server: Server) -> None:
        self.home = server.home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ENTREPOT_"))}
        self._environment = kept | {"HOME": str(server.home)}

    def run(self, operation: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An operation of KMS."""
        command = [str(aws_program()), "--profile", PROFILE, "kms", operation, *arguments, "--output", "json"]
        environment = self._environment
        return subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def do(self, operation: str, *arguments: str) -> dict[str, Any]:
        """What it prints, read."""
        result = self.run(operation, *arguments)
        assert result.returncode == 0, result.stderr
        printed: dict[str, Any] = json.loads(result.stdout or "{}")
        return printed

    def refused(self, operation: str, *arguments: str) -> str:
        """What it prints of an error."""
        result = self.run(operation, *arguments)
        assert result.returncode != 0, result.stdout
        return result.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    server = Server(tmp_path / "data", tmp_path / "home")
    server.start()
    try:
        yield Shell(server)
    finally:
        server.close()


def test_a_secret_from_a_file_and_back(shell: Shell) -> None:
    key = shell.do("create-key", "--description", "secrets of the shop", "--tags", "TagKey=team,TagValue=web")
    key_id = key["KeyMetadata"]["KeyId"]
    shell.do("create-alias", "--alias-name", "alias/shop", "--target-key-id", key_id)
    (shell.home / "secret").write_bytes(b"order 7\x00\xff")
    sealed = shell.do("encrypt", "--key-id", "alias/shop", "--plaintext", "fileb://secret", *CONTEXT)
    (shell.home / "sealed").write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
    opened = ("decrypt", "--ciphertext-blob", "fileb://sealed")

    assert base64.b64decode(shell.do(*opened, *CONTEXT)["Plaintext"]) == b"order 7\x00\xff"
    assert "InvalidCiphertextException" in shell.refused(*opened)
    shell.do("rotate-key-on-demand", "--key-id", key_id)
    assert base64.b64decode(shell.do(*opened, *CONTEXT)["Plaintext"]) == b"order 7\x00\xff"
    assert len(shell.do("list-key-rotations", "--key-id", key_id)["Rotations"]) == 1
    shell.do("disable-key", "--key-id", key_id)
    assert "DisabledException" in shell.refused(*opened, *CONTEXT)
    assert shell.do("schedule-key-deletion", "--key-id", key_id, "--pending-window-in-days", "7")["KeyState"]
    assert "KMSInvalidStateException" in shell.refused(*opened, *CONTEXT)


def test_grants_and_data_keys(shell: Shell) -> None:
    key_id = shell.do("create-key")["KeyMetadata"]["KeyId"]
    made = shell.do("generate-data-key", "--key-id", key_id, "--key-spec", "AES_256")
    assert len(base64.b64decode(made["Plaintext"])) == 32
    root = f"arn:aws:iam::{ACCOUNT}:root"
    who = ("--key-id", key_id, "--grantee-principal", root, "--operations", "Encrypt", "Decrypt")
    granted = shell.do("create-grant", *who, "--constraints", "EncryptionContextSubset={app=shop}", "--name", "shop")
    (shown,) = shell.do("list-grants", "--key-id", key_id)["Grants"]
    assert (shown["Name"], shown["Constraints"]) == ("shop", {"EncryptionContextSubset": {"app": "shop"}})
    shell.do("retire-grant", "--grant-token", granted["GrantToken"])
    assert shell.do("list-grants", "--key-id", key_id)["Grants"] == []
