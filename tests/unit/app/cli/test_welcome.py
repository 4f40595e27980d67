"""The welcome: lines that fit the server they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.app.cli.welcome import welcome
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.deployment import Deployment
from entrepot.app.listener import Listener
from entrepot.domain.registry_url import RegistryUrl


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    settings = Settings(data_dir=tmp_path, region="eu-west-1")
    url = RegistryUrl("https://{account}.dkr.ecr.{region}.amazonaws.com")
    listeners = (Listener("https", "127.0.0.1", 443), Listener("http", "127.0.0.1", 5000))
    return Deployment(settings, DataDirectory.of(settings), listeners, url)


def test_lines_to_paste(deployment: Deployment) -> None:
    text = welcome(deployment, "entrepot", 0.514)
    assert "ready 0.51 s after its start" in text
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert f"docker login --username AWS --password-stdin {host}\n" in text
    assert f"docker push {host}/hello/world:1\n" in text
    assert "  export AWS_PROFILE=entrepot\n" in text


def test_without_a_profile_it_says_where_the_key_is(deployment: Deployment) -> None:
    text = welcome(deployment, None, 0.5)
    assert "entrepot admin account root-key 123456789012 --show --data-dir" in text
    assert "AWS_ENDPOINT_URL_IAM, AWS_ENDPOINT_URL_KMS and\nAWS_ENDPOINT_URL_STS all set to" in text
    assert "\n  http://127.0.0.1:5000\n" in f"{text}\n"
    assert "AWS_PROFILE" not in text
