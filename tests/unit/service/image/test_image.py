"""Reading images: the one read, bytes by row id, batches by id."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from entrepot.domain.digest import Digest
from entrepot.domain.error import ImageNotFound, LimitExceeded, RepositoryNotFound
from entrepot.domain.image import FailureCode, ImageFailure, ImageStatus
from entrepot.domain.media_type import DOCKER_MANIFEST, OCI_MANIFEST
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.repository import RepositoryName
from entrepot.domain.view import ImageRow
from entrepot.service.context import Context
from entrepot.service.image import ImageService
from entrepot.store.metadata import schema
from tests.support.image import NAME, Shelf, image_manifest
from tests.support.service import ACCOUNT, REGISTRY

NONE = RepositoryName("team/none")


async def row_of(shelf: Shelf, tag: str) -> ImageRow:
    row = (await shelf.images.view(ACCOUNT, REGISTRY, shelf.name, Tag(tag))).image
    assert row is not None
    return row


async def test_an_image_is_loaded_by_the_row_that_a_view_found(shelf: Shelf) -> None:
    raw = await shelf.image("1", "v1")
    image = await shelf.images.load(await row_of(shelf, "v1"))
    assert (image.raw, image.digest, image.media_type) == (raw, Digest.of(raw), OCI_MANIFEST)


async def test_a_large_manifest_is_loaded_too(shelf: Shelf) -> None:
    await shelf.link(b"{}")
    raw = image_manifest(annotations={"large": "x" * 1_000_000})
    await shelf.put(raw, "v1")
    row = await row_of(shelf, "v1")
    assert (row.size_bytes, (await shelf.images.load(row)).raw) == (len(raw), raw)


async def test_bytes_are_read_once(shelf: Shelf) -> None:
    raw = await shelf.image("1", "v1")
    row = await row_of(shelf, "v1")
    await shelf.images.load(row)
    await shelf.database.write(lambda c: c.execute(update(schema.manifest).values(raw=b"changed behind our back")))
    assert (await shelf.images.load(row)).raw == raw


async def test_an_image_deleted_after_its_view_is_not_found(shelf: Shelf) -> None:
    raw = await shelf.image("1", "v1")
    row = await row_of(shelf, "v1")
    await shelf.images.delete(REGISTRY, NAME, Tag("v1"))
    with pytest.raises(ImageNotFound) as caught:
        await shelf.images.load(row)
    assert caught.value.image_id == ImageId(Digest.of(raw))


async def test_a_batch_answers_each_id_once_as_it_was_asked(shelf: Shelf) -> None:
    first, second = await shelf.image("1", "a", "b"), await shelf.image("2", "c")
    ids = [
        ImageId(tag=Tag("a")),
        ImageId(Digest.of(second)),
        ImageId(tag=Tag("a")),
        ImageId(Digest.of(first), Tag("b")),
    ]
    got, failures = await shelf.images.batch_get(REGISTRY, NAME, ids, [])
    assert [(image_id, image.raw) for image_id, image in got] == [
        (ImageId(Digest.of(first), Tag("a")), first),
        (ImageId(Digest.of(second)), second),
        (ImageId(Digest.of(first), Tag("b")), first),
    ]
    assert failures == []


async def test_every_failure_of_a_batch_has_its_code(shelf: Shelf) -> None:
    raw = await shelf.image("1", "a")
    archived = await shelf.image("2", "z")
    status = update(schema.manifest).where(schema.manifest.c.digest == str(Digest.of(archived)))
    await shelf.database.write(lambda c: c.execute(status.values(status=ImageStatus.ARCHIVED.value)))
    expected = {
        ImageId(): FailureCode.MISSING_DIGEST_AND_TAG,
        ImageId(tag=Tag("none")): FailureCode.IMAGE_NOT_FOUND,
        ImageId(Digest.of(b"none")): FailureCode.IMAGE_NOT_FOUND,
        ImageId(Digest.of(b"none"), Tag("a")): FailureCode.IMAGE_TAG_DOES_NOT_MATCH_DIGEST,
        ImageId(Digest.of(raw), Tag("none")): FailureCode.IMAGE_NOT_FOUND,
        ImageId(tag=Tag("z")): FailureCode.IMAGE_INACCESSIBLE,
    }
    got, failures = await shelf.images.batch_get(REGISTRY, NAME, list(expected), [])
    assert (got, failures) == ([], [ImageFailure(image_id, code) for image_id, code in expected.items()])


async def test_media_types_that_are_not_accepted_are_not_found(shelf: Shelf) -> None:
    await shelf.image("1", "a")
    wanted = [ImageId(tag=Tag("a"))]
    got, failures = await shelf.images.batch_get(REGISTRY, NAME, wanted, [DOCKER_MANIFEST])
    assert (got, failures) == ([], [ImageFailure(wanted[0], FailureCode.IMAGE_NOT_FOUND)])
    got, failures = await shelf.images.batch_get(REGISTRY, NAME, wanted, [DOCKER_MANIFEST, OCI_MANIFEST])
    assert (len(got), failures) == (1, [])


async def test_a_batch_of_too_many_bytes_is_refused(shelf: Shelf) -> None:
    await shelf.image("1", "a")
    await shelf.database.write(lambda c: c.execute(update(schema.manifest).values(size_bytes=2**40)))
    with pytest.raises(LimitExceeded):
        await shelf.images.batch_get(REGISTRY, NAME, [ImageId(tag=Tag("a"))], [])


async def test_a_batch_of_a_missing_repository_is_refused(shelf: Shelf) -> None:
    with pytest.raises(RepositoryNotFound):
        await shelf.images.batch_get(REGISTRY, NONE, [ImageId(tag=Tag("a"))], [])


async def test_images_of_other_repositories_are_not_found(shelf: Shelf, fixed_shelf: Shelf) -> None:
    raw = await fixed_shelf.image("1", "a")
    for image_id in (ImageId(Digest.of(raw)), ImageId(tag=Tag("a"))):
        _, [failure] = await shelf.images.batch_get(REGISTRY, NAME, [image_id], [])
        assert failure.code is FailureCode.IMAGE_NOT_FOUND


async def test_a_batch_never_shows_an_image_that_went_before_its_bytes(shelf: Shelf, context: Context) -> None:
    await shelf.image("1", "a")
    images = ImageService(shelf.database, context)
    load = images.load

    async def load_late(row: ImageRow, *, is_pull: bool = True) -> object:
        await shelf.database.write(lambda c: [c.execute(delete(t)) for t in (schema.tag, schema.manifest_reference)])
        await shelf.database.write(lambda c: c.execute(delete(schema.manifest)))
        return await load(row, is_pull=is_pull)

    images.load = load_late  # type: ignore[assignment, method-assign]
    wanted = ImageId(tag=Tag("a"))
    assert await images.batch_get(REGISTRY, NAME, [wanted], []) == (
        [],
        [ImageFailure(wanted, FailureCode.IMAGE_NOT_FOUND)],
    )
