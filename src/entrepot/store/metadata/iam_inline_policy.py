"""Inline policies: documents that belong to one user, group or role."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from entrepot.store.metadata.schema import iam_inline_policy

_COLUMNS = iam_inline_policy.c


def list_inline_policies(connection: Connection, entity_ids: Collection[str]) -> list[tuple[str, str, str]]:
    """Owner, name and document of all inline policies of some entities, by name."""
    rows = connection.execute(
        select(_COLUMNS.entity_id, _COLUMNS.name, _COLUMNS.document)
        .where(_COLUMNS.entity_id.in_(entity_ids))
        .order_by(_COLUMNS.name)
    )
    return [(row.entity_id, row.name, row.document) for row in rows]
