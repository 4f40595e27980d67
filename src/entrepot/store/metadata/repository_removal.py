"""Removal of a repository with everything that hangs on it, in the order that foreign keys allow."""

from __future__ import annotations

from sqlalchemy import Connection, case, delete, insert, literal, select, update

from entrepot.store.metadata.schema import (
    anonymous_pull,
    blob,
    doomed_object,
    manifest,
    manifest_reference,
    repository,
    repository_blob,
    repository_policy,
    resource_tag,
    tag,
    upload,
    upload_segment,
)

OWNED_TABLES = (
    tag,
    manifest_reference,
    manifest,
    repository_blob,
    resource_tag,
    repository_policy,
    anonymous_pull,
    upload,
)
"""Tables with a `repository_id`, each before those that it refers to. References of indexes go with all others."""


def delete_repository(connection: Connection, repository_id: int, now_micros: int) -> None:
    """Delete a repository that the caller holds for deletion.

    Bytes of uploads under way are doomed, each after its writer's lease. Blobs lose their links; the collector
    finds those without any.
    """
    _doom_uploads(connection, repository_id, now_micros)
    uploads = select(upload.c.id).where(upload.c.repository_id == repository_id)
    connection.execute(delete(upload_segment).where(upload_segment.c.upload_id.in_(uploads.scalar_subquery())))
    held = select(repository_blob.c.blob_id).where(repository_blob.c.repository_id == repository_id)
    connection.execute(update(blob).where(blob.c.id.in_(held)).values(is_loose=True))
    for table in OWNED_TABLES:
        connection.execute(delete(table).where(table.c.repository_id == repository_id))
    connection.execute(delete(repository).where(repository.c.id == repository_id))


def _doom_uploads(connection: Connection, repository_id: int, now_micros: int) -> None:
    not_before = case((upload.c.lease_expires_at > now_micros, upload.c.lease_expires_at), else_=literal(now_micros))
    columns = upload.c
    doomed = select(columns.storage_key, columns.store, not_before, columns.appends, columns.store_parts > 0)
    names = ["storage_key", "store", "not_before", "appends", "has_parts"]
    connection.execute(insert(doomed_object).from_select(names, doomed.where(columns.repository_id == repository_id)))
