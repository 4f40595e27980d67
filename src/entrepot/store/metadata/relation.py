"""Relations between rows that verification asks for: each one statement, which both engines answer from one snapshot.

Foreign keys are asked too: an engine checks them as rows are written, not rows that a damaged disk brought back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKeyConstraint,
    Select,
    String,
    Table,
    and_,
    cast,
    exists,
    func,
    literal,
    select,
    update,
)

from entrepot.store.metadata.doomed import STAGING_SUFFIX
from entrepot.store.metadata.manifest_reference import IS_REFERENCED
from entrepot.store.metadata.schema import (
    blob,
    doomed_object,
    manifest,
    manifest_reference,
    metadata,
    repository,
    repository_blob,
    tag,
    upload,
)

SHOWN_MAX = 1000
"""Rows of one broken relation that are told; who has more has lost a table."""


@dataclass(frozen=True, slots=True)
class Relation:
    """An invariant over rows; `statement` finds those that break it by the values of their primary key."""

    invariant: str
    table: Table
    detail: str
    statement: Select[Any]


def relations() -> list[Relation]:
    """Every relation that must hold."""
    return [*_own_relations(), *_foreign_keys()]


def broken(connection: Connection, relation: Relation) -> list[tuple[Any, ...]]:
    """The primary keys of rows that break it."""
    return [tuple(row) for row in connection.execute(relation.statement.limit(SHOWN_MAX))]


def database_faults(connection: Connection) -> list[str]:
    """What SQLite finds wrong with its own file; PostgreSQL has programs of its own for that."""
    if connection.dialect.name != "sqlite":
        return []
    said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
    return [] if said == ["ok"] else said


def _own_relations() -> Iterator[Relation]:
    child = manifest.alias("child")
    of_tag = select(*_key(tag)).outerjoin(manifest, manifest.c.id == tag.c.manifest_id)
    is_foreign = manifest.c.id.is_(None) | (manifest.c.repository_id != tag.c.repository_id)
    yield Relation("tag-target", tag, "names no image of its repository", of_tag.where(is_foreign))
    is_other = tag.c.name_lower != func.lower(tag.c.name)
    yield Relation("tag-target", tag, "is ordered under another name", select(*_key(tag)).where(is_other))
    of_reference = select(*_key(manifest_reference)).join(manifest, manifest.c.id == manifest_reference.c.manifest_id)
    is_stray = manifest.c.repository_id != manifest_reference.c.repository_id
    yield Relation("reference-owner", manifest_reference, "belongs to another repository", of_reference.where(is_stray))
    of_child = of_reference.join(child, child.c.id == manifest_reference.c.child_id)
    is_wrong = (child.c.repository_id != manifest_reference.c.repository_id) | (child.c.id >= manifest.c.id)
    yield Relation("reference-owner", manifest_reference, "has a foreign or younger child", of_child.where(is_wrong))
    of_link = (
        select(*_key(repository_blob))
        .join(repository, repository.c.id == repository_blob.c.repository_id)
        .join(blob, blob.c.id == repository_blob.c.blob_id)
        .where(repository.c.domain_id != blob.c.domain_id)
    )
    yield Relation("link-domain", repository_blob, "holds a blob of another encryption domain", of_link)
    of_key = select(*_key(repository_blob)).join(repository, repository.c.id == repository_blob.c.repository_id)
    is_unfit = repository.c.kms_sealed_key.is_(None) != repository_blob.c.wrapped_key.is_(None)
    yield Relation(
        "link-key", repository_blob, "lacks a data key, or has one that nobody opens", of_key.where(is_unfit)
    )
    of_doomed = select(*_key(doomed_object))
    name = doomed_object.c.storage_key
    is_blob = exists().where(blob.c.storage_key == name)  # what was staged for a blob may go
    is_upload = exists().where(upload.c.storage_key == func.replace(name, STAGING_SUFFIX, ""))
    yield Relation("doomed-dead", doomed_object, "is to be removed and in use", of_doomed.where(is_blob | is_upload))
    yield from _garbage_marks()
    of_upload = select(*_key(upload)).join(blob, blob.c.storage_key == upload.c.storage_key)
    yield Relation("storage-key-once", upload, "has the storage key of a blob", of_upload)


_IS_LINKED = exists().where(repository_blob.c.blob_id == blob.c.id)
_FORGOTTEN_LINK = repository_blob.c.is_settled & ~IS_REFERENCED
_FORGOTTEN_BLOB = ~blob.c.is_loose & ~_IS_LINKED


def _garbage_marks() -> Iterator[Relation]:
    """What the collector would never look at."""
    links = select(*_key(repository_blob)).where(_FORGOTTEN_LINK)
    yield Relation("garbage-known", repository_blob, "no image needs it, and the collector does not know", links)
    blobs = select(*_key(blob)).where(_FORGOTTEN_BLOB)
    yield Relation("garbage-known", blob, "no repository holds it, and the collector does not know", blobs)


def mark_garbage(connection: Connection) -> int:
    """Have the collector look at what `garbage-known` finds; how many rows."""
    links = update(repository_blob).where(_FORGOTTEN_LINK).values(is_settled=False)
    blobs = update(blob).where(_FORGOTTEN_BLOB).values(is_loose=True)
    return connection.execute(links).rowcount + connection.execute(blobs).rowcount


def _foreign_keys() -> Iterator[Relation]:
    for table in metadata.sorted_tables:
        for constraint in sorted(table.foreign_key_constraints, key=lambda one: str(one.name)):
            yield _foreign_key(table, constraint)


def _foreign_key(table: Table, constraint: ForeignKeyConstraint) -> Relation:
    parent = constraint.referred_table.alias("parent")
    pairs = [(element.parent, parent.c[element.column.name]) for element in constraint.elements]
    is_there = exists(select(literal(1)).select_from(parent).where(and_(*(mine == theirs for mine, theirs in pairs))))
    statement = select(*_key(table)).where(and_(*(mine.is_not(None) for mine, _ in pairs)), ~is_there)
    return Relation("row-dangling", table, f"refers to a {constraint.referred_table.name} that is gone", statement)


def _key(table: Table) -> list[Any]:
    return [cast(column, String) for column in table.primary_key.columns]
