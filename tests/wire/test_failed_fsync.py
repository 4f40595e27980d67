"""An fsync that fails, at each place of a push in turn: the client hears of it, and its next try is really on the disk.

What fsync could not write the kernel may drop, and the next fsync of the same file says that all is well. So a push
that is tried again must write again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from entrepot.domain.digest import Digest
from entrepot.domain.repository import RepositoryName
from tests.support.bytes import files_below, keys_of
from tests.support.database import SqliteAddress
from tests.support.failing_disk import FailingDisk
from tests.support.registry import RunningRegistry, running_registry
from tests.support.wire import Answer, Client, digest_of

SMALL, LARGE = b"at once", bytes(range(256)) * 2_500
UPLOADS = "/v2/app/blobs/uploads/"


@pytest.fixture
async def registry(disk: FailingDisk, sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """On the failing disk from its start."""
    del disk
    async with running_registry(sqlite_address, tmp_path / "data", free_space_reserve=0) as running:
        await running.create_repository("app")
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store"


@pytest.fixture
def disk(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingDisk]:
    disk = FailingDisk(store)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    yield disk
    monkeypatch.undo()
    disk.close()


class Pusher:
    """Pushes one blob; remembers its session, and begins a new one only when the registry does not know it any more."""

    def __init__(self, client: Client, data: bytes) -> None:
        self._client, self._data, self._location = client, data, ""
        self._path = f"/v2/app/blobs/{digest_of(data)}"

    async def in_one_request(self) -> Answer:
        return await self._client.send("POST", f"{UPLOADS}?digest={digest_of(self._data)}", body=self._data)

    async def with_put(self) -> Answer:
        await self._begin()
        return await self._end(self._data)

    async def with_patch(self) -> Answer:
        await self._begin()
        status = await self._client.send("GET", self._location)
        if status.status == 404:
            self._location = ""
            return status
        assert status.headers["Range"] == "0-0", "the session would go on with bytes that the disk dropped"
        await self._client.send("PATCH", self._location, body=self._data)
        return await self._end(b"")

    async def with_patches_and_put(self) -> Answer:
        """Docker's way, and the last bytes with the PUT; a session that stands where it stood goes on."""
        await self._begin()
        at = 0
        for end in (len(self._data) // 3, len(self._data) // 2):
            answer = await self._client.send("PATCH", self._location, _range(at, end), self._data[at:end])
            at = end
            assert answer.status in (202, 404, 416), answer
        return await self._end(self._data[at:], _range(at, len(self._data)))

    async def _begin(self) -> None:
        if not self._location:
            self._location = (await self._client.send("POST", UPLOADS)).headers["Location"]

    async def _end(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        answer = await self._client.send("PUT", f"{self._location}?digest={digest_of(self._data)}", headers, body)
        if answer.status == 404:
            self._location = ""
        return answer

    async def is_whole_or_missing(self) -> bool:
        """No half blob is served."""
        got = await self._client.send("GET", self._path)
        return got.status == 404 or (got.status == 200 and got.body == self._data)


def _range(start: int, end: int) -> dict[str, str]:
    return {"Content-Range": f"{start}-{end - 1}"}


WAYS: dict[str, tuple[bytes, Callable[[Pusher], Callable[[], Awaitable[Answer]]]]] = {
    "in one request": (SMALL, lambda pusher: pusher.in_one_request),
    "small": (SMALL, lambda pusher: pusher.with_put),
    "large in one request": (LARGE, lambda pusher: pusher.in_one_request),
    "large": (LARGE, lambda pusher: pusher.with_put),
    "chunks": (LARGE, lambda pusher: pusher.with_patch),
    "pieces": (LARGE, lambda pusher: pusher.with_patches_and_put),
    "small chunks": (SMALL, lambda pusher: pusher.with_patch),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_fsync_of_a_push(registry: RunningRegistry, disk: FailingDisk, store: Path, way: str) -> None:
    template, choose = WAYS[way]
    for place in count():
        data = template + b"%d" % place
        pusher = Pusher(registry.client, data)
        push = choose(pusher)
        disk.fail_at = place
        answer = await push()
        is_untouched = disk.fail_at is not None
        disk.fail_at = None
        assert (answer.status, is_untouched) in ((500, False), (201, True)), answer
        assert await pusher.is_whole_or_missing()
        tries = 0
        while answer.status != 201 and tries < 3:
            answer = await push()
            tries += 1
        assert answer.status == 201
        key = await _key_of(registry, digest_of(data))
        assert disk.would_keep(store / "blobs" / key[:2] / key), f"acknowledged, and lost with the power: {place}"
        assert (await registry.client.send("GET", f"/v2/app/blobs/{digest_of(data)}")).body == data
        if is_untouched:
            break
    assert disk.failed["directory"]
    assert disk.failed.total() > disk.failed["directory"]
    await _nothing_is_left_over(registry, store)


async def test_a_deletion_whose_fsync_fails_is_done_again(
    registry: RunningRegistry, disk: FailingDisk, store: Path
) -> None:
    digest = await registry.client.put_blob("app", SMALL)
    assert (await registry.client.send("DELETE", f"/v2/app/blobs/{digest}")).status == 202
    await registry.services.garbage.collect()
    registry.clock.advance(600)
    disk.fail_at = 0
    assert (await registry.services.upload.sweep()).objects == 0
    assert disk.failed == Counter({"directory": 1})
    synced: list[Path] = []
    disk.on_sync = synced.append
    assert (await registry.services.upload.sweep()).objects == 1
    assert [path.parent for path in synced] == [store / "blobs"]
    await _nothing_is_left_over(registry, store)


async def _key_of(registry: RunningRegistry, digest: str) -> str:
    home, name = registry.home, RepositoryName("app")
    view = await registry.services.blob.view(home.account_id, home, name, Digest.parse(digest))
    assert view.blob is not None
    return view.blob.storage_key


async def _nothing_is_left_over(registry: RunningRegistry, store: Path) -> None:
    for _ in range(3):
        registry.clock.advance(2 * 24 * 3600)
        await registry.services.garbage.collect()
        await registry.services.upload.sweep()
    left = sorted(path.name for path in files_below(store) if path.name != "store.id")
    assert left == sorted(await keys_of(registry.database)) == []
