"""Reading objects of S3: ranges that grow while somebody reads on, taken up again where a connection broke off."""

from __future__ import annotations

import urllib3

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.error import StorageUnavailable
from entrepot.domain.limit import MIB
from entrepot.store.blob.s3.client import S3Client

RANGE_BYTES_MIN = MIB
RANGE_BYTES_MAX = 64 * MIB
BREAKS_MAX = 4
"""Broken answers in a row, none of which brought a byte, until the store counts as unavailable."""


class S3Reader:
    """An object of `stored_bytes`. Used by one thread at a time; asks for nothing before the first read."""

    def __init__(self, client: S3Client, key: str, storage_key: str, stored_bytes: int) -> None:
        self._client = client
        self._key = key
        self._storage_key = storage_key
        self._stored_bytes = stored_bytes
        self._response: urllib3.BaseHTTPResponse | None = None
        self._at = self._end = 0
        self._range_bytes = RANGE_BYTES_MIN

    def read_into(self, start: int, buffer: memoryview, *, wait: bool) -> bool:
        if not wait:
            return not buffer
        if start + len(buffer) > self._stored_bytes:
            raise BlobDamaged(self._storage_key, f"the object ends at stored byte {self._stored_bytes}")
        breaks = 0
        while buffer:
            data = self._read(start, len(buffer))
            breaks = 0 if data else breaks + 1
            if breaks > BREAKS_MAX:
                raise StorageUnavailable(f"GET {self._key}: the connection broke off {breaks} times at byte {start}")
            buffer[: len(data)] = data
            start, buffer = start + len(data), buffer[len(data) :]
        return True

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response = None

    def _read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from the answer under way or a new one; none when it broke off."""
        if self._response is None or self._at != start:
            self._ask(start, count)
        assert self._response is not None  # noqa: S101 - for the type
        try:
            data = self._response.read(min(count, self._end - start))
        except (urllib3.exceptions.HTTPError, OSError):
            data = b""
        self._at = start + len(data)
        if not data or self._at == self._end:
            self._finish(is_whole=bool(data))
        return data

    def _finish(self, *, is_whole: bool) -> None:
        if self._response is not None and is_whole:
            self._response.release_conn()
            self._response = None
        self.close()

    def _ask(self, start: int, count: int) -> None:
        """Have the bytes from `start` on sent: more than asked for when the reader reads on from where it was."""
        self.close()
        goes_on = start == self._at > 0
        self._range_bytes = min(2 * self._range_bytes, RANGE_BYTES_MAX) if goes_on else RANGE_BYTES_MIN
        end = min(start + max(count, self._range_bytes if goes_on else count), self._stored_bytes)
        response = self._client.stream(self._key, start, end)
        if response is None:
            raise BlobDamaged(self._storage_key, f"the object is missing or ends before stored byte {end}")
        self._response, self._at, self._end = response, start, end
        _, _, total = response.headers.get("Content-Range", "").partition("/")
        if total != str(self._stored_bytes):
            self.close()
            raise BlobDamaged(self._storage_key, f"the object has {total} stored bytes, not {self._stored_bytes}")
