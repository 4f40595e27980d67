"""Connecting and undoing on files of the test's own."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.app.config import Settings
from entrepot.app.connect import state, trust
from entrepot.app.connect.connect import ConnectError, Wish, connect, undo
from entrepot.app.data_directory import DataDirectory
from entrepot.app.listener import Listener

HOSTS = b"127.0.0.1 localhost\n# no newline at the end"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    (tmp_path / "hosts").write_bytes(HOSTS)
    return Wish(("123456789012",), ("us-east-1",), "127.0.0.1", 443, tmp_path / "hosts", adds_trust=False)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trust store in Debian's way, whose program notes how it was called."""
    programs, certificates = tmp_path / "bin", tmp_path / "ca"
    programs.mkdir()
    certificates.mkdir()
    program = programs / trust.PROGRAM
    program.write_text(f'#!/bin/sh\necho "called $*" >> {tmp_path}/calls\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(trust, "DIRECTORY", certificates)
    return certificates


def _content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_names_certificate_and_state(settings: Settings, wish: Wish) -> None:
    told = "\n".join(connect(settings, wish))
    assert "these names now hide the real AWS" in told
    assert "as 123456789012.dkr.ecr.us-east-1.amazonaws.com/NAME." in told
    assert "  123456789012.dkr.ecr.us-east-1.amazonaws.com" in told.splitlines()
    assert (
        b"127.0.0.1 123456789012.dkr.ecr.us-east-1.amazonaws.com" in (settings.data_dir.parent / "hosts").read_bytes()
    )
    directory = DataDirectory.of(settings).connect
    assert stat.S_IMODE((directory / "server.key").stat().st_mode) == 0o600
    found = state.load(directory)
    assert found is not None
    assert found.registry_url == "https://{account}.dkr.ecr.{region}.amazonaws.com"
    assert found.listener(directory).url == "https://127.0.0.1"


def test_an_account_that_is_missing_changes_nothing(
    settings: Settings, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.app.connect.connect.unknown_accounts", lambda _, asked: asked[1:])
    with pytest.raises(ConnectError, match="there is no account 210987654321: first `entrepot admin account create"):
        connect(settings, replace(wish, accounts=("123456789012", "210987654321")))
    assert (settings.data_dir.parent / "hosts").read_bytes() == HOSTS
    assert not settings.data_dir.exists()
    connect(settings, wish)


def test_undo_takes_everything_back(settings: Settings, wish: Wish) -> None:
    connect(settings, wish)
    undo(settings)
    assert (settings.data_dir.parent / "hosts").read_bytes() == HOSTS
    assert not DataDirectory.of(settings).connect.exists()
    assert undo(settings) == ["entrepot was not connected; nothing changed."]


def test_again_changes_nothing(settings: Settings, wish: Wish) -> None:
    connect(settings, wish)
    directory = DataDirectory.of(settings).connect
    before, hosts = _content(directory), (settings.data_dir.parent / "hosts").read_bytes()
    connect(settings, wish)
    assert _content(directory) == before
    assert (settings.data_dir.parent / "hosts").read_bytes() == hosts


def test_other_names_get_another_certificate(settings: Settings, wish: Wish) -> None:
    connect(settings, wish)
    before = _content(DataDirectory.of(settings).connect)
    connect(settings, replace(wish, regions=("eu-west-1",), port=8443))
    after = _content(DataDirectory.of(settings).connect)
    assert before["ca.crt"] != after["ca.crt"]
    assert b"us-east-1" not in (settings.data_dir.parent / "hosts").read_bytes()
    found = state.load(DataDirectory.of(settings).connect)
    assert found is not None
    assert found.registry_url.endswith(".amazonaws.com:8443")


def test_another_hosts_file_frees_the_first(settings: Settings, wish: Wish, tmp_path: Path) -> None:
    connect(settings, wish)
    connect(settings, replace(wish, hosts_file=tmp_path / "other"))
    assert (tmp_path / "hosts").read_bytes() == HOSTS
    undo(settings)
    assert (tmp_path / "other").read_bytes() == b""


def test_printing_touches_no_file(settings: Settings, wish: Wish) -> None:
    told = connect(settings, replace(wish, hosts_file=None))
    assert any(line.startswith("  127.0.0.1 123456789012.dkr.ecr") for line in told)
    assert any("from the moment that the lines below are in the hosts file hide the real AWS" in line for line in told)
    assert (settings.data_dir.parent / "hosts").read_bytes() == HOSTS
    (undone,) = undo(settings)
    assert "Take the lines that were printed out of the hosts file." in undone


def test_the_system_is_told_of_the_ca(settings: Settings, wish: Wish, store: Path, tmp_path: Path) -> None:
    for _ in range(2):
        connect(settings, replace(wish, adds_trust=True))
    (added,) = store.iterdir()
    assert added.read_bytes() == (DataDirectory.of(settings).connect / "ca.crt").read_bytes()
    assert (tmp_path / "calls").read_text() == "called \n"  # once: the second time it was there
    connect(settings, replace(wish, adds_trust=True, regions=("eu-west-1",)))
    assert [added] != list(store.iterdir())
    undo(settings)
    assert list(store.iterdir()) == []
    assert (tmp_path / "calls").read_text().splitlines()[-1] == "called --fresh"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accounts": ("12",)}, "registryId must be 12 digits"),
        ({"regions": ("nowhere",)}, "region must have the form"),
        ({"regions": ("us-east-1", "cn-north-1")}, "end in different domains"),
        ({"address": "localhost"}, "'localhost' does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_wrong_wishes(settings: Settings, wish: Wish, change: dict[str, object], words: str) -> None:
    with pytest.raises(ConnectError, match=words):
        connect(settings, replace(wish, **change))  # type: ignore[arg-type]  # wrong on purpose
    assert not settings.data_dir.exists()


def test_what_cannot_be_written_is_named(settings: Settings, wish: Wish, tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"absent/hosts.*need root"):
        connect(settings, replace(wish, hosts_file=tmp_path / "absent" / "hosts"))


def test_the_listener_is_added_once(settings: Settings, wish: Wish) -> None:
    connect(settings, wish)
    directory = DataDirectory.of(settings).connect
    found = state.load(directory)
    plain = Listener("http", "127.0.0.1", 5000)
    (added,) = state.added_listeners(found, directory, [plain])
    assert (added.port, added.certificate) == (443, directory / "server.crt")
    assert state.added_listeners(found, directory, [plain, added]) == []
    assert state.added_listeners(None, directory, [plain]) == []
