"""Attachments: which managed policies, of the account or of AWS, hang on which users, groups and roles."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from entrepot.store.metadata.schema import iam_attachment

_COLUMNS = iam_attachment.c


def list_attached_arns(connection: Connection, entity_ids: Collection[str]) -> list[str]:
    """The ARNs of all policies attached to any of some entities, each once, in order."""
    return list(
        connection.scalars(
            select(_COLUMNS.policy_arn)
            .where(_COLUMNS.entity_id.in_(entity_ids))
            .distinct()
            .order_by(_COLUMNS.policy_arn)
        )
    )
