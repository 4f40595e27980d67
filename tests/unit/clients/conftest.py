"""A user with a home of their own, keys in the environment, and an API to ask."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.clients import docker_config
from tests.support.fake_aws import FakeAws, fake_aws

KEY = "AKIACLIENTSTEST00001"


def standard_input(given: str | bytes) -> io.TextIOWrapper:
    """Standard input that holds this."""
    return io.TextIOWrapper(io.BytesIO(given.encode() if isinstance(given, str) else given), encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; nothing of this machine's settings is seen."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "XDG_", "DOCKER_", "REGISTRY_", "HELM_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(docker_config, "_RUN", tmp_path / "run" / "containers")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


@pytest.fixture
def aws(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """ECR and STS, which the environment leads to."""
    with fake_aws() as fake:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "clients-test-secret")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", fake.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        yield fake
