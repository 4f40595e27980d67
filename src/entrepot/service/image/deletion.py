"""Deleting images and tags: one transaction per batch, parents before their children.

Spec: ECR API, BatchDeleteImage; user guide, "Deleting an image".

Every image that a batch names is locked by row id before a tag is touched, so nobody can tag it or name it in an
index until we are done; what was tagged before we had the lock, we see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from entrepot.domain.digest import Digest
from entrepot.domain.error import Throttled
from entrepot.domain.event import Event, EventKind
from entrepot.domain.image import FailureCode, ImageFailure
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.event import record
from entrepot.service.image.naming import Names, read_names
from entrepot.store.metadata import image as images
from entrepot.store.metadata import tag as tag_rows
from entrepot.store.metadata.manifest_reference import delete_references, find_parents
from entrepot.store.metadata.repository_key import RepositoryKey, get_repository_key

ATTEMPTS = 5
"""How often tags may move away from the images we locked before we give up."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Which images go, from where."""

    registry: Registry
    repository: RepositoryName
    image_ids: Sequence[ImageId]
    is_child_kept: bool
    """What the last tag of an index's child does: goes alone (`/v2/`), or is refused (BatchDeleteImage)."""
    now_micros: int
    keep_until_micros: int
    """Until when blobs that lose their last reference are kept."""


@dataclass(slots=True)
class DeletionOutcome:
    """One entry per removed tag or untagged image, and what failed."""

    deleted: list[ImageId] = field(default_factory=list)
    failures: list[ImageFailure] = field(default_factory=list)


@dataclass(slots=True)
class _Demand:
    """What a batch asks of one image."""

    tags: dict[Tag, ImageId] = field(default_factory=dict)
    whole: list[ImageId] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Run:
    """One batch at work."""

    connection: Connection
    key: RepositoryKey
    deletion: Deletion
    outcome: DeletionOutcome


def delete_images(connection: Connection, deletion: Deletion) -> DeletionOutcome:
    """Delete what can be deleted; the rest is told in `failures`. Naming a thing twice changes nothing.

    Raises:
        RepositoryNotFound: no such repository.
    """
    key = get_repository_key(connection, deletion.registry, deletion.repository, is_locked=True)
    run = _Run(connection, key, deletion, DeletionOutcome())
    wanted = list(dict.fromkeys(deletion.image_ids))
    names, locked = _lock(run, wanted)
    demands = _demands(run, wanted, names)
    # An index is always younger than its children, so that a batch may name both in any order.
    for row_id in sorted(demands, reverse=True):
        _delete(run, row_id, locked[row_id], demands[row_id])
    return run.outcome


def _lock(run: _Run, wanted: list[ImageId]) -> tuple[Names, dict[int, Digest]]:
    """Lock every image that is named, then every tag; again if a tag has moved to another image meanwhile."""
    named = read_names(run.connection, run.key.id, wanted)
    row_ids = {*named.by_digest.values(), *named.by_tag.values()}
    for _ in range(ATTEMPTS):
        locked = images.lock_for_deletion(run.connection, row_ids) if row_ids else {}
        tags = tag_rows.find_targets(run.connection, run.key.id, named.by_tag, is_locked=True) if named.by_tag else {}
        if locked.keys() >= set(tags.values()):
            return Names({digest: row_id for row_id, digest in locked.items()}, tags), locked
        row_ids.update(tags.values())
    raise Throttled


def _demands(run: _Run, wanted: list[ImageId], names: Names) -> dict[int, _Demand]:
    demands: dict[int, _Demand] = {}
    for image_id in wanted:
        found = names.find(image_id)
        if isinstance(found, FailureCode):
            run.outcome.failures.append(ImageFailure(image_id, found))
        elif image_id.tag:
            demands.setdefault(found, _Demand()).tags[image_id.tag] = image_id
        else:
            demands.setdefault(found, _Demand()).whole.append(image_id)
    return demands


def _delete(run: _Run, row_id: int, digest: Digest, demand: _Demand) -> None:
    tags = tag_rows.tags_of(run.connection, [row_id]).get(row_id, ())
    is_whole = bool(demand.whole) or len(demand.tags) == len(tags)
    if is_whole and (parents := find_parents(run.connection, row_id)):
        is_whole = False
        _refuse(run, demand, tags, parents)
    removed = tag_rows.delete_tags(run.connection, row_id, None if is_whole else demand.tags)
    gone = [ImageId(digest, tag) for tag in tags if tag in removed]
    if is_whole:
        delete_references(run.connection, run.key.id, row_id, run.deletion.keep_until_micros)
        images.delete_image(run.connection, row_id)
        gone = gone or [ImageId(digest)]
    run.outcome.deleted += gone
    for image_id in gone:
        event = _event(run.deletion.repository, image_id)
        record(run.connection, run.key.registry_id, event, run.deletion.now_micros)


def _refuse(run: _Run, demand: _Demand, tags: Sequence[Tag], parents: list[Digest]) -> None:
    """Take out of `demand` what would delete the child of an index, and say so."""
    refused = list(demand.whole)
    if len(demand.tags) == len(tags) and not run.deletion.is_child_kept:
        refused += demand.tags.values()
        demand.tags.clear()
    code = FailureCode.IMAGE_REFERENCED_BY_MANIFEST_LIST
    run.outcome.failures += [ImageFailure(image_id, code, tuple(parents)) for image_id in refused]


def _event(repository: RepositoryName, image_id: ImageId) -> Event:
    details = {"digest": str(image_id.digest)}
    if image_id.tag:
        details["tag"] = image_id.tag.name
    return Event(EventKind.IMAGE_DELETED, repository, details)
