"""A KMS elsewhere, played by moto: keys are made and opened there, few questions are asked, outages are told."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from entrepot.domain.key_provider import KeyProviderAway, KeyRefused
from entrepot.remote import kms
from entrepot.remote.kms import AWAY_SECONDS, KEPT_SECONDS, KmsEndpoint, RemoteKms
from tests.support.moto_kms import CREDENTIALS, MotoKms, moto_kms
from tests.support.server import REGION

CONTEXT = {"aws:ecr:arn": "arn:aws:ecr:us-east-1:123456789012:repository/app"}
OTHER = {"aws:ecr:arn": "arn:aws:ecr:us-east-1:123456789012:repository/other"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Counting(RemoteKms):
    """Counts what is asked."""

    def __init__(self, endpoint: KmsEndpoint, clock: Clock) -> None:
        super().__init__(endpoint, clock)
        self.clock, self.asked = clock, list[str]()

    def _call(self, operation: str, arn: str, parameters: Any) -> Any:
        self.asked.append(operation)
        return super()._call(operation, arn, parameters)


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A server that says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoKms]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with moto_kms() as running:
        yield running


@pytest.fixture
async def remote(moto: MotoKms) -> AsyncIterator[Counting]:
    made = Counting(KmsEndpoint(moto.url, REGION, CREDENTIALS), Clock())
    yield made
    await made.close()


async def test_a_data_key_and_back(moto: MotoKms, remote: Counting) -> None:
    arn = moto.create_key()
    made = await remote.generate(arn, CONTEXT)
    remote.clock.now += KEPT_SECONDS

    assert len(made.plain) == 32
    assert await remote.unwrap(arn, made.wrapped, CONTEXT) == made.plain
    assert remote.asked == ["generate_data_key", "decrypt"]
    assert made.plain.hex() not in repr(made)


async def test_wrapped_again_for_another_repository(moto: MotoKms, remote: Counting) -> None:
    arn = moto.create_key()
    made = await remote.generate(arn, CONTEXT)
    again = await remote.wrap(arn, made.plain, OTHER)
    remote.clock.now += KEPT_SECONDS

    assert again != made.wrapped
    assert await remote.unwrap(arn, again, OTHER) == made.plain
    with pytest.raises(KeyRefused) as refused:
        await remote.unwrap(arn, again, CONTEXT)
    assert refused.value.code == "InvalidCiphertextException"


async def test_an_opened_key_is_kept_for_a_minute(moto: MotoKms, remote: Counting) -> None:
    arn = moto.create_key()
    made = await remote.generate(arn, CONTEXT)
    remote.clock.now += KEPT_SECONDS
    assert set(await asyncio.gather(*(remote.unwrap(arn, made.wrapped, CONTEXT) for _ in range(20)))) == {made.plain}
    remote.clock.now += KEPT_SECONDS - 0.1
    await remote.unwrap(arn, made.wrapped, CONTEXT)
    assert remote.asked.count("decrypt") == 1
    remote.clock.now += 0.1
    await remote.unwrap(arn, made.wrapped, CONTEXT)
    assert remote.asked.count("decrypt") == 2


async def test_it_keeps_no_more_than_it_may(moto: MotoKms, remote: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kms, "KEPT_MAX", 2)
    arn = moto.create_key()
    made = [await remote.generate(arn, CONTEXT) for _ in range(3)]

    assert [await remote.unwrap(arn, one.wrapped, CONTEXT) for one in made] == [one.plain for one in made]
    assert "decrypt" in remote.asked


async def test_what_a_key_is(moto: MotoKms, remote: Counting) -> None:
    arn = moto.create_key()
    moto.client.create_alias(AliasName="alias/described", TargetKeyId=arn)
    found = await remote.describe("alias/described")
    assert (found.arn, found.state, found.spec) == (arn, "Enabled", "SYMMETRIC_DEFAULT")
    moto.client.disable_key(KeyId=arn.rpartition("/")[2])
    assert (await remote.describe(arn)).state == "Disabled"
    with pytest.raises(KeyRefused) as refused:
        await remote.describe("alias/nothing")
    assert refused.value.code == "NotFoundException"


async def test_an_outage_and_its_end(moto: MotoKms, remote: Counting) -> None:
    arn = moto.create_key()
    made = await remote.generate(arn, CONTEXT)
    moto.go_away()
    try:
        assert await remote.unwrap(arn, made.wrapped, CONTEXT) == made.plain, "for a minute it does not matter"
        remote.clock.now += KEPT_SECONDS
        for _ in range(5):
            with pytest.raises(KeyProviderAway, match=r"127\.0\.0\.1"):
                await remote.unwrap(arn, made.wrapped, CONTEXT)
        assert remote.asked.count("decrypt") == 1, "nobody waits again for a moment"
        with pytest.raises(KeyProviderAway):
            await remote.generate(arn, CONTEXT)
    finally:
        moto.come_back()
    remote.clock.now += AWAY_SECONDS
    assert await remote.unwrap(arn, made.wrapped, CONTEXT) == made.plain


async def test_who_does_not_answer_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kms, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = KmsEndpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", REGION, CREDENTIALS)
        remote = Counting(endpoint, Clock())
        with pytest.raises(KeyProviderAway, match="timeout"):
            await remote.generate("arn:aws:kms:us-east-1:123456789012:key/x", CONTEXT)
        await remote.close()


@pytest.mark.parametrize(
    "body", [b"<html>a proxy</html>", b"{}", b"[]", b'{"Plaintext": "QQ==", "CiphertextBlob": "QQ=="}']
)
async def test_who_answers_nonsense_is_away(body: bytes) -> None:
    arn = "arn:aws:kms:us-east-1:123456789012:key/x"
    with answering(body) as url:
        remote = RemoteKms(KmsEndpoint(url, REGION, CREDENTIALS), Clock())
        for asked in (remote.describe(arn), remote.generate(arn, CONTEXT), remote.unwrap(arn, b"sealed", CONTEXT)):
            remote._away = (float("-inf"), "")
            with pytest.raises(KeyProviderAway):
                await asked
        await remote.close()


async def test_secrets_are_not_shown() -> None:
    assert CREDENTIALS[1] not in repr(KmsEndpoint(None, REGION, CREDENTIALS))
