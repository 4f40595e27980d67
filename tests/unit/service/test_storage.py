"""Storage: keys of objects, and work in threads that always ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from entrepot.domain.error import Throttled
from entrepot.domain.key import SealBroken
from entrepot.domain.sealed_key import SealedKey
from entrepot.service import storage as module
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.storage import PUBLISHERS, Storage
from entrepot.store.blob.base import FRAME_BYTES, Format
from entrepot.store.blob.memory import MemoryBlobStore
from entrepot.store.metadata.base import Database


@dataclass(frozen=True)
class StoredAt:
    """What a row says of an object that no KMS key protects."""

    domain_id: int
    storage_key: str
    format: int
    wrapped_key: bytes | None
    frame_bytes: int = FRAME_BYTES
    link_key: bytes | None = None
    seal: SealedKey | None = None


@pytest.fixture
async def storage(key_service: KeyService, context: Context) -> AsyncIterator[Storage]:
    made = Storage(MemoryBlobStore(), key_service, context)
    yield made
    await made.close()


async def test_data_key_opens_only_for_its_object_and_domain(
    storage: Storage, database: Database, key_service: KeyService
) -> None:
    one = await database.write(lambda connection: key_service.new_domain(connection, "account:1"))
    two = await database.write(lambda connection: key_service.new_domain(connection, "account:2"))
    made = await storage.new_object(one)
    other = await storage.new_object(one)
    assert made.wrapped_key is not None
    assert other.wrapped_key is not None
    where = await storage.location(StoredAt(one, made.storage_key, made.format, made.wrapped_key))
    assert where.data_key is not None
    assert where.data_key not in made.wrapped_key
    assert repr(where.data_key) not in repr(where)
    broken = [
        (two, made.storage_key, made.wrapped_key),
        (one, other.storage_key, made.wrapped_key),
        (one, made.storage_key, b"\2" + made.wrapped_key[1:]),
        (one, made.storage_key, made.wrapped_key[:-1]),
        (one, made.storage_key, b"\1"),
    ]
    for domain_id, key, wrapped in broken:
        with pytest.raises(SealBroken):
            await storage.location(StoredAt(domain_id, key, made.format, wrapped))


async def test_plain_objects_have_no_key(key_service: KeyService, context: Context) -> None:
    storage = Storage(MemoryBlobStore(), key_service, context, is_encrypting=False)
    made = await storage.new_object(1)
    assert (made.format, made.wrapped_key) == (Format.PLAIN, None)
    assert (await storage.location(StoredAt(1, made.storage_key, made.format, None))).data_key is None
    await storage.close()


async def test_cancelled_caller_goes_on_only_after_the_work(storage: Storage) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    task = asyncio.create_task(storage.write(work))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_errors_of_work_arrive(storage: Storage) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    for run in (storage.read, storage.write, storage.publish):
        with pytest.raises(ZeroDivisionError):
            await run(fail)


async def test_many_who_wait_for_a_key_take_no_thread_from_who_has_it(storage: Storage) -> None:
    order: list[int] = []

    async def publish(number: int) -> None:
        async with storage.hold("abcd"):
            order.append(number)
            await storage.publish(lambda: order.append(number))

    await asyncio.wait_for(asyncio.gather(*(publish(number) for number in range(3 * PUBLISHERS))), 10)
    assert order[::2] == order[1::2]


async def test_key_that_is_kept_for_long(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.0)
    async with storage.hold("abcd"):
        with pytest.raises(Throttled):
            async with storage.hold("abcd"):
                pass


async def test_hold_is_given_back_after_an_error(storage: Storage) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with storage.hold("abcd"):
                raise ZeroDivisionError
