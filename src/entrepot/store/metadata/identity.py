"""Accounts and access keys. Whatever changes them raises the account's access epoch in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from entrepot.domain.identity import Account
from entrepot.domain.managed_policy import AWS_ACCOUNT
from entrepot.store.metadata.base import from_micros, insert
from entrepot.store.metadata.schema import access_key, account, iam_entity, service_principal

_FIND_KEY = (
    select(
        access_key.c.id,
        access_key.c.account_id,
        access_key.c.unique_id,
        access_key.c.sealed_secret,
        access_key.c.is_active,
        account.c.access_epoch,
        access_key.c.session,
        access_key.c.session_token,
        iam_entity.c.path,
        func.coalesce(iam_entity.c.name, service_principal.c.name),
        service_principal.c.source_arns,
    )
    .join(account, account.c.id == access_key.c.account_id)
    .outerjoin(iam_entity, iam_entity.c.id == access_key.c.unique_id)
    .outerjoin(service_principal, service_principal.c.id == access_key.c.id)
    .where(access_key.c.id == bindparam("key_id"))
)


@dataclass(frozen=True, slots=True)
class AccessKeyRow:
    """An access key at rest, with the epoch of its account and where its user or role is."""

    id: str
    account_id: str
    unique_id: str
    sealed_secret: bytes
    is_active: bool
    access_epoch: int
    session: str | None = None
    """JSON, of a temporary key."""
    session_token: bytes | None = None
    path: str | None = None
    name: str | None = None
    source_arns: str | None = None
    """JSON list of patterns, of a service's key."""


def insert_account(connection: Connection, account_id: str, name: str, now_micros: int) -> bool:
    """Add an account; whether it is new. One that exists keeps its name."""
    statement = insert(connection, account).values(id=account_id, name=name, access_epoch=1, created_at=now_micros)
    made = connection.scalar(statement.on_conflict_do_nothing().returning(account.c.id))
    return made is not None


def list_accounts(connection: Connection) -> list[Account]:
    """All accounts by id; AWS's own, of services, is nobody's."""
    statement = select(account).where(account.c.id != AWS_ACCOUNT).order_by(account.c.id)
    return [_to_account(row) for row in connection.execute(statement)]


def find_account(connection: Connection, account_id: str) -> Account | None:
    """One account."""
    row = connection.execute(select(account).where(account.c.id == account_id)).one_or_none()
    return None if row is None else _to_account(row)


def hold_account(connection: Connection, account_id: str) -> bool:
    """Lock an account against other changes of its keys (FOR NO KEY UPDATE); whether it exists."""
    held = select(account.c.id).where(account.c.id == account_id).with_for_update(key_share=True)
    return connection.scalar(held) is not None


def keep_account(connection: Connection, account_id: str) -> None:
    """Keep an account's users, roles and keys as they are (FOR SHARE) until the transaction ends: changes wait."""
    connection.execute(select(account.c.id).where(account.c.id == account_id).with_for_update(read=True))


def delete_expired_keys(connection: Connection, before_micros: int, limit: int) -> int:
    """Delete at most `limit` temporary keys that expired before a time, oldest first; how many went."""
    columns = access_key.c
    expired = select(columns.id).where(columns.expires_at < before_micros).order_by(columns.expires_at).limit(limit)
    return connection.execute(delete(access_key).where(columns.id.in_(expired.scalar_subquery()))).rowcount


def raise_access_epoch(connection: Connection, account_id: str) -> None:
    """Void what any worker has cached about the account's access."""
    connection.execute(
        update(account).where(account.c.id == account_id).values(access_epoch=account.c.access_epoch + 1)
    )


def find_access_key(connection: Connection, key_id: str) -> AccessKeyRow | None:
    """An access key by id, active or not."""
    row = connection.execute(_FIND_KEY, {"key_id": key_id}).one_or_none()
    return None if row is None else AccessKeyRow(*tuple(row))


def list_sessions(connection: Connection, unique_id: str, now_micros: int) -> Sequence[str]:
    """The sessions of a user's or role's temporary keys that work still, as JSON, newest first."""
    columns = access_key.c
    is_living = (columns.unique_id == unique_id) & columns.is_active & (columns.expires_at > now_micros)
    return connection.scalars(
        select(columns.session)
        .where(is_living, columns.session.is_not(None))
        .order_by(columns.created_at.desc(), columns.id)
    ).all()


def insert_access_key(
    connection: Connection, row: AccessKeyRow, now_micros: int, expires_at: int | None = None
) -> bool:
    """Add an access key (epoch, path and name are not looked at); False when the id is taken."""
    statement = insert(connection, access_key).values(
        id=row.id,
        account_id=row.account_id,
        unique_id=row.unique_id,
        sealed_secret=row.sealed_secret,
        is_active=row.is_active,
        created_at=now_micros,
        session=row.session,
        session_token=row.session_token,
        expires_at=expires_at,
    )
    made = connection.scalar(statement.on_conflict_do_nothing().returning(access_key.c.id))
    return made is not None


def delete_access_keys(connection: Connection, account_id: str, unique_id: str) -> None:
    """Delete all keys of a principal, those of sessions too."""
    connection.execute(
        delete(access_key).where(access_key.c.account_id == account_id, access_key.c.unique_id == unique_id)
    )


def _to_account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(row.id, row.name, row.access_epoch, from_micros(row.created_at))
