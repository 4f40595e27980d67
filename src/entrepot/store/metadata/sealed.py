"""Sealed values: every column that the master key seals, wherever it stands, for those who must open them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, select

from entrepot.domain.key import (
    ACCESS_KEY_PURPOSE,
    CHECK_PURPOSE,
    DOMAIN_PURPOSE,
    KMS_PURPOSE,
    kms_subject,
    signing_key_purpose,
)
from entrepot.store.metadata.schema import access_key, encryption_domain, kms_key_version, master_key_check, signing_key


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A sealed value, with the purpose and the subject that it was sealed for."""

    table: str
    key: int | str
    purpose: str
    subject: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of sealed values; purpose and subject follow from the row."""

    table: Table
    column: Column[Any]
    purpose: Callable[[Row[Any]], str]
    subject: Callable[[Row[Any]], str]


_PLACES = (
    _Place(master_key_check, master_key_check.c.sealed, lambda _: CHECK_PURPOSE, lambda _: ""),
    _Place(signing_key, signing_key.c.sealed, lambda row: signing_key_purpose(row.purpose), lambda row: str(row.id)),
    _Place(encryption_domain, encryption_domain.c.wrapped_key, lambda _: DOMAIN_PURPOSE, lambda row: str(row.name)),
    _Place(access_key, access_key.c.sealed_secret, lambda _: ACCESS_KEY_PURPOSE, lambda row: str(row.id)),
    _Place(
        kms_key_version,
        kms_key_version.c.sealed,
        lambda _: KMS_PURPOSE,
        lambda row: kms_subject(row.key_id, row.number),
    ),
)
"""A table with a sealed column is entered here, or its values are lost when the master key is rotated."""


def list_sealed(connection: Connection, *, is_locked: bool) -> list[SealedValue]:
    """Every sealed value, the check of the master key first; when asked, each row is locked (FOR UPDATE)."""
    found = []
    for place in _PLACES:
        statement = select(place.table).where(place.column.is_not(None))
        rows = connection.execute(statement.with_for_update() if is_locked else statement)
        found += [
            SealedValue(
                place.table.name, row.id, place.purpose(row), place.subject(row), getattr(row, place.column.name)
            )
            for row in rows
        ]
    return found


def replace_sealed(connection: Connection, value: SealedValue, sealed: bytes) -> None:
    """Put another sealed form in the place of a value."""
    place = next(place for place in _PLACES if place.table.name == value.table)
    connection.execute(place.table.update().where(place.table.c.id == value.key).values({place.column.name: sealed}))
