"""Settings: where they come from, what wins, and how what is wrong is named."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from entrepot.app.config import Settings, parse_master_key
from entrepot.app.config_load import SettingsError, load, rows, shown_secrets, unknown_variables
from entrepot.app.listener import Listener

ROOT_KEY = {"ROOT_ACCESS_KEY_ID": "AKIAEXAMPLE123456789", "ROOT_SECRET_ACCESS_KEY": "secret/of/root"}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"ENTREPOT_{name}", value)


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load()
    assert settings.listeners == (Listener("http", "127.0.0.1", 5000),)
    assert settings.data_dir == tmp_path / ".local/share/entrepot"
    assert (settings.account_id, settings.region) == ("123456789012", "us-east-1")
    assert settings.workers >= 1


def test_flag_wins_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text('region = "eu-west-1"\nworkers = 3\naccount_id = "111122223333"\n')
    _set(monkeypatch, {"CONFIG": str(file), "REGION": "eu-west-2", "WORKERS": "4"})
    settings = load({"workers": "5"})
    assert (settings.workers, settings.region, settings.account_id) == (5, "eu-west-2", "111122223333")


def test_lists_come_from_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = ["http://127.0.0.1:1", "http://[::1]:2"]
    expected = (Listener("http", "127.0.0.1", 1), Listener("http", "::1", 2))
    file = tmp_path / "entrepot.toml"
    file.write_text(f"listen = {urls}\n")
    assert load({"config": str(file)}).listen == expected
    assert load({"listen": urls}).listen == expected
    _set(monkeypatch, {"LISTEN": ", ".join(urls)})
    assert load().listen == expected


def test_port_is_short_for_listen() -> None:
    assert load({"port": "6000"}).listeners == (Listener("http", "127.0.0.1", 6000),)


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"DATABASE_URL": "", "REGION": ""})
    assert load().database_url is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"REGION": "nowhere"}, "region (--region, ENTREPOT_REGION): must have the form"),
        ({"ACCOUNT_ID": "12"}, "account_id (--account-id, ENTREPOT_ACCOUNT_ID): must be 12 digits"),
        ({"WORKERS": "0"}, "workers (--workers, ENTREPOT_WORKERS): input should be greater than or equal to 1"),
        ({"LISTEN": "ftp://a"}, "listen (--listen, ENTREPOT_LISTEN): must be http://ADDRESS:PORT"),
        ({"LISTEN": "https://127.0.0.1:1"}, "needs tls_certificate (--tls-certificate, ENTREPOT_TLS_CERTIFICATE)"),
        ({"LISTEN": "http://0.0.0.0:1"}, "or set insecure (--insecure, ENTREPOT_INSECURE)"),
        ({"LISTEN": "http://127.0.0.1:1", "PORT": "2"}, "listen (--listen, ENTREPOT_LISTEN) and port (--port"),
        ({"TLS_KEY": "/k"}, "tls_key (--tls-key, ENTREPOT_TLS_KEY) must be set together"),
        ({"ROOT_ACCESS_KEY_ID": "AKIAEXAMPLE123456789"}, "root_secret_access_key (ENTREPOT_ROOT_SECRET_ACCESS_KEY)"),
        ({**ROOT_KEY, "ROOT_ACCESS_KEY_ID": "AK/IA"}, "ENTREPOT_ROOT_ACCESS_KEY_ID) must have 3 to 128 letters"),
        ({"DATABASE_URL": "mysql://u:hidden@h"}, "database_url (--database-url, ENTREPOT_DATABASE_URL): must begin"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,x"}, "trusted_proxies (--trusted-proxies, ENTREPOT_TRUSTED_PROXIES)"),
        ({"REGISTRY_URL": "https://{account}.example/path"}, "registry_url (--registry-url, ENTREPOT_REGISTRY_URL)"),
        ({"REGISTRY_URL": "https://{tenant}.example"}, "registry_url (--registry-url, ENTREPOT_REGISTRY_URL)"),
        ({"MASTER_KEY": "hidden"}, "master_key (ENTREPOT_MASTER_KEY): must be 32 bytes"),
        ({"TOKEN_LIFETIME_SECONDS": "43201"}, "token_lifetime_seconds (--token-lifetime-seconds"),
        ({"WORKERS": "two"}, "workers (--workers, ENTREPOT_WORKERS): must be a whole number (it is 'two')"),
        ({"ACCESS_LOG": "7"}, "access_log (--access-log, ENTREPOT_ACCESS_LOG): must be true or false (it is '7')"),
        ({"IDLE_TIMEOUT_SECONDS": "soon"}, "ENTREPOT_IDLE_TIMEOUT_SECONDS): must be a number (it is 'soon')"),
        ({"FREE_SPACE_RESERVE": "lots"}, "ENTREPOT_FREE_SPACE_RESERVE): must be a number of bytes, alone or with a"),
        ({"CONFIG": "/nowhere.toml"}, "config (--config, ENTREPOT_CONFIG): there is no file /nowhere.toml"),
    ],
)
def test_wrong_values_are_named(values: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, values)
    with pytest.raises(SettingsError) as caught:
        load()
    assert words in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"REGION": "nowhere", "ACCOUNT_ID": "12"})
    with pytest.raises(SettingsError) as caught:
        load()
    assert len(caught.value.problems) == 2


def test_the_file_can_not_name_another(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text('config = "other.toml"\n')
    with pytest.raises(SettingsError, match=r"entrepot\.toml: config can not be set in the file that it names"):
        load({"config": str(file)})


def test_unknown_keys_of_the_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text('regoin = "eu-west-1"\n')
    with pytest.raises(SettingsError, match=r"regoin is not a setting; did you mean region\?"):
        load({"config": str(file)})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text("region =\n")
    with pytest.raises(SettingsError, match=r"entrepot\.toml: not valid TOML"):
        load({"config": str(file)})


def test_unknown_variables_are_warned_of() -> None:
    (line,) = unknown_variables({"ENTREPOT_REGOIN": "1", "ENTREPOT_REGION": "2", "REGION": "3"})
    assert line == "ENTREPOT_REGOIN is not a setting and does nothing; did you mean ENTREPOT_REGION?"


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("postgresql://u:hunter2@h/d", True),
        ("postgresql://:hunter2@h/d", True),
        ("postgresql://u:p@ss@h/d", True),
        ("postgresql://h/d?user=u&password=hunter2", True),
        ("postgresql://u@h:5432/d", False),
        ("postgresql://h:5432/d", False),
        (None, False),
    ],
)
def test_passwords_in_flags_are_warned_of(url: str | None, is_warned: bool) -> None:
    lines = shown_secrets({"database_url": url})
    expected = "--database-url shows its password in the list of processes; set ENTREPOT_DATABASE_URL instead"
    assert lines == ([expected] if is_warned else [])


def test_plain_http_for_others_when_told_so() -> None:
    assert not load({"listen": ["http://0.0.0.0:1"], "insecure": True}).listeners[0].is_loopback


def test_https_listeners_have_the_certificate(tmp_path: Path) -> None:
    given = {"listen": ["http://127.0.0.1:1", "https://0.0.0.0:2"], "tls_certificate": "/c.pem", "tls_key": "/k.pem"}
    plain, secure = load(given).listeners
    assert plain.certificate is None
    assert (secure.certificate, secure.key) == (Path("/c.pem"), Path("/k.pem"))


def test_secrets_have_no_flag_and_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, ROOT_KEY)
    assert "secret/of/root" not in repr(load())
    assert {row.name for row in rows() if row.flag is None} == {
        "root_secret_access_key",
        "s3_secret_access_key",
        "master_key",
    }


def test_every_setting_has_its_row() -> None:
    assert [row.name for row in rows()] == list(Settings.model_fields)
    assert all(row.meaning for row in rows())


@pytest.mark.parametrize("text", [bytes(range(32)).hex(), base64.b64encode(bytes(range(32))).decode() + "\n"])
def test_master_key_as_hex_or_base64(text: str) -> None:
    assert parse_master_key(text) == bytes(range(32))


@pytest.mark.parametrize("text", ["", "00" * 31, base64.b64encode(bytes(33)).decode(), "!" * 44])
def test_master_key_of_another_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        parse_master_key(text)
