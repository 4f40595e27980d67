"""Fixtures: a repository that images can be pushed to without uploading bytes, and builders of manifests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, select

from entrepot.domain.digest import Digest
from entrepot.domain.media_type import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from entrepot.domain.page import PageRequest
from entrepot.domain.reference import Tag
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.domain.tag_mutability import Mode, TagMutability
from entrepot.service.context import Context
from entrepot.service.image import ImageService, PushedImage
from entrepot.service.repository import RepositoryService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database, insert
from tests.support.service import REGISTRY

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
NAME = RepositoryName("team/app")
EVERYTHING = PageRequest(10_000)


def descriptor(data: bytes, media_type: str = LAYER) -> dict[str, Any]:
    """A descriptor of some bytes."""
    return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}


def image_manifest(config: bytes = b"{}", layers: Sequence[bytes | dict[str, Any]] = (), **members: Any) -> bytes:
    """An OCI image manifest over bytes or descriptors; `members` are added or, if None, taken away."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, OCI_CONFIG),
        "layers": [layer if isinstance(layer, dict) else descriptor(layer) for layer in layers],
        **members,
    }
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def index_manifest(children: Sequence[bytes | dict[str, Any]], **members: Any) -> bytes:
    """An OCI index over manifests or descriptors."""
    manifests = [child if isinstance(child, dict) else descriptor(child, OCI_MANIFEST) for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **members}).encode()


def link_blob(connection: Connection, repository_id: int, data: bytes, keep_until: int = 0) -> int:
    """Write the rows of an uploaded blob without its bytes; its row id."""
    domain_id = connection.scalar(select(schema.repository.c.domain_id).where(schema.repository.c.id == repository_id))
    digest = str(Digest.of(data))
    blob = {
        "domain_id": domain_id,
        "digest": digest,
        "size_bytes": len(data),
        "storage_key": f"{domain_id}-{digest}",
        "store": "memory",
        "format": 0,
        "frame_bytes": 0,
        "created_at": 1,
    }
    connection.execute(insert(connection, schema.blob).values(blob).on_conflict_do_nothing())
    blob_id: int = connection.execute(
        select(schema.blob.c.id).where(schema.blob.c.domain_id == domain_id, schema.blob.c.digest == digest)
    ).scalar_one()
    link = {"repository_id": repository_id, "blob_id": blob_id, "linked_at": 1, "keep_until": keep_until}
    connection.execute(insert(connection, schema.repository_blob).values(link).on_conflict_do_nothing())
    return blob_id


@dataclass(frozen=True)
class Shelf:
    """A repository and the services around it, in few words for tests."""

    database: Database
    images: ImageService
    repository_id: int
    name: RepositoryName = NAME

    async def link(self, *blobs: bytes, keep_until: int = 0) -> None:
        """Make blobs present in the repository."""

        def change(connection: Connection) -> None:
            for data in blobs:
                link_blob(connection, self.repository_id, data, keep_until)

        await self.database.write(change)

    async def put(self, raw: bytes, *tags: str, is_idempotent: bool = True, **options: Any) -> PushedImage:
        """Push a manifest under tags."""
        given = {"declared_type": None, "digest": None, **options}
        return await self.images.put(
            REGISTRY, self.name, raw, tags=[Tag(tag) for tag in tags], is_idempotent=is_idempotent, **given
        )

    async def image(self, text: str, *tags: str, **members: Any) -> bytes:
        """Push an image of one layer that holds `text`; its manifest."""
        await self.link(b"{}", text.encode())
        raw = image_manifest(layers=[text.encode()], **members)
        await self.put(raw, *tags)
        return raw

    async def rows(self, table: Any) -> list[Any]:
        """All rows of a table."""
        return await self.database.read(lambda connection: list(connection.execute(select(table)).all()))

    async def tags(self) -> dict[str, str]:
        """Tag → digest, read from the tables."""
        joined = select(schema.tag.c.name, schema.manifest.c.digest).join(
            schema.manifest, schema.manifest.c.id == schema.tag.c.manifest_id
        )
        rows = await self.database.read(lambda connection: connection.execute(joined).all())
        return {row.name: row.digest for row in rows}


@pytest.fixture
def image_service(database: Database, context: Context) -> ImageService:
    return ImageService(database, context)


@pytest.fixture
async def shelf(database: Database, image_service: ImageService, repository_service: RepositoryService) -> Shelf:
    """A repository whose tags move."""
    made = await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    return Shelf(database, image_service, made.id)


@pytest.fixture
async def fixed_shelf(database: Database, image_service: ImageService, repository_service: RepositoryService) -> Shelf:
    """A repository whose tags are fixed, but those that begin with `dev-`."""
    mutability = TagMutability(Mode.IMMUTABLE_WITH_EXCLUSION, ("dev-*",))
    name = RepositoryName("team/fixed")
    made = await repository_service.create(REGISTRY, name, RepositorySettings(mutability), {})
    return Shelf(database, image_service, made.id, name)
