"""Intake: the bytes of one request on their way into the store.

Two buffers: while a thread hashes, encrypts and writes one, the request fills the other. With the frames of the
encrypting store an upload so takes less than 2 MiB of memory, however large it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.domain.digest import Digest
from entrepot.domain.error import SizeInvalid
from entrepot.domain.limit import LAYER_BYTES_MAX
from entrepot.service.storage import Storage, finished
from entrepot.store.blob.base import Appended, Writer

if TYPE_CHECKING:
    from hashlib import _Hash

BUFFER_BYTES = 512 * 1024

Body = AsyncIterator[bytes]


class BodyFailed(Exception):
    """The body broke off; `error` is what it raised. What came before it is staged."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Received:
    """What one request brought."""

    appended: Appended
    size_bytes: int
    """Plain bytes of this request."""
    state: _Hash | None
    """Hash of the upload's bytes from the first one on, if this worker saw them all."""

    @property
    def digest(self) -> Digest | None:
        """The digest of all bytes so far."""
        return None if self.state is None else Digest(self.state.name, self.state.hexdigest())


class Intake:
    """One append under way. `offset` is where it begins, `length` what the request announced.

    `begin` opens the store's writer; it blocks and is called in a thread when the first bytes go there.
    """

    def __init__(
        self, storage: Storage, begin: Callable[[], Writer], state: _Hash | None, offset: int, length: int | None
    ) -> None:
        self._storage = storage
        self._begin = begin
        self._writer: Writer | None = None
        self._state = state
        self._offset = offset
        self._length = length
        self._size_bytes = 0
        self._buffer_bytes = BUFFER_BYTES if length is None else min(length, BUFFER_BYTES)
        self._buffers = (bytearray(self._buffer_bytes), bytearray(self._buffer_bytes))
        self._filled = 0
        self._pending: asyncio.Future[Writer] | None = None

    async def take(self, body: Body) -> None:
        """Take the whole body.

        Raises:
            BodyFailed: it raised; what came before that can be finished.
            SizeInvalid: shorter or longer than announced, or more than a layer may have.
            StorageFull, StagingGone: what this request brought is worth nothing.
        """
        failed: Exception | None = None
        chunks = aiter(body)
        while True:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            except Exception as error:  # noqa: BLE001 - whatever a body raises is handed on
                failed = error
                break
            await self._add(memoryview(chunk))
            del chunk  # not kept until the next one comes, which may take long
        if failed is not None:
            raise BodyFailed(failed)
        if self._length is not None and self._size_bytes < self._length:
            raise SizeInvalid(f"{self._size_bytes} bytes came, {self._length} were announced")

    async def finish(self) -> Received:
        """Stage what is left in the buffer and the partial frame.

        Raises:
            StorageFull, StagingGone: as `take`.
        """
        await self._settle()
        if not self._size_bytes:
            return Received(Appended((), None, self._offset), 0, self._state)
        rest = memoryview(self._buffers[0])[: self._filled]
        return Received(await self._storage.write(self._finish, rest), self._size_bytes, self._state)

    async def close(self) -> None:
        """Let go of the append once no thread works on it any more, finished or not."""
        try:
            if self._pending is not None:
                await asyncio.wait([self._pending])
        finally:
            if self._pending is None or self._pending.done():
                self._close()
            else:  # cancelled a second time
                self._pending.add_done_callback(lambda _: self._close())

    async def _add(self, chunk: memoryview) -> None:
        self._size_bytes += len(chunk)
        self._check_size()
        while chunk:
            part = chunk[: self._buffer_bytes - self._filled]
            self._buffers[0][self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            chunk = chunk[len(part) :]
            if self._filled == self._buffer_bytes and (chunk or self._size_bytes != self._length):
                await self._hand_over()  # else these are the last bytes, which `finish` takes along

    async def _hand_over(self) -> None:
        """Have a thread work on the full buffer and go on with the other one."""
        await self._settle()
        full, empty = self._buffers
        self._pending = self._storage.start_write(self._process, memoryview(full)[: self._filled])
        self._buffers, self._filled = (empty, full), 0

    async def _settle(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            await finished(pending)

    def _process(self, data: memoryview) -> Writer:
        if self._state is not None:
            self._state.update(data)
        if self._writer is None:
            self._writer = self._begin()
        self._writer.write(data)
        return self._writer

    def _finish(self, rest: memoryview) -> Appended:
        return self._process(rest).finish()

    def _close(self) -> None:
        """What a request held goes now: its error holds the request, in a cycle that is collected much later."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._buffers = None, (bytearray(), bytearray())

    def _check_size(self) -> None:
        if self._length is not None and self._size_bytes > self._length:
            raise SizeInvalid(f"more than the {self._length} bytes announced came")
        if self._offset + self._size_bytes > LAYER_BYTES_MAX:
            raise SizeInvalid(f"a layer has at most {LAYER_BYTES_MAX} bytes")
