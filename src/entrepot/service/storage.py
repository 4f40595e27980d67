"""Storage: the blob store with the keys of its objects, and the pools of threads that its work runs in.

Reading, writing and publishing have a pool each, so that a slow fsync holds up neither uploads nor downloads. Work
in a pool always ends before the coroutine that asked for it goes on, even when that is cancelled: nobody closes a
file or gives up a lock under a thread that still writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.domain.error import StorageUnavailable, Throttled
from entrepot.domain.key import KEY_BYTES, SealBroken
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.blob.base import FRAME_BYTES, BlobStore, Format, Location, Staging

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
WRITERS = 4
PUBLISHERS = 4
MAKERS = 2
"""Threads that make small objects: more of them would only fight for the interpreter between system calls."""
FAR_THREADS = 16
"""Of each kind, for a store that is reached over a network: they wait rather than work."""
STORAGE_KEY_BYTES = 16
HOLD_SECONDS = 30.0
HOLD_POLL_SECONDS = 0.02
WRAP_VERSION = b"\x01"
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class NewObject:
    """Where a new upload's bytes go; `wrapped_key` is None when they are stored plain."""

    storage_key: str
    store: str
    format: Format
    frame_bytes: int
    wrapped_key: bytes | None


class Storage:
    """The bytes of one process. `is_encrypting` decides for new uploads only; rows say how theirs are read."""

    def __init__(self, store: BlobStore, keys: KeyService, context: Context, *, is_encrypting: bool = True) -> None:
        self.store = store
        self._keys = keys
        self._context = context
        self._is_encrypting = is_encrypting
        here = (READERS, WRITERS, PUBLISHERS, MAKERS)
        readers, writers, publishers, makers = (FAR_THREADS,) * 4 if store.is_shared else here
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="blob-read")
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="blob-write")
        self._publishers = ThreadPoolExecutor(publishers, thread_name_prefix="blob-publish")
        self._makers = ThreadPoolExecutor(makers, thread_name_prefix="blob-make")

    async def close(self) -> None:
        """Finish what is under way and end the threads."""
        for pool in (self._readers, self._writers, self._publishers, self._makers):
            await asyncio.to_thread(pool.shutdown)

    async def new_object(self, domain_id: int) -> NewObject:
        """Choose a storage key and, unless stored plain, a data key wrapped by the domain's."""
        storage_key = self._context.random_bytes(STORAGE_KEY_BYTES).hex()
        if not self._is_encrypting:
            return NewObject(storage_key, self.store.name, Format.PLAIN, FRAME_BYTES, None)
        data_key = self._context.random_bytes(KEY_BYTES)
        nonce = self._context.random_bytes(NONCE_BYTES)
        cipher = AESGCM(await self._keys.domain_key(domain_id))
        wrapped = WRAP_VERSION + nonce + cipher.encrypt(nonce, data_key, _bound_to(storage_key))
        return NewObject(storage_key, self.store.name, Format.FRAMES, FRAME_BYTES, wrapped)

    async def location(
        self, domain_id: int, storage_key: str, layout: int, frame_bytes: int, wrapped_key: bytes | None
    ) -> Location:
        """Where an object is, with its key unwrapped.

        Raises:
            SealBroken: the key does not open, or was wrapped for another object.
        """
        if wrapped_key is None:
            return Location(storage_key, Format(layout), frame_bytes)
        data_key = _unwrap(await self._keys.domain_key(domain_id), storage_key, wrapped_key)
        return Location(storage_key, Format(layout), frame_bytes, data_key)

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work that a download waits for."""
        return await finished(_start(self._readers, lambda: work(*args, **kwargs)))

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work on what an upload stages."""
        return await finished(self.start_write(work, *args, **kwargs))

    def start_write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """The same without waiting; the caller sees to it that it is `finished`."""
        return _start(self._writers, lambda: work(*args, **kwargs))

    async def publish(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work that may take seconds: joining, fsync, hashing again, removing."""
        return await finished(_start(self._publishers, lambda: work(*args, **kwargs)))

    async def make(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work that makes a small object, which need not wait behind large ones."""
        return await finished(_start(self._makers, lambda: work(*args, **kwargs)))

    async def discard(self, staging: Staging) -> None:
        """Remove what was staged for an upload that ended. A store that will not is asked again by the sweeper."""
        try:
            await self.publish(self.store.discard, staging)
        except (OSError, StorageUnavailable):
            log.exception("discard.failed", storage_key=staging.storage_key)

    async def delete(self, staging: Staging) -> None:
        """Remove a doomed object that nobody ever read ahead of the sweeper, which will look for it all the same."""
        try:
            await self.publish(self.store.delete, staging)
        except (OSError, StorageUnavailable):
            log.exception("delete.failed", storage_key=staging.storage_key)

    async def remove_pieces(self, storage_key: str, names: Sequence[str]) -> None:
        """Remove pieces that an acknowledged append replaced. What stays goes with the rest of the staging."""
        try:
            for name in names:
                await self.write(self.store.remove_piece, storage_key, name)
        except (OSError, StorageUnavailable):
            log.exception("remove_pieces.failed", storage_key=storage_key)

    @asynccontextmanager
    async def hold(self, storage_key: str) -> AsyncIterator[None]:
        """Be the only one, over all processes of this machine, who publishes under this key. Nobody waits in a thread.

        Raises:
            Throttled: another one keeps it for long.
        """
        deadline = time.monotonic() + HOLD_SECONDS
        while (hold := await self.publish(self.store.hold, storage_key)) is None:
            if time.monotonic() > deadline:
                raise Throttled
            await asyncio.sleep(HOLD_POLL_SECONDS)
        try:
            yield
        finally:
            hold.release()


async def finished(future: asyncio.Future[T]) -> T:
    """Wait for work in a pool to end, whatever happens, and only then hear of a cancellation."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # seen: nobody is left to hear of it
        raise cancelled
    return future.result()


def _start(pool: ThreadPoolExecutor, work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(pool, work)


def _unwrap(domain_key: bytes, storage_key: str, wrapped: bytes) -> bytes:
    nonce, sealed = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
    if wrapped[:1] != WRAP_VERSION:
        raise SealBroken("blob-key")
    try:
        return AESGCM(domain_key).decrypt(nonce, sealed, _bound_to(storage_key))
    except (InvalidTag, ValueError) as error:
        raise SealBroken("blob-key") from error


def _bound_to(storage_key: str) -> bytes:
    return b"blob-key\0" + storage_key.encode()
