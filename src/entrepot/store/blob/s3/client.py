"""S3 requests: signed, sent over pooled connections by blocking calls, tried again with backoff and jitter.

urllib3 carries them, botocore signs them; bodies are UNSIGNED-PAYLOAD with a known length. Every request here may be
repeated: what it leaves when its answer is lost is either the same as once, or found and removed by the caller.
See docs/adr/0016-own-s3-client.md.

Spec: Amazon S3 API Reference; AWS, "Error responses" and "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

import structlog
import urllib3
from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from entrepot.domain.error import StorageFull, StorageUnavailable
from entrepot.domain.limit import MIB

log = structlog.get_logger(__name__)

T = TypeVar("T")

ATTEMPTS = 6
PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 5.0
CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
WITHIN_SECONDS = 120.0
"""How long a request with all its attempts may take."""

CONNECTIONS = 64
SEND_BYTES = MIB
ERROR_BYTES_MAX = 64 * 1024

_TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset(
    {"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling"}
)
_FULL_CODES = frozenset({"QuotaExceeded", "XMinioStorageFull", "StorageFull"})
_FULL_STATUS = 507


class Body(Protocol):
    """Bytes to send that can be read again from the start."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    def open(self) -> Any:
        """A file to read them from once."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where objects are and how they are asked for."""

    endpoint: str
    """`http://HOST[:PORT]` or `https://…`."""
    name: str
    prefix: str
    """Before every key; empty, or ending with a slash."""
    region: str
    is_virtual: bool
    """Whether the bucket is part of the host name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `code` is S3's word for an error."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    code: str = ""

    def text(self, name: str) -> str:
        """The text of the first XML element of that name; empty when there is none."""
        return next((element.text or "" for element in elements(self.data, name)), "")


class _Failed(Exception):
    """An attempt that may go better the next time."""


class S3Client:
    """One bucket. Used by many threads; made after the fork."""

    def __init__(
        self,
        bucket: Bucket,
        credentials: Any,
        *,
        pause: Callable[[float], object] = time.sleep,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """`credentials` are botocore's, which renews them where they expire."""
        self.bucket = bucket
        self._credentials = credentials
        self._pause = pause
        self._read_seconds = read_seconds
        parts = urlsplit(bucket.endpoint)
        host = f"{bucket.name}.{parts.netloc}" if bucket.is_virtual else parts.netloc
        self._origin = f"{parts.scheme}://{host}"
        self._base = "/" if bucket.is_virtual else f"/{bucket.name}/"
        self._pool = urllib3.connection_from_url(self._origin, maxsize=CONNECTIONS, retries=False, blocksize=SEND_BYTES)

    def close(self) -> None:
        """Close the connections that wait."""
        self._pool.close()

    def call(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes = b"",
        *,
        accepts: Collection[int | str] = (),
        within: float = WITHIN_SECONDS,
    ) -> Answer:
        """Make a request and read the whole answer: any 2xx, or an error whose status or code is in `accepts`.

        `within` are the seconds that all attempts together may take.

        Raises:
            StorageUnavailable: it failed again and again, or was refused.
            StorageFull: the store says so.
        """

        def read(response: urllib3.BaseHTTPResponse) -> Answer:
            data = response.data
            code = _code_of(data) if response.status >= 300 or data.lstrip()[:200].find(b"<Error") >= 0 else ""  # noqa: PLR2004
            answer = Answer(response.status, response.headers, data, code)
            _judge(answer, accepts)
            return answer

        return self._attempts(method, key, query, headers, body, read, within, preload=True)

    def stream(self, key: str, start: int, end: int) -> urllib3.BaseHTTPResponse | None:
        """Begin to read the bytes `start` to `end` (exclusive) of an object; None when it or they are not there.

        The caller reads, then releases or closes what this returns.

        Raises:
            StorageUnavailable, StorageFull: as `call`.
        """

        def begin(response: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse | None:
            if response.status == 206:  # noqa: PLR2004 - partial content
                return response
            data = response.read(ERROR_BYTES_MAX)
            response.close()
            answer = Answer(response.status, response.headers, data, _code_of(data))
            if (answer.status == 404 and answer.code != "NoSuchBucket") or answer.status == 416:  # noqa: PLR2004
                return None
            _judge(answer, ())
            raise _Failed(f"a range was answered by {answer.status}")

        headers = {"Range": f"bytes={start}-{end - 1}"}
        return self._attempts("GET", key, None, headers, b"", begin, WITHIN_SECONDS, preload=False)

    def presign(self, key: str, query: Mapping[str, str], seconds: int) -> str:
        """A URL that anybody may GET the object with for a time; `query` are response overrides.

        Raises:
            StorageUnavailable: there are no credentials to sign with.
        """
        request = AWSRequest("GET", self._url(key, query))
        S3SigV4QueryAuth(self._frozen(), "s3", self.bucket.region, seconds).add_auth(request)
        return str(request.url)

    def _attempts(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: Body | bytes,
        read: Callable[[urllib3.BaseHTTPResponse], T],
        within: float,
        *,
        preload: bool,
    ) -> T:
        deadline = time.monotonic() + within
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return read(self._send(method, self._url(key, query), headers or {}, body, deadline, preload=preload))
            except (_Failed, urllib3.exceptions.HTTPError, OSError) as error:
                pause = random.uniform(0, min(PAUSE_SECONDS_MAX, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - no secret
                if attempt == ATTEMPTS or time.monotonic() + pause >= deadline:
                    raise self._unavailable(method, key, f"{_words(error)}, {attempt} times") from error
                log.info("s3.retry", method=method, key=key, attempt=attempt, error=_words(error))
                self._pause(pause)
            except (_Refused, BotoCoreError) as error:
                raise self._unavailable(method, key, str(error)) from error
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | bytes,
        deadline: float,
        *,
        preload: bool,
    ) -> urllib3.BaseHTTPResponse:
        size = len(body) if isinstance(body, bytes) else body.size_bytes
        request = AWSRequest(method, url, {**headers, "Content-Length": str(size)})
        _UnsignedPayload(self._frozen(), "s3", self.bucket.region).add_auth(request)
        seconds = max(0.1, min(self._read_seconds, deadline - time.monotonic()))
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds)
        content = body if isinstance(body, bytes) else body.open()
        return self._pool.urlopen(
            method,
            url.removeprefix(self._origin),
            body=content,
            headers=dict(request.headers.items()),
            timeout=timeout,
            redirect=False,
            preload_content=preload,
            decode_content=False,
        )

    def _url(self, key: str, query: Mapping[str, str] | None) -> str:
        path = self._base + quote(self.bucket.prefix + key, safe="/~") if key else self._base.rstrip("/") or "/"
        return self._origin + path + ("?" + urlencode(sorted(query.items()), quote_via=quote) if query else "")

    def _frozen(self) -> Any:
        try:
            return self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise StorageUnavailable(f"there are no S3 credentials: {error}") from error

    def _unavailable(self, method: str, key: str, detail: str) -> StorageUnavailable:
        where = f"{method} {self.bucket.name}/{self.bucket.prefix}{key} at {self._origin}"
        log.error("s3.failed", request=where, error=detail)
        return StorageUnavailable(f"{where}: {detail}")


class _UnsignedPayload(S3SigV4Auth):  # type: ignore[misc]
    """Signatures over everything but the body, whose length is known."""

    def payload(self, request: AWSRequest) -> str:
        del request
        return str(UNSIGNED_PAYLOAD)


class _Refused(Exception):
    """An answer that will be the same the next time."""


def _judge(answer: Answer, accepts: Collection[int | str]) -> None:
    if answer.status in accepts or (answer.code and answer.code in accepts):
        return
    if answer.status // 100 == 2 and not answer.code:  # noqa: PLR2004
        return
    if answer.status == _FULL_STATUS or answer.code in _FULL_CODES:
        raise StorageFull
    words = f"{answer.status} {answer.code or 'without a code'}"
    if answer.status in _TRANSIENT_STATUSES or answer.code in _TRANSIENT_CODES:
        raise _Failed(words)
    message = answer.text("Message")
    raise _Refused(f"{words}: {message}" if message else words)


def _code_of(data: bytes) -> str:
    return next((element.text or "" for element in elements(data, "Code")), "")


def elements(data: bytes, name: str) -> list[ET.Element]:
    """The XML elements of that name, whatever their namespace; none when the data is no XML."""
    try:
        root = ET.fromstring(data)  # noqa: S314 - of the store that holds our bytes; expat bounds entities
    except ET.ParseError:
        return []
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
