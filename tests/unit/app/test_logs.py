"""Logs: secrets never get out, whoever logs them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from entrepot.app import logs
from entrepot.domain.robot_token import new_password


@pytest.mark.parametrize(
    "key", ["Authorization", "password", "registry_token", "secret_access_key", "signature", "master_key"]
)
def test_secret_keys_are_hidden(key: str) -> None:
    assert logs.hide_secrets(None, "info", {"event": "x", key: "abc"}) == {"event": "x", key: "[hidden]"}


def test_secrets_in_texts_are_hidden() -> None:
    text = "GET /layers/1/r/d?expires=1&signature=abc&X-Amz-Signature=def"
    event = logs.hide_secrets(None, "info", {"event": text})
    assert event["event"] == "GET /layers/1/r/d?expires=1&signature=[hidden]&X-Amz-Signature=[hidden]"


def test_passwords_in_urls_are_hidden() -> None:
    text = "postgresql://entrepot:abc@db/x and http://127.0.0.1:5000/v2/a@sha256:ff"
    assert logs.without_secrets(text) == "postgresql://entrepot:[hidden]@db/x and http://127.0.0.1:5000/v2/a@sha256:ff"


def test_robots_passwords_are_hidden() -> None:
    password = new_password("ABCDEFGHIJKLMNOP", bytes(30))
    assert logs.without_secrets(f"login with {password}.") == "login with entr_ABCDEFGHIJKLMNOP[hidden]."


def test_names_that_only_look_alike_stay() -> None:
    event = {"event": "x", "token_id": "abc", "seconds": 1}
    assert logs.hide_secrets(None, "info", dict(event)) == event


PROGRAM = """
import logging, structlog
from entrepot.app import logs
from entrepot.app.config import Settings

logs.configure(Settings(log_format="json", log_level="info"))
structlog.get_logger("ours").info("made", name="a")
logging.getLogger("theirs").warning("password=%s", "abc")
structlog.get_logger("ours").debug("not asked for")
try:
    int("postgresql://h/d?password=abc")
except ValueError:
    structlog.get_logger("ours").exception("failed")
"""


def test_what_a_process_writes() -> None:
    """Its own process: logging belongs to pytest in this one."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == ""
    assert "abc" not in done.stderr
    ours, theirs, failed = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["name"], ours["level"]) == ("made", "a", "info")
    assert (theirs["event"], theirs["level"]) == ("password=[hidden]", "warning")
    assert "ValueError: invalid literal" in failed["exception"]
