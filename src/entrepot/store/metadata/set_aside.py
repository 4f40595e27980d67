"""Rows set aside: what is broken leaves its table, whole and readable, and is never deleted.

On PostgreSQL links are locked before references are counted, as whoever deletes a blob does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, select, tuple_, update

from entrepot.store.metadata.schema import (
    blob,
    manifest,
    manifest_reference,
    metadata,
    repository_blob,
    set_aside_row,
    tag,
)

_AT_ONCE = 500


def set_aside(connection: Connection, table: Table, where: ColumnElement[bool], reason: str, now: int) -> int:
    """Move the rows of a table; how many there were. `now` in microseconds UTC.

    Raises:
        IntegrityError: other rows refer to one of them.
    """
    rows = connection.execute(select(table).where(where)).mappings().all()
    if rows:
        connection.execute(
            set_aside_row.insert(),
            [
                {
                    "table_name": table.name,
                    "content": json.dumps({name: _plain(value) for name, value in row.items()}),
                    "reason": reason,
                    "set_aside_at": now,
                }
                for row in rows
            ],
        )
        connection.execute(delete(table).where(where))
    return len(rows)


def set_aside_by_key(connection: Connection, table_name: str, key: str, reason: str, now: int) -> int:
    """Move one row, named by the values of its primary key with slashes between them."""
    table = metadata.tables[table_name]
    columns = list(table.primary_key.columns)
    values = key.split("/", len(columns) - 1)
    typed = [column.type.python_type(value) for column, value in zip(columns, values, strict=True)]
    return set_aside(connection, table, tuple_(*columns) == tuple_(*typed), reason, now)


def set_aside_images(connection: Connection, image_ids: Sequence[int], reason: str, now: int, keep_until: int) -> int:
    """Move images with their tags and references; what they alone held is kept until `keep_until` (microseconds).

    `image_ids` has with every image the indexes above it.
    """
    moved = 0
    for start in range(0, len(image_ids), _AT_ONCE):
        ids = image_ids[start : start + _AT_ONCE]
        connection.execute(
            select(manifest.c.id).where(manifest.c.id.in_(ids)).order_by(manifest.c.id).with_for_update()
        )
        set_aside(connection, tag, tag.c.manifest_id.in_(ids), reason, now)
        blob_ids = select(manifest_reference.c.blob_id).where(manifest_reference.c.manifest_id.in_(ids))
        held = list(connection.scalars(blob_ids.distinct()))
        set_aside(connection, manifest_reference, manifest_reference.c.manifest_id.in_(ids), reason, now)
        _keep(connection, held, keep_until)
    for start in range(0, len(image_ids), _AT_ONCE):  # when no reference between them is left
        ids = image_ids[start : start + _AT_ONCE]
        moved += set_aside(connection, manifest, manifest.c.id.in_(ids), reason, now)
    return moved


def set_aside_blob(connection: Connection, blob_id: int, reason: str, now: int) -> bool:
    """Move a blob and the links to it; whether it was there. No image references it any more."""
    set_aside(connection, repository_blob, repository_blob.c.blob_id == blob_id, reason, now)
    return set_aside(connection, blob, blob.c.id == blob_id, reason, now) == 1


def lock_links(connection: Connection, blob_id: int) -> None:
    """Keep everybody from referencing a blob until the transaction ends."""
    links = select(repository_blob.c.repository_id).where(repository_blob.c.blob_id == blob_id)
    connection.execute(links.order_by(repository_blob.c.repository_id).with_for_update()).all()


def _keep(connection: Connection, blob_ids: Sequence[int | None], keep_until: int) -> None:
    is_referenced = exists().where(
        manifest_reference.c.repository_id == repository_blob.c.repository_id,
        manifest_reference.c.blob_id == repository_blob.c.blob_id,
    )
    for start in range(0, len(blob_ids), _AT_ONCE):
        ids = [one for one in blob_ids[start : start + _AT_ONCE] if one is not None]
        connection.execute(
            update(repository_blob)
            .where(repository_blob.c.blob_id.in_(ids), repository_blob.c.keep_until < keep_until, ~is_referenced)
            .values(keep_until=keep_until, is_settled=False)
        )


def _plain(value: object) -> object:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
