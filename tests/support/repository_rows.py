"""Rows of every kind that can hang on a repository, written without any service."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from entrepot.store.metadata import schema


def fill_repository(connection: Connection, repository_id: int, lease_end: int = 1) -> None:
    """An image with a tag, an index over it, a referrer, a blob link, and two uploads, one of them leased."""
    domain_id = connection.scalar(select(schema.repository.c.domain_id).where(schema.repository.c.id == repository_id))
    blob_id = _id(
        connection.execute(
            insert(schema.blob).returning(schema.blob.c.id),
            {
                "domain_id": domain_id,
                "digest": f"sha256:blob-of-{repository_id}",
                "size_bytes": 3,
                "storage_key": f"blob-{repository_id}",
                "store": "memory",
                "format": 0,
                "frame_bytes": 0,
                "created_at": 1,
            },
        ).scalar()
    )
    link = {"repository_id": repository_id, "blob_id": blob_id, "linked_at": 1, "keep_until": 2}
    connection.execute(insert(schema.repository_blob), link)
    image, index, _ = (insert_manifest(connection, repository_id, name) for name in ("image", "index", "referrer"))
    tag = {"repository_id": repository_id, "name": "V1", "name_lower": "v1", "manifest_id": image, "tagged_at": 1}
    connection.execute(insert(schema.tag), tag)
    reference = {"repository_id": repository_id, "position": 0, "media_type": "a/b"}
    connection.execute(
        insert(schema.manifest_reference),
        [
            {**reference, "manifest_id": image, "kind": "layer", "blob_id": blob_id, "child_id": None},
            {**reference, "manifest_id": index, "kind": "child", "blob_id": None, "child_id": image},
        ],
    )
    connection.execute(insert(schema.resource_tag), {"repository_id": repository_id, "key": "filled", "value": "yes"})
    connection.execute(insert(schema.anonymous_pull), {"repository_id": repository_id, "created_at": 1})
    policy = {"repository_id": repository_id, "document": "{}", "principals": "{}"}
    connection.execute(insert(schema.repository_policy), policy)
    _upload(connection, repository_id, "idle", None)
    _upload(connection, repository_id, "leased", lease_end)


def insert_manifest(connection: Connection, repository_id: int, name: str) -> int:
    """An image without references, whose digest is `sha256:` and `name`; its row id."""
    statement = insert(schema.manifest).returning(schema.manifest.c.id)
    values = {
        "repository_id": repository_id,
        "digest": f"sha256:{name}",
        "media_type": "a/b",
        "size_bytes": 2,
        "image_size_bytes": 5,
        "status": "ACTIVE",
        "pushed_at": 1,
        "raw": b"{}",
    }
    return _id(connection.execute(statement, values).scalar())


def _upload(connection: Connection, repository_id: int, name: str, lease_end: int | None) -> None:
    upload_id = f"upload-{repository_id}-{name}"
    values = {
        "id": upload_id,
        "repository_id": repository_id,
        "account_id": "123456789012",
        "kind": "oci",
        "storage_key": upload_id,
        "store": "memory",
        "format": 0,
        "frame_bytes": 0,
        "algorithm": "sha256",
        "offset_bytes": 0,
        "tail_bytes": 0,
        "lease": None if lease_end is None else "writer",
        "lease_expires_at": lease_end,
        "parts": 0,
        "last_part_bytes": 0,
        "has_short_part": False,
        "created_at": 1,
        "expires_at": 2,
    }
    connection.execute(insert(schema.upload), values)
    segment = {"upload_id": upload_id, "number": 1, "name": "s", "stored_bytes": 1}
    connection.execute(insert(schema.upload_segment), segment)


def _id(value: int | None) -> int:
    assert value is not None
    return value
