"""Holds on collection: while one stands, no blob and no byte is removed; each ends by itself."""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, insert, select, update

from entrepot.store.metadata import maintenance
from entrepot.store.metadata.schema import collection_hold


def take(connection: Connection, hold_id: str, reason: str, now: int, expires_at: int) -> None:
    """Begin a hold; forgets those that have expired."""
    connection.execute(delete(collection_hold).where(collection_hold.c.expires_at <= now))
    row = {"id": hold_id, "reason": reason, "created_at": now, "expires_at": expires_at}
    connection.execute(insert(collection_hold), row)


def renew(connection: Connection, hold_id: str, now: int, expires_at: int) -> bool:
    """Let a hold last longer; False when it has expired: what it kept may be gone."""
    columns = collection_hold.c
    living = update(collection_hold).where(columns.id == hold_id, columns.expires_at > now)
    return connection.execute(living.values(expires_at=expires_at)).rowcount == 1


def release(connection: Connection, hold_id: str) -> None:
    """End a hold, if it still stands."""
    connection.execute(delete(collection_hold).where(collection_hold.c.id == hold_id))


def is_held(connection: Connection, now: int) -> bool:
    """Whether any hold stands."""
    return bool(connection.scalar(select(exists().where(collection_hold.c.expires_at > now))))


def is_paused(connection: Connection, now: int) -> bool:
    """Whether nothing may be removed now: a hold stands, or the registry is in maintenance."""
    return is_held(connection, now) or maintenance.is_on(connection)
