"""The one read of a request: what it tells of things that are there, and of things that are not."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.sqlite import dialect

from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageStatus
from entrepot.domain.media_type import OCI_MANIFEST
from entrepot.domain.reference import Reference, Tag
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.store.metadata import view
from entrepot.store.metadata.keyed_statement import KeyedStatement
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.image import NAME, Shelf
from tests.support.service import ACCOUNT, REGISTRY

NOBODY = "999999999999"


async def test_an_image_is_seen_by_tag_and_by_digest(shelf: Shelf) -> None:
    raw = await shelf.image("1", "v1")
    for reference in (Tag("v1"), Digest.of(raw)):
        seen = await shelf.images.view(ACCOUNT, REGISTRY, NAME, reference)
        assert seen.image is not None
        assert (seen.image.digest, seen.image.media_type) == (Digest.of(raw), OCI_MANIFEST)
        assert (seen.image.size_bytes, seen.image.status) == (len(raw), ImageStatus.ACTIVE)
        assert (seen.image.registry, seen.image.repository) == (REGISTRY, NAME)
        assert seen.repository is not None
        assert (seen.repository.id, seen.repository.name) == (shelf.repository_id, NAME)
        assert seen.caller_epoch == seen.owner_epoch is not None


async def test_settings_and_filters_of_the_repository_are_read(fixed_shelf: Shelf) -> None:
    seen = await fixed_shelf.images.view(ACCOUNT, REGISTRY, fixed_shelf.name, Tag("none"))
    assert seen.repository is not None
    mutability = seen.repository.settings.tag_mutability
    assert (mutability.is_fixed(Tag("v1")), mutability.is_fixed(Tag("dev-1"))) == (True, False)
    assert seen.repository.settings.scan_on_push is False


@pytest.mark.parametrize("reference", [Tag("v1"), Digest.of(b"")])
async def test_what_is_missing_is_none_and_the_rest_is_told(shelf: Shelf, reference: Reference) -> None:
    there = await shelf.images.view(ACCOUNT, REGISTRY, NAME, reference)
    assert (there.repository is not None, there.image) == (True, None)
    for registry, name in (
        (REGISTRY, RepositoryName("team/none")),
        (Registry(ACCOUNT, "eu-west-1"), NAME),
        (Registry(NOBODY, "us-east-1"), NAME),
    ):
        seen = await shelf.images.view(ACCOUNT, registry, name, reference)
        assert (seen.repository, seen.image, seen.caller_epoch) == (None, None, there.caller_epoch)
        assert (seen.owner_epoch is None) == (registry.account_id == NOBODY)
    assert (await shelf.images.view(NOBODY, REGISTRY, NAME, reference)).caller_epoch is None


async def test_an_image_of_another_repository_is_not_seen(shelf: Shelf, fixed_shelf: Shelf) -> None:
    raw = await fixed_shelf.image("1", "v1")
    for reference in (Tag("v1"), Digest.of(raw)):
        assert (await shelf.images.view(ACCOUNT, REGISTRY, NAME, reference)).image is None


async def test_a_blob_is_seen_only_where_it_is_linked(shelf: Shelf, fixed_shelf: Shelf) -> None:
    await fixed_shelf.link(b"layer", keep_until=7)

    async def blob_in(name: RepositoryName) -> object:
        seen = await shelf.database.lookup(
            lambda connection: view.view_blob(connection, ACCOUNT, REGISTRY, name, Digest.of(b"layer"))
        )
        assert seen.repository is not None
        return seen.blob and (seen.blob.digest, seen.blob.size_bytes, seen.blob.is_referenced)

    assert await blob_in(NAME) is None
    assert await blob_in(fixed_shelf.name) == (Digest.of(b"layer"), 5, False)
    await fixed_shelf.image("layer")
    assert await blob_in(fixed_shelf.name) == (Digest.of(b"layer"), 5, True)


@pytest.mark.parametrize(
    "statement", [view._REPOSITORY_ONLY, view._IMAGE_BY_TAG, view._IMAGE_BY_DIGEST, view._BLOB_BY_DIGEST]
)
async def test_every_row_is_found_by_an_index(sqlite_database: SqliteDatabase, statement: KeyedStatement) -> None:
    explain = text(f"EXPLAIN QUERY PLAN {statement.statement.compile(dialect=dialect(paramstyle='named'))}")
    values = dict.fromkeys(("caller", "owner", "region", "repository", "reference"), "x")
    names = statement.statement.compile().params.keys()
    plan = await sqlite_database.read(
        lambda connection: [row.detail for row in connection.execute(explain, {name: values[name] for name in names})]
    )
    scans = [step for step in plan if step.startswith("SCAN") and step not in ("SCAN request", "SCAN CONSTANT ROW")]
    assert (scans, any("MATERIALIZE" in step for step in plan)) == ([], False)
    assert sum(step.startswith("SEARCH") for step in plan) >= 4
