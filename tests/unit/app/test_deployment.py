"""Deployments: where the clients of this machine are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.deployment import Deployment
from entrepot.app.listener import Listener
from entrepot.domain.registry_url import RegistryUrl

SECURE, PLAIN = Listener("https", "192.0.2.1", 443), Listener("http", "0.0.0.0", 5000)  # noqa: S104 - an example


@pytest.mark.parametrize(
    ("listeners", "registry_url", "expected"),
    [
        ((SECURE, PLAIN), "https://{account}.dkr.ecr.{region}.amazonaws.com", "http://127.0.0.1:5000"),
        ((SECURE,), "https://registry.example.com", "https://registry.example.com"),
        ((SECURE,), "https://{account}.dkr.ecr.{region}.amazonaws.com", "https://192.0.2.1"),
    ],
)
def test_api_url(tmp_path: Path, listeners: tuple[Listener, ...], registry_url: str, expected: str) -> None:
    settings = Settings(data_dir=tmp_path)
    deployment = Deployment(settings, DataDirectory.of(settings), listeners, RegistryUrl(registry_url))
    assert deployment.api_url == expected
