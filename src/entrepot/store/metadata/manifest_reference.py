"""References: which blobs and child manifests a manifest names, and the links that a reference keeps alive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from sqlalchemy import Connection, bindparam, case, delete, exists, insert, literal, select, update

from entrepot.domain.digest import Digest
from entrepot.store.metadata.image import to_digest
from entrepot.store.metadata.schema import blob, manifest, manifest_reference, repository_blob
from entrepot.store.metadata.statement import Statement, parameters_of


class ReferenceKind(StrEnum):
    """What a manifest uses the bytes for."""

    CONFIG = "config"
    LAYER = "layer"
    CHILD = "child"


@dataclass(frozen=True, slots=True)
class Link:
    """A blob that the repository holds."""

    blob_id: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Reference:
    """One descriptor of a manifest; both ids are None for a non-distributable layer that is elsewhere."""

    kind: ReferenceKind
    media_type: str
    blob_id: int | None = None
    child_id: int | None = None


_INSERT = Statement(insert(manifest_reference).values(parameters_of(manifest_reference)))
_BLOBS_OF = select(manifest_reference.c.blob_id).where(
    manifest_reference.c.manifest_id == bindparam("image_id"), manifest_reference.c.blob_id.is_not(None)
)
_DELETE = delete(manifest_reference).where(manifest_reference.c.manifest_id == bindparam("image_id"))
_PARENTS = (
    select(manifest.c.id, manifest.c.digest)
    .join(manifest_reference, manifest_reference.c.manifest_id == manifest.c.id)
    .where(manifest_reference.c.child_id == bindparam("image_id"))
    .distinct()
    .order_by(manifest.c.id)
)
IS_REFERENCED = exists().where(
    manifest_reference.c.repository_id == repository_blob.c.repository_id,
    manifest_reference.c.blob_id == repository_blob.c.blob_id,
)
"""Of a link: whether a manifest of its repository names the blob."""


def lock_links(
    connection: Connection, repository_id: int, domain_id: int, digests: Iterable[Digest]
) -> dict[Digest, Link]:
    """The blobs of `digests` that the repository links, kept from unlinking until the transaction ends."""
    names = sorted({str(digest) for digest in digests})
    if not names:
        return {}
    wanted = {f"digest_{number}": name for number, name in enumerate(names)}
    key = {"repository_id": repository_id, "domain_id": domain_id, **wanted}
    rows = _lock_links(len(names)).rows(connection, key)
    return {to_digest(text): Link(row_id, size) for row_id, text, size in rows}


@lru_cache(maxsize=128)
def _lock_links(count: int) -> Statement:
    """By how many digests it asks for: `digest_0`, `digest_1`, …."""
    return Statement(
        select(blob.c.id, blob.c.digest, blob.c.size_bytes)
        .join(repository_blob, repository_blob.c.blob_id == blob.c.id)
        .where(
            repository_blob.c.repository_id == bindparam("repository_id"),
            blob.c.domain_id == bindparam("domain_id"),
            blob.c.digest.in_([bindparam(f"digest_{number}") for number in range(count)]),
        )
        .order_by(blob.c.id)
        .with_for_update(read=True, key_share=True)
    )


def insert_references(
    connection: Connection, repository_id: int, image_id: int, references: Sequence[Reference]
) -> None:
    """Write the references of a new manifest in the order of its descriptors."""
    values = [
        {
            "manifest_id": image_id,
            "position": position,
            "kind": reference.kind.value,
            "repository_id": repository_id,
            "blob_id": reference.blob_id,
            "child_id": reference.child_id,
            "media_type": reference.media_type,
        }
        for position, reference in enumerate(references)
    ]
    if values:
        _INSERT.change_all(connection, values)


def find_parents(connection: Connection, image_id: int) -> list[Digest]:
    """The digests of the indexes that name an image, each once, oldest first."""
    return [to_digest(text) for _, text in connection.execute(_PARENTS, {"image_id": image_id})]


def delete_references(connection: Connection, repository_id: int, image_id: int, keep_until_micros: int) -> None:
    """Delete the references of a manifest; links that lose their last one are kept until `keep_until_micros`.

    They are unsettled by it: the collector looks at them after that time.

    The links are locked before the count: of two manifests deleted at once that share a blob, the later one sees
    that the other's reference is gone.
    """
    blob_ids = sorted(set(connection.execute(_BLOBS_OF, {"image_id": image_id}).scalars()))
    links = (repository_blob.c.repository_id == repository_id, repository_blob.c.blob_id.in_(blob_ids))
    if blob_ids:
        locked = select(repository_blob.c.blob_id).where(*links).order_by(repository_blob.c.blob_id)
        connection.execute(locked.with_for_update(key_share=True)).all()
    connection.execute(_DELETE, {"image_id": image_id})
    if blob_ids:
        kept = repository_blob.c.keep_until
        later = case((kept < keep_until_micros, literal(keep_until_micros)), else_=kept)
        unreferenced = update(repository_blob).where(*links, ~IS_REFERENCED)
        connection.execute(unreferenced.values(keep_until=later, is_settled=False))
