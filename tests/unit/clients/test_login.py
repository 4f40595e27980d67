"""`entrepot login`: files as docker leaves them, other stores asked, the helper set up."""

from __future__ import annotations

import json
import os
import stat
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from entrepot.app.cli.main import app
from entrepot.clients import docker_helper
from entrepot.clients.known_host import known_hosts
from entrepot.clients.registry_host import RegistryHost
from entrepot.clients.token_cache import TokenCache
from tests.support.fake_aws import FakeAws

AUTH = b64encode(b"AWS:token-1").decode()


def _login(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["login", *arguments])
    assert result.exit_code == code, result.output
    assert "token-1" not in result.output
    return result


def _read(path: Path) -> Any:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return json.loads(path.read_text())


def _config(home: Path, value: Any) -> Path:
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def _program(home: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = home / "bin" / "docker-credential-vault"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")


def test_the_first_login_makes_dockers_file(aws: FakeAws, home: Path) -> None:
    assert f"{aws.host}: logged in until" in _login().output
    assert _read(home / ".docker" / "config.json") == {"auths": {aws.host: {"auth": AUTH}}}


def test_everything_else_in_the_file_is_kept(aws: FakeAws, home: Path) -> None:
    before = {"psFormat": "é", "auths": {"ghcr.io": {"auth": "eA=="}, "h:1": {}}, "plugins": {"x": {"y": "z"}}}
    path = _config(home, before)
    _login("registry.example.com:8443")
    after = _read(path)
    assert after.pop("auths") == {**before.pop("auths"), "registry.example.com:8443": {"auth": AUTH}}  # type: ignore[dict-item]
    assert after == before


def test_a_linked_file_stays_a_link(aws: FakeAws, home: Path) -> None:
    path = _config(home, {})
    path.rename(home / "real.json")
    path.symlink_to(home / "real.json")
    _login()
    assert path.is_symlink()
    assert aws.host in _read(home / "real.json")["auths"]


@pytest.mark.parametrize("damage", ["{", "[]", '{"auths": []}', '{"credHelpers": 1}'])
def test_a_file_that_is_not_understood_is_left_alone(aws: FakeAws, home: Path, damage: str) -> None:
    path = _config(home, damage)
    assert "left as it is" in _login(code=1).output
    assert path.read_text() == damage


def test_a_named_file_comes_first(aws: FakeAws, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "auth.json"))
    _login()
    assert aws.host in _read(home / "auth.json")["auths"]
    assert not (home / ".docker").exists()


def test_older_logins_that_others_read_first_are_changed_too(aws: FakeAws, home: Path) -> None:
    podman, helm = home / ".config/containers/auth.json", home / ".config/helm/registry/config.json"
    for path, host in ((podman, aws.host), (helm, "ghcr.io")):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"auths": {host: {"auth": "b2xk"}}}))
    root = home / "run/containers" / str(os.getuid()) / "auth.json"
    root.parent.mkdir(parents=True)
    root.write_text(podman.read_text())
    _login()
    assert _read(podman) == _read(root) == {"auths": {aws.host: {"auth": AUTH}}}
    assert json.loads(helm.read_text()) == {"auths": {"ghcr.io": {"auth": "b2xk"}}}


@pytest.mark.parametrize("config", [{"credsStore": "vault"}, {"credsStore": "no", "credHelpers": {"HOST": "vault"}}])
def test_a_store_of_the_user_gets_the_login(
    aws: FakeAws, home: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    _program(home, monkeypatch, f'[ "$1" = store ] && cat > {home}/stored')
    path = _config(home, json.dumps(config).replace("HOST", aws.host))
    assert "docker-credential-vault" in _login().output
    assert json.loads((home / "stored").read_text()) == {
        "ServerURL": aws.host,
        "Username": "AWS",
        "Secret": "token-1",
    }
    assert _read(path)["auths"] == {aws.host: {}}


def test_a_store_that_refuses_is_told_without_the_password(
    aws: FakeAws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(home, monkeypatch, "cat; echo locked; exit 1")
    path = _config(home, {"credsStore": "vault"})
    assert "locked" in _login(code=1).output
    assert json.loads(path.read_text()) == {"credsStore": "vault"}


def test_a_store_that_is_missing_is_told(aws: FakeAws, home: Path) -> None:
    _config(home, {"credsStore": "nowhere"})
    assert "docker-credential-nowhere" in _login(code=1).output


def test_the_helper_is_set_up(aws: FakeAws, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _config(home, {"auths": {aws.host: {"auth": "b2xk"}}, "credHelpers": {"ghcr.io": "x"}})
    _login("--helper", "--region", "sa-east-1")
    assert _read(path) == {"credHelpers": {"ghcr.io": "x", aws.host: "entrepot"}}
    known = known_hosts()[aws.host]
    assert (known.profile, known.region, known.endpoint_url) == (None, "sa-east-1", aws.url)
    monkeypatch.delenv("AWS_ENDPOINT_URL_ECR")
    docker_helper.token_of(RegistryHost.parse(aws.host), TokenCache.of_user())
    assert aws.asked[-1].region == "sa-east-1"


def test_with_the_helper_there_is_nothing_to_store(aws: FakeAws, home: Path) -> None:
    path = _config(home, {"credsStore": "entrepot"})
    assert "needs no login" in _login().output
    assert json.loads(path.read_text()) == {"credsStore": "entrepot"}


def test_what_the_api_says_is_told(aws: FakeAws, home: Path) -> None:
    aws.refuses = ("AccessDeniedException", "not you")
    assert "entrepot: AccessDeniedException: not you" in _login(code=1).output
    assert not (home / ".docker").exists()
