"""A KMS elsewhere, AWS's or any that speaks its API: data keys made, wrapped and opened there.

What was opened is kept for a minute, so that pulls go on through short outages and a busy repository asks once; when
a key is disabled there, it takes as long until nothing is served any more. After a failure nobody waits for a moment.

This module is imported only where there is such a KMS: its client takes a tenth of a second to load.

Spec: KMS API; STORAGE of the design, "Encryption".
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from entrepot.domain.key import KEY_BYTES
from entrepot.domain.key_provider import DataKey, KeyProviderAway, KeyRefused, ProvidedKey

KEPT_SECONDS: Final = 60.0
KEPT_MAX: Final = 10_000
"""Opened data keys that a worker keeps."""
AWAY_SECONDS: Final = 2.0
"""How long nobody asks again after the KMS could not be asked."""
CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 5.0
THREADS: Final = 8

_ATTEMPTS: Final = 2
_SERVER_ERROR: Final = 500
_NO_ANSWER: Final = (ResponseParserError, AttributeError, TypeError, ValueError)
"""What botocore's parser raises of an answer that is none of KMS's, such as a proxy's page."""
_AWAY_CODES: Final = frozenset({"DependencyTimeoutException", "KeyUnavailableException", "ThrottlingException"})

_log = structlog.get_logger(__name__)

Context = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KmsEndpoint:
    """Where a KMS is, and who asks it."""

    url: str | None
    """None: AWS's own of the region."""
    region: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """Access key id and secret; None: what AWS's own tools would find."""


@dataclass(slots=True)
class _Opened:
    """A data key that was opened, or is being opened by one while others wait."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    plain: bytes = field(default=b"", repr=False)
    until: float = float("-inf")


class RemoteKms:
    """One KMS, for one worker. Times are seconds of a clock that never goes back."""

    def __init__(self, endpoint: KmsEndpoint, monotonic: Callable[[], float]) -> None:
        self._endpoint, self._monotonic = endpoint, monotonic
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="kms")
        self._opened: OrderedDict[tuple[str, bytes, tuple[tuple[str, str], ...]], _Opened] = OrderedDict()
        self._away: tuple[float, str] = (float("-inf"), "")

    async def close(self) -> None:
        """End the threads, once they have their answers."""
        await asyncio.to_thread(self._threads.shutdown)

    async def describe(self, identifier: str) -> ProvidedKey:
        """The key of an id, ARN or alias.

        Raises:
            KeyRefused, KeyProviderAway
        """
        found = _member(await self._ask("describe_key", identifier, KeyId=identifier), "KeyMetadata")
        return ProvidedKey(_member(found, "Arn"), found.get("KeyState", ""), found.get("KeySpec", ""))

    async def generate(self, arn: str, context: Context) -> DataKey:
        """Make a data key.

        Raises:
            KeyRefused, KeyProviderAway
        """
        made = await self._ask("generate_data_key", arn, KeyId=arn, KeySpec="AES_256", EncryptionContext=dict(context))
        plain, wrapped = _data_key(made), _member(made, "CiphertextBlob")
        self._keep(arn, wrapped, context, plain)
        return DataKey(plain, wrapped)

    async def wrap(self, arn: str, plain: bytes, context: Context) -> bytes:
        """Wrap a data key that is open.

        Raises:
            KeyRefused, KeyProviderAway
        """
        made = await self._ask("encrypt", arn, KeyId=arn, Plaintext=plain, EncryptionContext=dict(context))
        wrapped: bytes = _member(made, "CiphertextBlob")
        self._keep(arn, wrapped, context, plain)
        return wrapped

    async def unwrap(self, arn: str, wrapped: bytes, context: Context) -> bytes:
        """Open a data key; many who want the same one ask once.

        Raises:
            KeyRefused, KeyProviderAway
        """
        opened = self._place(arn, wrapped, context)
        async with opened.lock:
            if opened.until <= self._monotonic():
                given = {"KeyId": arn, "CiphertextBlob": wrapped, "EncryptionContext": dict(context)}
                opened.plain = _data_key(await self._ask("decrypt", arn, **given))
                opened.until = self._monotonic() + KEPT_SECONDS
            return opened.plain

    def find(self, arn: str, wrapped: bytes, context: Context) -> bytes | None:
        """A data key that is open."""
        opened = self._opened.get((arn, wrapped, tuple(sorted(context.items()))))
        return opened.plain if opened is not None and self._monotonic() < opened.until else None

    # ── asking ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, operation: str, arn: str, **parameters: Any) -> Any:
        since, detail = self._away
        if self._monotonic() < since + AWAY_SECONDS:
            raise KeyProviderAway(detail)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: self._call(operation, arn, parameters)
            )
        except KeyProviderAway as error:
            self._away = (self._monotonic(), error.detail)
            _log.warning("kms away", operation=operation, key=arn, reason=error.detail)
            raise

    def _call(self, operation: str, arn: str, parameters: Mapping[str, Any]) -> Any:
        try:
            return getattr(self._client, operation)(**parameters)
        except ClientError as error:
            said, status = error.response.get("Error", {}), error.response["ResponseMetadata"]["HTTPStatusCode"]
            code, detail = said.get("Code", ""), said.get("Message", "")
            if status >= _SERVER_ERROR or code in _AWAY_CODES:
                raise KeyProviderAway(f"{code} {detail}".strip()) from error
            raise KeyRefused(arn, code, detail) from error
        except (BotoCoreError, *_NO_ANSWER) as error:
            raise KeyProviderAway(str(error).partition("\n")[0][:200]) from error

    @cached_property
    def _client(self) -> Any:
        key, secret = self._endpoint.credentials or (None, None)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=THREADS,
        )
        place = {"region_name": self._endpoint.region, "endpoint_url": self._endpoint.url}
        credentials = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return Session().create_client("kms", **place, **credentials, config=config)

    # ── keeping ──────────────────────────────────────────────────────────────────────────────

    def _keep(self, arn: str, wrapped: bytes, context: Context, plain: bytes) -> None:
        opened = self._place(arn, wrapped, context)
        opened.plain, opened.until = plain, self._monotonic() + KEPT_SECONDS

    def _place(self, arn: str, wrapped: bytes, context: Context) -> _Opened:
        place = (arn, wrapped, tuple(sorted(context.items())))
        found = self._opened.setdefault(place, _Opened())
        self._opened.move_to_end(place)
        while len(self._opened) > KEPT_MAX:
            self._opened.popitem(last=False)
        return found


def _member(answer: Mapping[str, Any], name: str) -> Any:
    """A member of an answer; who leaves it out, such as a proxy in between, is no KMS that can be asked."""
    if not answer.get(name):
        raise KeyProviderAway(f"it answered without {name}")
    return answer[name]


def _data_key(answer: Mapping[str, Any]) -> bytes:
    plain: bytes = _member(answer, "Plaintext")
    if len(plain) != KEY_BYTES:
        raise KeyProviderAway(f"it answered with a data key of {len(plain)} bytes")
    return plain
