"""Credentials of a role: one renewal for all, in time, and what is given while there is none."""

from __future__ import annotations

import asyncio
import threading

import pytest

from entrepot.clients.client_error import ClientError
from entrepot.clients.role_credentials import RETRY_SECONDS, Credentials, Role, RoleCredentials
from tests.support.fake_aws import FakeAws
from tests.support.poll import poll_until

ROLE = "arn:aws:iam::123456789012:role/task"


class Sts:
    """Assumes a role as the test says, by a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.life = 3600.0
        self.refuses: Exception | None = None
        self.calls = 0
        self.answers = threading.Event()
        self.answers.set()
        self.told: list[str] = []
        self.credentials = RoleCredentials(self.assume, self.told.append, lambda: self.now)

    def assume(self) -> Credentials:
        self.calls += 1
        assert self.answers.wait(10)
        if self.refuses:
            raise self.refuses
        return Credentials(f"ASIA{self.calls}", "hush", "hush", self.now, self.now + self.life)

    async def key(self) -> str:
        return (await self.credentials.get()).access_key_id

    async def turn(self, seconds: float) -> str:
        self.now += seconds
        return await self.key()


@pytest.fixture
def sts() -> Sts:
    return Sts()


async def test_they_are_kept_until_twenty_minutes_are_left(sts: Sts) -> None:
    assert await sts.key() == "ASIA1"
    assert await sts.turn(2399) == "ASIA1"
    assert await sts.turn(2) == "ASIA2"
    assert "hush" not in "".join(sts.told)


async def test_short_ones_are_kept_for_half_of_their_life(sts: Sts) -> None:
    sts.life = 900
    assert await sts.key() == "ASIA1"
    assert await sts.turn(449) == "ASIA1"
    assert await sts.turn(2) == "ASIA2"


async def test_many_who_ask_at_once_cause_one_call(sts: Sts) -> None:
    sts.answers.clear()
    asking = [asyncio.create_task(sts.key()) for _ in range(20)]
    await asyncio.sleep(0)
    sts.answers.set()
    assert set(await asyncio.gather(*asking)) == {"ASIA1"}
    assert sts.calls == 1


async def test_one_who_gives_up_takes_nothing_from_the_others(sts: Sts) -> None:
    sts.answers.clear()
    first, second = asyncio.create_task(sts.key()), asyncio.create_task(sts.key())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    sts.answers.set()
    assert await second == "ASIA1"


async def test_what_still_holds_is_given_while_sts_refuses(sts: Sts) -> None:
    await sts.key()
    sts.refuses = ClientError("AccessDenied: no")
    assert await sts.turn(3599) == "ASIA1"
    assert sts.told[-1] == "no new credentials: AccessDenied: no"
    with pytest.raises(ClientError, match="AccessDenied: no"):
        await sts.turn(2)


async def test_what_still_holds_is_given_while_sts_is_silent(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.clients.role_credentials.PATIENCE_SECONDS", 0.01)
    await sts.key()
    sts.answers.clear()
    assert await sts.turn(3000) == "ASIA1"
    sts.answers.set()

    async def renewed() -> bool:
        return await sts.key() == "ASIA2"

    await poll_until(renewed)
    assert sts.calls == 2


async def test_a_failure_counts_for_some_seconds(sts: Sts) -> None:
    sts.refuses = ClientError("ServiceUnavailable: later")
    for _ in range(3):
        with pytest.raises(ClientError, match="later"):
            await sts.key()
    assert sts.calls == 1
    sts.refuses = None
    assert await sts.turn(RETRY_SECONDS) == "ASIA2"


async def test_an_unexpected_failure_is_told_without_its_words(sts: Sts) -> None:
    sts.refuses = RuntimeError("hush")
    with pytest.raises(ClientError, match=r"^RuntimeError while assuming the role$"):
        await sts.key()


async def test_credentials_that_have_ended_already_are_not_given(sts: Sts) -> None:
    sts.life = -1
    with pytest.raises(ClientError, match="ended already"):
        await sts.key()


def test_the_role_is_assumed_as_told(aws: FakeAws) -> None:
    given = Role(ROLE, "machine", 1800, external_id="42").assume()
    asked = aws.asked[0]
    assert (given.access_key_id, given.session_token) == ("ASIAROLE000000000001", "role-token-1")
    assert given.expires_at - given.issued_at == pytest.approx(3600, abs=5)
    assert asked.operation == "AssumeRole"
    wanted = {"RoleArn": ROLE, "RoleSessionName": "machine", "DurationSeconds": "1800", "ExternalId": "42"}
    assert asked.parameters.items() >= wanted.items()
    assert "role-secret" not in repr(given)


def test_a_refusal_is_one_line(aws: FakeAws) -> None:
    aws.refuses = ("AccessDenied", "not\nauthorized")
    with pytest.raises(ClientError, match=r"^AccessDenied: not authorized$"):
        Role(ROLE, "machine", 900).assume()


@pytest.mark.parametrize("body", ["<html>", "", "<a/>", "{}"])
def test_an_answer_of_something_else_is_told(aws: FakeAws, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(aws, "answer", lambda *_: (200, "text/html", body))
    with pytest.raises(ClientError):
        Role(ROLE, "machine", 900).assume()
