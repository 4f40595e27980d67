"""docs/encryption.md as it stands: repositories under keys, and keys that are switched off, on, and nearly deleted."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.page import shell_script
from tests.support.world import World, aws_program


@pytest.fixture(scope="module")
def printed(world: World) -> str:
    """What the commands of the page print."""
    home = world.scratch()
    environment = {
        "PATH": f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENTREPOT_DATA_DIR": str(world.directory / "data"),
        "DOCKER_CONFIG": str(home / "docker"),
        "HOME": str(home),
    }
    return world.do("bash", "-c", f"cd {home}\n{shell_script('encryption.md')}", env=environment)


def test_the_page_shows_what_it_made(printed: str) -> None:
    kinds = re.findall(r'\{\s+"encryptionType": "(\w+)",\s+"kmsKey": "(arn:aws:kms:[^"]+)"\s+\}', printed)
    assert [kind for kind, _ in kinds] == ["KMS", "KMS", "KMS_DSSE"]
    assert kinds[0][1] != kinds[1][1] == kinds[2][1]
    key = kinds[1][1]
    for name in ("sealed/app", "sealed/twice"):
        assert re.search(rf'"aws:ecr:arn": "arn:aws:ecr:us-east-1:\d+:repository/{name}"', printed), name
    assert f"{key} protects 2 repositories" in printed


def test_what_a_key_that_is_off_closes(printed: str) -> None:
    off, on = printed.split("as long as the key is disabled")
    assert "DisabledException" in off
    assert json.dumps("KmsError") in on
    assert re.search(r"sealed/app:1\s", on), "pulled again"


def test_what_deletion_would_take(printed: str) -> None:
    assert "PendingDeletion" in printed
    lost = printed.split("and this is what would be lost", maxsplit=1)[0]
    assert "KmsException" in lost
    assert re.search(r"1 images with \d+ bytes in arn:aws:ecr:us-east-1:\d+:repository/sealed/app are lost", lost)
    assert '"sealed/app"' in printed.split("and this is what would be lost")[1]
