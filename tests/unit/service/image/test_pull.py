"""Last pull times: never written by a request, at most once per image and flush."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from entrepot.domain.image import ImageFilter
from entrepot.domain.reference import ImageId, Tag
from entrepot.service.context import Context
from entrepot.service.image.pull import PullLog
from entrepot.store.metadata.base import Database
from tests.support.image import EVERYTHING, NAME, Shelf
from tests.support.service import ACCOUNT, REGISTRY, Clock


async def pulled_at(shelf: Shelf) -> list[object]:
    page = await shelf.images.describe(REGISTRY, NAME, None, ImageFilter(), EVERYTHING)
    return [detail.pulled_at for detail in page.items]


async def pull(shelf: Shelf, tag: str, *, is_pull: bool = True) -> None:
    row = (await shelf.images.view(ACCOUNT, REGISTRY, NAME, Tag(tag))).image
    assert row is not None
    await shelf.images.load(row, is_pull=is_pull)


async def test_a_pull_shows_after_the_next_flush(shelf: Shelf, clock: Clock) -> None:
    await shelf.image("1", "a")
    await shelf.image("2", "b")
    clock.forward(seconds=61)
    first = clock.now
    await pull(shelf, "a")
    assert await pulled_at(shelf) == [None, None]
    assert await shelf.images.pulls.flush() == 1
    assert await pulled_at(shelf) == [first, None]


async def test_flushes_are_a_minute_apart_but_for_the_last(shelf: Shelf, clock: Clock) -> None:
    await shelf.image("1", "a")
    await pull(shelf, "a")
    clock.forward(seconds=59)
    assert await shelf.images.pulls.flush() == 0
    assert await shelf.images.pulls.flush(is_final=True) == 1


async def test_a_batch_counts_and_a_look_does_not(shelf: Shelf) -> None:
    await shelf.image("1", "a")
    await pull(shelf, "a", is_pull=False)
    assert await shelf.images.pulls.flush(is_final=True) == 0
    await shelf.images.batch_get(REGISTRY, NAME, [ImageId(tag=Tag("a"))], [])
    assert await shelf.images.pulls.flush(is_final=True) == 1


async def test_a_recent_time_is_not_written_again(shelf: Shelf, clock: Clock) -> None:
    await shelf.image("1", "a")
    first = clock.now
    await pull(shelf, "a")
    await shelf.images.pulls.flush(is_final=True)
    clock.forward(minutes=59)
    await pull(shelf, "a")
    await shelf.images.pulls.flush(is_final=True)
    assert await pulled_at(shelf) == [first]
    clock.forward(minutes=2)
    await pull(shelf, "a")
    await shelf.images.pulls.flush(is_final=True)
    assert await pulled_at(shelf) == [clock.now]


async def test_images_deleted_meanwhile_are_passed_over(shelf: Shelf) -> None:
    await shelf.image("1", "a")
    await pull(shelf, "a")
    await shelf.images.delete(REGISTRY, NAME, Tag("a"))
    assert await shelf.images.pulls.flush(is_final=True) == 1


async def test_what_could_not_be_written_waits_on(shelf: Shelf, database: Database, context: Context) -> None:
    await shelf.image("1", "a")
    log = PullLog(database, context)
    log.record(1)

    def rename(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE manifest RENAME TO hidden"))

    def restore(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE hidden RENAME TO manifest"))

    await database.write(rename)
    with pytest.raises(Exception, match="manifest"):
        await log.flush(is_final=True)
    await database.write(restore)
    assert await log.flush(is_final=True) == 1
