"""Entities: what is the same for users, groups, roles and policies: found or refused, made within quotas, renamed.

Whoever changes IAM calls `begin_change` first: it voids what is cached of the account's access, and with that row locks
the account against every other change of its IAM, so that counts and names that are read afterwards hold.

Spec: IAM API, errors NoSuchEntity, EntityAlreadyExists and LimitExceeded.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_error import EntityAlreadyExists, EntityNotFound, QuotaExceeded
from entrepot.domain.iam_limit import ENTITIES, Quota
from entrepot.domain.page import Key, Page, PageRequest, cut_page
from entrepot.service.context import Context
from entrepot.service.credential import new_unique_id
from entrepot.store.metadata import iam_entity as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch


def begin_change(connection: Connection, account_id: str) -> None:
    """Begin a change of an account's IAM; it holds from the next request on, on every worker."""
    raise_access_epoch(connection, account_id)


def get_entity(connection: Connection, account_id: str, kind: EntityKind, name: str) -> Entity:
    """An entity by name, in any case.

    Raises:
        EntityNotFound: there is none.
    """
    found = rows.find_entity(connection, account_id, kind, name)
    if found is None:
        raise EntityNotFound(kind.value, name)
    return found


def add_entity(connection: Connection, context: Context, wanted: NewEntity) -> Entity:
    """Make an entity.

    Raises:
        EntityAlreadyExists: the name is taken, in any case.
        QuotaExceeded: the account has as many of the kind as it can have.
    """
    if rows.find_entity(connection, wanted.account_id, wanted.kind, wanted.name) is not None:
        raise EntityAlreadyExists(wanted.kind.value, wanted.name)
    check_quota(ENTITIES[wanted.kind], rows.count_entities(connection, wanted.account_id, wanted.kind))
    entity = wanted.made(new_unique_id(context, wanted.kind), context.now())
    if not rows.insert_entity(connection, entity):
        raise EntityAlreadyExists(wanted.kind.value, wanted.name)
    return entity


async def list_page(
    database: Database, account_id: str, kind: EntityKind, path_prefix: str, page: PageRequest
) -> Page[Entity]:
    """A page of an account's entities of a kind whose paths begin so, by name in lower case."""
    query = rows.EntityQuery(account_id, kind, path_prefix, start_of(page), page.size + 1)
    found = await database.read(lambda connection: rows.list_entities(connection, query))
    return cut_page(found, page.size, name_key)


def name_key(entity: Entity) -> Key:
    """The key of an entity in lists by name."""
    return (entity.name.lower(),)


def start_of(page: PageRequest) -> str:
    """The name in lower case after which a page by name begins; empty at the beginning."""
    return "" if page.after is None else str(page.after[0])


async def update_place(
    database: Database, account_id: str, kind: EntityKind, name: str, path: str | None, new_name: str | None
) -> None:
    """Move or rename an entity; what hangs on it stays.

    Raises:
        EntityNotFound: there is none.
        EntityAlreadyExists: another one has the new name, in any case.
    """

    def change(connection: Connection) -> None:
        begin_change(connection, account_id)
        _move(connection, get_entity(connection, account_id, kind, name), path, new_name)

    await database.write(change)


def _move(connection: Connection, entity: Entity, path: str | None, name: str | None) -> None:
    """Give an entity another path, another name, or both.

    Raises:
        EntityAlreadyExists: another one has the name, in any case.
    """
    if name is not None:
        other = rows.find_entity(connection, entity.account_id, entity.kind, name)
        if other is not None and other.id != entity.id:
            raise EntityAlreadyExists(entity.kind.value, name)
    values = {key: value for key, value in (("path", path), ("name", name)) if value is not None}
    if values:
        rows.update_entity(connection, entity.id, **values)


def check_quota(quota: Quota, count: int) -> None:
    """Check that there is room for one more beside `count`.

    Raises:
        QuotaExceeded: there is none.
    """
    if count >= quota.most:
        raise QuotaExceeded(quota.name, quota.most)
