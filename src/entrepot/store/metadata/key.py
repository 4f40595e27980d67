"""Keys at rest: the check of the master key, sealed signing keys and wrapped domain keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, exists, select

from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import access_key, encryption_domain, master_key_check, signing_key

CHECK_ID = 1


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A signing key as the table keeps it; times in microseconds UTC."""

    id: str
    purpose: str
    sealed: bytes
    created_at: int
    retired_at: int | None
    signs_at: int | None = None
    """When it begins to sign; None: when it was made."""


@dataclass(frozen=True, slots=True)
class DomainRow:
    """An encryption domain; `wrapped_key` is None when a KMS key wraps per repository."""

    id: int
    name: str
    wrapped_key: bytes | None


def find_check(connection: Connection) -> bytes | None:
    """The sealed check of the master key, if a key was ever used."""
    return connection.scalar(select(master_key_check.c.sealed).where(master_key_check.c.id == CHECK_ID))


def hold_check(connection: Connection) -> bytes | None:
    """The same, locked until the transaction ends: whoever makes signing keys goes one at a time."""
    row = select(master_key_check.c.sealed).where(master_key_check.c.id == CHECK_ID).with_for_update()
    return connection.scalar(row)


def share_check(connection: Connection) -> bytes | None:
    """The same, kept as it is until the transaction ends; others may share it (FOR SHARE)."""
    row = select(master_key_check.c.sealed).where(master_key_check.c.id == CHECK_ID).with_for_update(read=True)
    return connection.scalar(row)


def insert_check(connection: Connection, sealed: bytes, now: int) -> None:
    """Record the check of the master key; the first one stays."""
    statement = insert(connection, master_key_check).values(id=CHECK_ID, sealed=sealed, created_at=now)
    connection.execute(statement.on_conflict_do_nothing())


def has_sealed_rows(connection: Connection) -> bool:
    """Whether anything was sealed yet, which only the right master key can open."""
    tables = (signing_key, encryption_domain, access_key)
    return any(connection.scalar(select(exists().select_from(table))) for table in tables)


def list_signing_keys(connection: Connection, now: int) -> list[SigningKeyRow]:
    """The signing keys that still verify, newest first within each purpose."""
    columns = signing_key.c
    rows = connection.execute(
        select(columns.id, columns.purpose, columns.sealed, columns.created_at, columns.retired_at, columns.signs_at)
        .where((columns.retired_at.is_(None)) | (columns.retired_at > now))
        .order_by(columns.purpose, columns.created_at.desc(), columns.id)
    )
    return [SigningKeyRow(*row) for row in rows]


def insert_signing_key(connection: Connection, row: SigningKeyRow) -> None:
    """Add a signing key."""
    connection.execute(signing_key.insert(), asdict(row))


def retire_signing_keys(connection: Connection, verifies_until: int, now: int) -> None:
    """Have the keys that are not retired verify until a time, and forget those whose time is over."""
    columns = signing_key.c
    connection.execute(signing_key.update().where(columns.retired_at.is_(None)).values(retired_at=verifies_until))
    connection.execute(signing_key.delete().where(columns.retired_at <= now))


def find_domain(connection: Connection, domain_id: int) -> DomainRow | None:
    """An encryption domain by row id."""
    columns = encryption_domain.c
    row = connection.execute(
        select(columns.id, columns.name, columns.wrapped_key).where(columns.id == domain_id)
    ).one_or_none()
    return DomainRow(*row) if row else None


def find_domain_id(connection: Connection, name: str) -> int | None:
    """The row id of the encryption domain of that name."""
    return connection.scalar(select(encryption_domain.c.id).where(encryption_domain.c.name == name))


def insert_domain(
    connection: Connection, name: str, wrapped_key: bytes | None, now: int, kms_key: str | None = None
) -> int:
    """Get or create an encryption domain; a domain that another transaction made first is taken."""
    statement = insert(connection, encryption_domain).values(
        name=name, wrapped_key=wrapped_key, kms_key=kms_key, created_at=now
    )
    made = connection.scalar(statement.on_conflict_do_nothing().returning(encryption_domain.c.id))
    found = made if made is not None else find_domain_id(connection, name)
    if found is None:
        raise AssertionError(name)  # the conflict was with a committed row
    return found
