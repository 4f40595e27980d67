"""Repositories of many images, made as rows without bytes: what metadata costs, not what layers weigh."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from entrepot.store.metadata import schema
from tests.support.registry_client import OCI_MANIFEST

TAGS_PER_IMAGE = 3
_BATCH_IMAGES = 5_000
_PARTS = (("config", 1_500), ("layer", 50_000_000))
_TYPES = {
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
_NOW = 1_750_000_000_000_000

Row = dict[str, Any]


def tag_name(number: int) -> str:
    """Tags in the order in which they are listed; the tags of an image follow each other."""
    return f"v{number:09d}"


def manifest_bytes(repository: str, number: int) -> bytes:
    """An image of a config and a layer of its own."""
    config, layer = (_descriptor(repository, number, kind, size) for kind, size in _PARTS)
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}).encode()


def fill(connection: Connection, repository: str, images: int) -> None:
    """Images with tags, references, blobs and links for an empty repository, as that many pushes would leave them.

    Committed in batches: one transaction of a million images would fill the log instead of the file.
    """
    place = select(schema.repository.c.id, schema.repository.c.domain_id).where(schema.repository.c.name == repository)
    repository_id, domain_id = connection.execute(place).one()
    first_image, first_blob = _free_id(connection, schema.manifest), _free_id(connection, schema.blob)
    made = (
        _image(repository, number, repository_id, domain_id, first_image + number, first_blob + 2 * number)
        for number in range(images)
    )
    while batch := list(islice(made, _BATCH_IMAGES)):
        for table in batch[0]:
            connection.execute(insert(table), [row for rows in batch for row in rows[table]])
        connection.commit()
    if connection.dialect.name == "postgresql":
        _settle(connection)


def _settle(connection: Connection) -> None:
    """What sequences and the autovacuum of a real server would know by now."""
    for table in ("manifest", "blob"):
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")  # noqa: S608
        )
    connection.execute(text("ANALYZE"))
    connection.commit()


def _free_id(connection: Connection, table: Table) -> int:
    return (connection.scalar(select(func.max(table.c.id))) or 0) + 1


def _image(
    repository: str, number: int, repository_id: int, domain_id: int, image_id: int, blob_id: int
) -> dict[Table, list[Row]]:
    in_repository = {"repository_id": repository_id}
    tags = [tag_name(number * TAGS_PER_IMAGE + each) for each in range(TAGS_PER_IMAGE)]
    on_image = in_repository | {"manifest_id": image_id}
    return {
        schema.blob: [
            _blob(repository, number, domain_id, blob_id + place, *part) for place, part in enumerate(_PARTS)
        ],
        schema.repository_blob: [
            in_repository | {"blob_id": blob_id + place, "linked_at": _NOW, "keep_until": _NOW}
            for place in range(len(_PARTS))
        ],
        schema.manifest: [in_repository | {"id": image_id} | _manifest(repository, number)],
        schema.manifest_reference: [
            on_image | {"position": place, "kind": kind, "blob_id": blob_id + place, "media_type": _TYPES[kind]}
            for place, (kind, _) in enumerate(_PARTS)
        ],
        schema.tag: [on_image | {"name": name, "name_lower": name, "tagged_at": _NOW + number} for name in tags],
    }


def _manifest(repository: str, number: int) -> Row:
    raw = manifest_bytes(repository, number)
    return {
        "digest": "sha256:" + hashlib.sha256(raw).hexdigest(),
        "media_type": OCI_MANIFEST,
        "size_bytes": len(raw),
        "image_size_bytes": sum(size for _, size in _PARTS),
        "status": "ACTIVE",
        "pushed_at": _NOW + number,
        "raw": raw,
    }


def _blob(repository: str, number: int, domain_id: int, row_id: int, kind: str, size_bytes: int) -> Row:
    digest = _digest(repository, number, kind)
    return {
        "id": row_id,
        "domain_id": domain_id,
        "digest": digest,
        "size_bytes": size_bytes,
        "storage_key": digest[-32:],
        "store": "filesystem",
        "format": 0,
        "frame_bytes": 0,
        "created_at": _NOW,
    }


def _descriptor(repository: str, number: int, kind: str, size_bytes: int) -> Row:
    return {"mediaType": _TYPES[kind], "digest": _digest(repository, number, kind), "size": size_bytes}


def _digest(repository: str, number: int, kind: str) -> str:
    return "sha256:" + hashlib.sha256(f"{kind} {number} of {repository}".encode()).hexdigest()
