"""Tags: names on images, fixed or moved by one conditional statement each, never read and then written."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT compiles for SQLite too

from entrepot.domain.page import PageRequest
from entrepot.domain.reference import Tag
from entrepot.store.metadata.schema import tag
from entrepot.store.metadata.statement import Statement, parameters_of

_INSERT = insert(tag).values(parameters_of(tag))
_UNIQUE = (tag.c.repository_id, tag.c.name)
_FIX = Statement(_INSERT.on_conflict_do_nothing(index_elements=_UNIQUE).returning(tag.c.name))
_MOVE = Statement(
    _INSERT.on_conflict_do_update(
        index_elements=_UNIQUE,
        set_={"manifest_id": _INSERT.excluded.manifest_id, "tagged_at": _INSERT.excluded.tagged_at},
        where=tag.c.manifest_id != _INSERT.excluded.manifest_id,
    ).returning(tag.c.name)
)
_TARGET = select(tag.c.manifest_id).where(
    tag.c.repository_id == bindparam("repository_id"), tag.c.name == bindparam("name")
)
_TARGETS = (
    select(tag.c.name, tag.c.manifest_id)
    .where(tag.c.repository_id == bindparam("repository_id"), tag.c.name.in_(bindparam("names", expanding=True)))
    .order_by(tag.c.name)
)
_LOCK_TARGETS = _TARGETS.with_for_update()
_TAGS_OF = (
    select(tag.c.manifest_id, tag.c.name)
    .where(tag.c.manifest_id.in_(bindparam("image_ids", expanding=True)))
    .order_by(tag.c.manifest_id, tag.c.name_lower, tag.c.name)
)
_NTH_OF_IMAGE = Statement(
    select(tag.c.name).where(tag.c.manifest_id == bindparam("image_id")).limit(1).offset(bindparam("count"))
)


def fix_tag(connection: Connection, repository_id: int, name: Tag, image_id: int, now_micros: int) -> bool:
    """Put a tag that does not exist on an image; whether that happened."""
    return _FIX.row(connection, _values(repository_id, name, image_id, now_micros)) is not None


def move_tag(connection: Connection, repository_id: int, name: Tag, image_id: int, now_micros: int) -> bool:
    """Put a tag on an image, taking it from another; False when it was on that image already."""
    return _MOVE.row(connection, _values(repository_id, name, image_id, now_micros)) is not None


def _values(repository_id: int, name: Tag, image_id: int, now_micros: int) -> dict[str, str | int]:
    return {
        "repository_id": repository_id,
        "name": name.name,
        "name_lower": name.name.lower(),
        "manifest_id": image_id,
        "tagged_at": now_micros,
    }


def find_target(connection: Connection, repository_id: int, name: Tag) -> int | None:
    """The row id of the image that a tag is on."""
    return connection.execute(_TARGET, {"repository_id": repository_id, "name": name.name}).scalar_one_or_none()


def find_targets(
    connection: Connection, repository_id: int, names: Iterable[Tag], *, is_locked: bool = False
) -> dict[Tag, int]:
    """The row ids of the images of those tags that exist; `is_locked` keeps the tags where they are."""
    key = {"repository_id": repository_id, "names": list({name.name for name in names})}
    rows = connection.execute(_LOCK_TARGETS if is_locked else _TARGETS, key)
    return {Tag(name): image_id for name, image_id in rows}


def has_more_tags(connection: Connection, image_id: int, count: int) -> bool:
    """Whether an image has more than `count` tags: a walk over at most that many entries of an index."""
    return _NTH_OF_IMAGE.row(connection, {"image_id": image_id, "count": count}) is not None


def tags_of(connection: Connection, image_ids: Iterable[int]) -> dict[int, tuple[Tag, ...]]:
    """The tags of each image, as tags are listed; an image without tags is left out."""
    found: dict[int, list[Tag]] = {}
    for image_id, name in connection.execute(_TAGS_OF, {"image_ids": list(image_ids)}):
        found.setdefault(image_id, []).append(Tag(name))
    return {image_id: tuple(names) for image_id, names in found.items()}


def delete_tags(connection: Connection, image_id: int, names: Iterable[Tag] | None = None) -> set[Tag]:
    """Take tags off an image, those of `names` or all; which were on it."""
    statement = delete(tag).where(tag.c.manifest_id == image_id)
    if names is not None:
        statement = statement.where(tag.c.name.in_(sorted(name.name for name in names)))
    return {Tag(name) for name in connection.execute(statement.returning(tag.c.name)).scalars()}


def list_tags(connection: Connection, repository_id: int, page: PageRequest) -> list[Tag]:
    """Tags by (lower-case name, name); `page.after` is such a pair."""
    statement = (
        select(tag.c.name)
        .where(tag.c.repository_id == repository_id)
        .order_by(tag.c.name_lower, tag.c.name)
        .limit(page.size)
    )
    if page.after is not None:
        statement = statement.where(tuple_(tag.c.name_lower, tag.c.name) > tuple_(*page.after))
    return [Tag(name) for name in connection.execute(statement).scalars()]
