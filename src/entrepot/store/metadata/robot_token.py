"""Robot tokens: made, found for a login or by name, revoked, and when each was last used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, select, update

from entrepot.domain.iam import EntityKind
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.domain.robot_token import NewRobotToken, RobotScope, RobotUse
from entrepot.store.metadata.base import from_micros, from_optional_micros, insert
from entrepot.store.metadata.iam_role import record_role_uses
from entrepot.store.metadata.schema import account, iam_entity, iam_role, robot_token

_COLUMNS: Final = robot_token.c
_TOKENS: Final = (
    select(
        robot_token,
        account.c.access_epoch,
        iam_entity.c.path,
        iam_entity.c.name.label("role_name"),
        iam_role.c.trust_policy,
        iam_role.c.trust_principals,
    )
    .join(account, account.c.id == _COLUMNS.account_id)
    .outerjoin(iam_entity, (iam_entity.c.id == _COLUMNS.role_id) & (iam_entity.c.kind == EntityKind.ROLE.value))
    .outerjoin(iam_role, iam_role.c.id == iam_entity.c.id)
)
_FIND: Final = _TOKENS.where(_COLUMNS.id == bindparam("token_id"))
_RECORD_USE: Final = (
    update(robot_token)
    .where(_COLUMNS.id == bindparam("token_id"), func.coalesce(_COLUMNS.used_at, 0) < bindparam("at"))
    .values(used_at=bindparam("at"), used_address=bindparam("address"))
)


@dataclass(frozen=True, slots=True)
class RobotTokenRow:
    """A token at rest, with the epoch of its account and its role as it stands."""

    id: str
    wanted: NewRobotToken
    role_id: str
    password_hash: bytes
    created_at: int
    """Microseconds UTC, as all times here."""
    expires_at: int | None = None
    revoked_at: int | None = None
    last_use: RobotUse | None = None
    access_epoch: int = 0
    role: tuple[str, str, str] | None = None
    """Unique id, path and name; None: it is gone, whoever has its name now."""
    trust: SavedPolicy | None = None


def insert_token(connection: Connection, row: RobotTokenRow) -> bool:
    """Keep a token; False when a valid one has its name."""
    wanted = row.wanted
    statement = insert(connection, robot_token).values(
        id=row.id,
        account_id=wanted.registry.account_id,
        region=wanted.registry.region,
        name=wanted.name,
        role_id=row.role_id,
        role_arn=wanted.role_arn,
        scope=wanted.scope.write(),
        password_hash=row.password_hash,
        created_at=row.created_at,
        created_by=wanted.created_by,
        expires_at=row.expires_at,
    )
    return connection.scalar(statement.on_conflict_do_nothing().returning(_COLUMNS.id)) is not None


def find_token(connection: Connection, token_id: str) -> RobotTokenRow | None:
    """A token by its id, revoked or not."""
    row = connection.execute(_FIND, {"token_id": token_id}).one_or_none()
    return None if row is None else _to_row(row)


def find_tokens(connection: Connection, registry: Registry, names: Sequence[str]) -> list[RobotTokenRow]:
    """The tokens of these names that were not revoked, by name."""
    found = connection.execute(_TOKENS.where(*_held(registry), _COLUMNS.name.in_(names)).order_by(_COLUMNS.name))
    return [_to_row(row) for row in found]


def list_tokens(connection: Connection, registry: Registry, after: str, limit: int) -> list[RobotTokenRow]:
    """At most `limit` tokens that were not revoked, by name, after one."""
    wanted = _TOKENS.where(*_held(registry), _COLUMNS.name > after).order_by(_COLUMNS.name).limit(limit)
    return [_to_row(row) for row in connection.execute(wanted)]


def count_valid(connection: Connection, registry: Registry, now_micros: int) -> int:
    """How many of a registry were neither revoked nor have expired."""
    is_valid = _COLUMNS.expires_at.is_(None) | (_COLUMNS.expires_at > now_micros)
    return connection.scalar(select(func.count()).select_from(robot_token).where(*_held(registry), is_valid)) or 0


def revoke(connection: Connection, token_id: str, now_micros: int) -> None:
    """Take a token back, for good."""
    connection.execute(update(robot_token).where(_COLUMNS.id == token_id).values(revoked_at=now_micros))


def delete_ended(connection: Connection, before_micros: int, limit: int) -> int:
    """Delete at most `limit` tokens that were revoked or expired before a time; how many went."""
    is_old = (_COLUMNS.revoked_at < before_micros) | (_COLUMNS.expires_at < before_micros)
    old = select(_COLUMNS.id).where(is_old).order_by(_COLUMNS.id).limit(limit)
    return connection.execute(delete(robot_token).where(_COLUMNS.id.in_(old.scalar_subquery()))).rowcount


def record_uses(connection: Connection, uses: Iterable[tuple[str, tuple[int, str]]]) -> None:
    """Write last uses of tokens by id (microseconds UTC, address), and of their roles, where they are later.

    Voids nothing.
    """
    noted = dict(uses)
    values = [{"token_id": one, "at": at, "address": address} for one, (at, address) in noted.items()]
    connection.execute(_RECORD_USE, values)
    roles = connection.execute(select(_COLUMNS.id, _COLUMNS.role_id, _COLUMNS.region).where(_COLUMNS.id.in_(noted)))
    record_role_uses(connection, [(row.role_id, from_micros(noted[row.id][0]), row.region) for row in roles])


def _held(registry: Registry) -> tuple[ColumnElement[bool], ...]:
    return (
        _COLUMNS.account_id == registry.account_id,
        _COLUMNS.region == registry.region,
        _COLUMNS.revoked_at.is_(None),
    )


def _to_row(row: Row[*tuple[Any, ...]]) -> RobotTokenRow:
    registry, scope = Registry(row.account_id, row.region), RobotScope.read(row.scope)
    expires_at, used_at = from_optional_micros(row.expires_at), row.used_at
    return RobotTokenRow(
        id=row.id,
        wanted=NewRobotToken(registry, row.name, row.role_arn, scope, expires_at, row.created_by),
        role_id=row.role_id,
        password_hash=row.password_hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_use=None if used_at is None else RobotUse(from_micros(used_at), row.used_address),
        access_epoch=row.access_epoch,
        role=None if row.role_name is None else (row.role_id, row.path, row.role_name),
        trust=None if row.trust_policy is None else SavedPolicy(row.trust_policy, json.loads(row.trust_principals)),
    )
