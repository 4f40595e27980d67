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
from typing import ParamSpec, Protocol, TypeVar

import structlog

from entrepot.domain.error import StorageUnavailable, Throttled
from entrepot.domain.key import KEY_BYTES
from entrepot.domain.sealed_key import SealedKey
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.repository_key import RepositoryKeys
from entrepot.service.wrapped_key import unwrap, wrap
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


@dataclass(frozen=True, slots=True)
class NewObject:
    """Where a new upload's bytes go; both keys are None when they are stored plain."""

    storage_key: str
    store: str
    format: Format
    frame_bytes: int
    wrapped_key: bytes | None
    """By the domain's key."""
    link_key: bytes | None = None
    """By the repository's key."""


class StoredObject(Protocol):
    """A row that says where the bytes of an object are and under which keys."""

    @property
    def domain_id(self) -> int: ...
    @property
    def storage_key(self) -> str: ...
    @property
    def format(self) -> int: ...
    @property
    def frame_bytes(self) -> int: ...
    @property
    def wrapped_key(self) -> bytes | None: ...
    @property
    def link_key(self) -> bytes | None: ...
    @property
    def seal(self) -> SealedKey | None: ...


class Storage:
    """The bytes of one process. `is_encrypting` decides for new uploads only; rows say how theirs are read."""

    def __init__(
        self,
        store: BlobStore,
        keys: KeyService,
        context: Context,
        repository_keys: RepositoryKeys | None = None,
        *,
        is_encrypting: bool = True,
    ) -> None:
        self.store = store
        self.repository_keys = repository_keys or RepositoryKeys()
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

    async def new_object(self, domain_id: int, seal: SealedKey | None = None) -> NewObject:
        """Choose a storage key and, unless stored plain, data keys, wrapped by the domain's or the repository's.

        Raises:
            KeyRefused, KeyProviderAway: the repository's key cannot be opened.
        """
        storage_key, place = self._context.random_bytes(STORAGE_KEY_BYTES).hex(), self.store.name
        if seal is not None:
            link_key = self._new_key(await self.repository_keys.open(seal), storage_key)
            if not seal.is_doubled:
                return NewObject(storage_key, place, Format.FRAMES, FRAME_BYTES, None, link_key)
            outer = self._new_key(await self._keys.domain_key(domain_id), storage_key)
            return NewObject(storage_key, place, Format.DOUBLE_FRAMES, FRAME_BYTES, outer, link_key)
        if not self._is_encrypting:
            return NewObject(storage_key, place, Format.PLAIN, FRAME_BYTES, None)
        wrapped = self._new_key(await self._keys.domain_key(domain_id), storage_key)
        return NewObject(storage_key, place, Format.FRAMES, FRAME_BYTES, wrapped)

    async def location(self, row: StoredObject) -> Location:
        """Where an object is, with its keys unwrapped.

        Raises:
            SealBroken: a key does not open, or was wrapped for another object.
            KeyRefused, KeyProviderAway: the repository's key cannot be opened.
        """
        layout, key = Format(row.format), row.storage_key
        of_domain = of_repository = None
        if row.wrapped_key is not None:
            of_domain = unwrap(await self._keys.domain_key(row.domain_id), key, row.wrapped_key)
        if row.seal is not None:
            opened = await self.repository_keys.open(row.seal)
            of_repository = None if row.link_key is None else unwrap(opened, key, row.link_key)
        if layout is Format.DOUBLE_FRAMES:
            return Location(key, layout, row.frame_bytes, of_repository, of_domain)
        return Location(key, layout, row.frame_bytes, of_domain if of_repository is None else of_repository)

    def _new_key(self, wrapping: bytes, storage_key: str) -> bytes:
        """A data key, wrapped."""
        return wrap(wrapping, storage_key, self._context.random_bytes(KEY_BYTES), self._context.random_bytes)

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
