"""Many workers push, tag and delete the same few images: only documented refusals, and everything still fits."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from sqlalchemy import Connection, func, select

from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    ImageNotFound,
    ImageReferencedByManifestList,
    ImageTagAlreadyExists,
    ReferencedImagesNotFound,
)
from entrepot.domain.reference import ImageId, Tag
from entrepot.service.context import Context
from entrepot.service.image import ImageService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from tests.support.image import Shelf, image_manifest, index_manifest
from tests.support.service import REGISTRY

REFUSALS = (ImageNotFound, ImageReferencedByManifestList, ImageTagAlreadyExists, ReferencedImagesNotFound)
WORKERS, STEPS = 8, 25
IMAGES = [image_manifest(layers=[b"shared", bytes([48 + number])]) for number in range(3)]
MANIFESTS = [*IMAGES, index_manifest(IMAGES[:2]), index_manifest(IMAGES[1:])]
TAGS = ["v1", "v2", "dev-1", "dev-2"]


async def work(shelf: Shelf, seed: int, done: Counter[str]) -> None:
    chance = random.Random(seed)
    for _ in range(STEPS):
        raw, tags = chance.choice(MANIFESTS), chance.sample(TAGS, chance.randint(0, 2))
        ids = [ImageId(Digest.of(raw))] if chance.random() < 0.5 else [ImageId(tag=Tag(tag)) for tag in tags]
        try:
            if chance.random() < 0.6:
                await shelf.put(raw, *tags)
                done["pushed"] += 1
            elif ids and chance.random() < 0.5:
                deleted, _ = await shelf.images.batch_delete(REGISTRY, shelf.name, ids)
                done["deleted"] += len(deleted)
            else:
                await shelf.images.delete(REGISTRY, shelf.name, Tag(chance.choice(TAGS)))
                done["deleted"] += 1
        except REFUSALS:
            done["refused"] += 1


def unreferenced_in_time(connection: Connection) -> int:
    """Links without a reference whose grace never began."""
    references = (
        select(schema.manifest_reference.c.blob_id)
        .where(schema.manifest_reference.c.blob_id == schema.repository_blob.c.blob_id)
        .exists()
    )
    expired = schema.repository_blob.c.keep_until == 0
    return connection.scalar(select(func.count()).select_from(schema.repository_blob).where(~references, expired)) or 0


async def test_many_workers_leave_a_repository_that_fits(
    fixed_shelf: Shelf, second_database: Database, context: Context
) -> None:
    await fixed_shelf.link(b"{}", b"shared", b"0", b"1", b"2")
    for raw in MANIFESTS:
        await fixed_shelf.put(raw)
    other = Shelf(second_database, ImageService(second_database, context), fixed_shelf.repository_id, fixed_shelf.name)
    done: Counter[str] = Counter()
    await asyncio.gather(*(work((fixed_shelf, other)[seed % 2], seed, done) for seed in range(WORKERS)))
    assert done["pushed"] > WORKERS
    assert done["deleted"] > WORKERS
    manifests = {row.id: row.digest for row in await fixed_shelf.rows(schema.manifest)}
    children = Counter(row.manifest_id for row in await fixed_shelf.rows(schema.manifest_reference))
    assert set(children) == set(manifests)
    expected = {str(Digest.of(raw)): 3 if raw in IMAGES else 2 for raw in MANIFESTS}
    assert {manifests[row_id]: count for row_id, count in children.items()} == {
        digest: expected[digest] for digest in manifests.values()
    }
    assert await fixed_shelf.database.read(unreferenced_in_time) == 0
