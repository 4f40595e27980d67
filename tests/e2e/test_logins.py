"""Five clients push and pull with AWS credentials: by docker-credential-entrepot and by `entrepot login`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.e2e.clients.identities import new_user
from tests.e2e.clients.user import User
from tests.support.image_layout import ImageLayout
from tests.support.namespace import SERVER_ADDRESS
from tests.support.page import shell_script
from tests.support.world import HOST, World

CLIENTS = ("docker", "podman", "skopeo", "helm", "oras")


@pytest.fixture
def user(world: World, images: ImageLayout) -> User:
    return User(world, images)


def _is_private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_pushes_and_pulls_with_the_helper(user: User, client: str) -> None:
    user.world.create(f"logins/helper/{client}/app")
    before = user.name_helper().read_text()
    done = user.push_and_pull(client, f"logins/helper/{client}/app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(user.world.digests(f"logins/helper/{client}/app")) == {"1.0.0"}
    assert user.docker_config.read_text() == before
    (token,) = user.tokens
    assert _is_private(token)


@pytest.mark.parametrize("client", ["docker", "helm", "oras"])
def test_the_helper_is_the_only_store(user: User, client: str) -> None:
    user.world.create(f"logins/store/{client}/app")
    user.name_helper("credsStore")
    done = user.push_and_pull(client, f"logins/store/{client}/app")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("client", ["podman", "skopeo"])
def test_the_helper_is_named_in_a_file_of_their_own(user: User, client: str) -> None:
    user.world.create(f"logins/file/{client}/app")
    file = user.name_helper(name="auth.json")
    done = user.push_and_pull(client, f"logins/file/{client}/app", env={"REGISTRY_AUTH_FILE": str(file)})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_pushes_and_pulls_after_one_command(user: User, client: str) -> None:
    user.world.create(f"logins/login/{client}/app")
    assert f"{HOST}: logged in until" in user.do("entrepot", "login", HOST)
    assert _is_private(user.docker_config)
    done = user.push_and_pull(client, f"logins/login/{client}/app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(user.world.digests(f"logins/login/{client}/app")) == {"1.0.0"}


@pytest.mark.parametrize("client", ["docker", "skopeo"])
def test_a_name_that_is_not_ecrs(user: User, client: str) -> None:
    user.world.create(f"logins/named/{client}/app")
    said = user.do("entrepot", "login", SERVER_ADDRESS, "--helper", "--endpoint-url", f"https://{SERVER_ADDRESS}")
    assert f"{SERVER_ADDRESS}: {user.docker_config} names the helper" in said
    done = user.push_and_pull(client, f"logins/named/{client}/app", host=SERVER_ADDRESS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_as_it_stands(user: User) -> None:
    (user.home / ".aws").symlink_to(user.world.directory / ".aws")
    user.settings = {"AWS_PROFILE": "entrepot"}
    said = user.do("bash", "-c", f"cd ~\nln -s {Path.cwd()}/.venv .venv\n{shell_script('guides/docker-login.md')}")
    assert said.count("logged in until") == 2
    assert "names the helper" in said
    assert json.loads(user.docker_config.read_text())["credHelpers"] == {HOST: "entrepot"}
    user.world.create("logins/page/app")
    assert user.push_and_pull("docker", "logins/page/app").returncode == 0


@pytest.mark.parametrize("arguments", [(), ("--helper",)])
def test_one_command_replaces_a_login_of_podman(user: User, arguments: tuple[str, ...]) -> None:
    user.world.create(f"logins/older/app{len(arguments)}")
    password = user.world.password()
    user.do("podman", "login", "--username", "AWS", "--password-stdin", HOST, stdin=password)
    user.do("sed", "-i", 's/"auth": *"[^"]*"/"auth": "QVdTOm9sZA=="/', "/run/containers/0/auth.json")
    user.name_helper()
    assert user.push_and_pull("skopeo", f"logins/older/app{len(arguments)}").returncode != 0
    user.docker_config.unlink()
    user.do("entrepot", "login", HOST, *arguments)
    done = user.push_and_pull("skopeo", f"logins/older/app{len(arguments)}")
    assert done.returncode == 0, done.stderr


def test_the_next_pull_asks_nobody_until_logout(user: User) -> None:
    user.name_helper()
    first = user.get()
    assert first.returncode == 0, first.stdout
    offline = user.run("unshare", "--net", "docker-credential-entrepot", "get", stdin=HOST)
    assert (offline.returncode, offline.stdout) == (0, first.stdout)
    (token,) = user.tokens
    assert _is_private(token)
    user.do("docker", "logout", HOST)
    assert user.tokens == []
    assert user.run("unshare", "--net", "docker-credential-entrepot", "get", stdin=HOST).returncode == 1


def test_who_may_not_log_in_is_told(user: User) -> None:
    user.name_helper()
    user.settings = new_user(user.world, "nobody")
    words = "user/nobody is not authorized to perform: ecr:GetAuthorizationToken"
    for client in CLIENTS[:-1]:  # oras says so too, but tries five times, which takes minutes
        done = user.push_and_pull(client, "logins/denied/app")
        assert done.returncode != 0, client
        assert words in done.stderr, client
    refused = user.run("entrepot", "login", HOST)
    assert refused.returncode == 1
    assert words in refused.stderr
    assert user.tokens == []


def test_without_credentials_the_registry_refuses(user: User) -> None:
    user.name_helper()
    user.settings = {}
    done = user.push_and_pull("skopeo", "logins/denied/app")
    assert done.returncode != 0
    assert "no AWS credentials" in done.stdout + done.stderr
    assert "no AWS credentials" in user.run("entrepot", "login", HOST).stderr
