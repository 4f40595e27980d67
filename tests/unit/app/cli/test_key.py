"""`entrepot keys usage`: what a key protects, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli.main import app
from entrepot.app.workbench import Workbench
from entrepot.domain.kms import KmsKey
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.repository import RepositoryService
from tests.support.bytes import Worker
from tests.support.kms import make_key
from tests.support.started import start_once

HOME = Registry("123456789012", "us-east-1")


async def fill(bench: Workbench) -> KmsKey:
    """Two repositories under one key, which share one of three blobs."""
    made = await bench.database.write(lambda c: make_key(c, bench.context, bench.keys, HOME))
    repositories = RepositoryService(bench.database, bench.context, bench.keys, protection=bench.protectors.protection)
    async with bench.open_storage() as storage:
        worker = Worker(bench.database, bench.context, bench.keys, storage)
        for name, blobs in {"team/app": [b"shared", b"own"], "team/web": [b"shared", b"other"]}.items():
            settings = RepositorySettings(encryption_type="KMS", kms_key=made.id)
            await repositories.create(HOME, RepositoryName(name), settings, {})
            for data in blobs:
                await worker.push(data, RepositoryName(name))
    return made


@pytest.fixture
def key(tmp_path: Path) -> KmsKey:
    settings = start_once(tmp_path)
    return workbench.run(settings, fill)


def keys(directory: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["keys", *words, "--data-dir", str(directory)])
    return done.exit_code, done.output


def test_usage(tmp_path: Path, key: KmsKey) -> None:
    for named in (key.arn, key.id):
        code, output = keys(tmp_path, "usage", named)
        assert code == 0, output
        assert f"{key.arn} protects 2 repositories: 3 blobs, 14 bytes" in output
    code, output = keys(tmp_path, "usage", key.arn, "--json")
    found = json.loads(output)
    assert (code, found["blobs"], found["bytes"]) == (0, 3, 14)
    assert [(one["name"], one["blobs"], one["bytes"]) for one in found["repositories"]] == [
        ("team/app", 2, 9),
        ("team/web", 2, 11),
    ]


def test_no_such_key(tmp_path: Path, key: KmsKey) -> None:
    code, output = keys(tmp_path, "usage", "alias/none")
    assert code == 1
    assert "alias/none" in output
