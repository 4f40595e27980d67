"""Attachments: which managed policies, of the account or of AWS, hang on which users, groups and roles."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, or_, select

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.managed_policy import PolicyUse
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.iam_entity import to_entity
from entrepot.store.metadata.schema import iam_attachment, iam_entity

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


def list_attachments(connection: Connection, entity_ids: Collection[str]) -> list[tuple[str, str]]:
    """Entity and ARN of each attachment to some entities, oldest first."""
    rows = connection.execute(
        select(_COLUMNS.entity_id, _COLUMNS.policy_arn)
        .where(_COLUMNS.entity_id.in_(entity_ids))
        .order_by(_COLUMNS.attached_at, _COLUMNS.policy_arn)
    )
    return [(row.entity_id, row.policy_arn) for row in rows]


def insert_attachment(connection: Connection, entity_id: str, arn: str, now_micros: int) -> None:
    """Attach a policy; one that is attached already stays as it is."""
    values = {"entity_id": entity_id, "policy_arn": arn, "attached_at": now_micros}
    connection.execute(insert(connection, iam_attachment).values(values).on_conflict_do_nothing())


def delete_attachment(connection: Connection, entity_id: str, arn: str) -> bool:
    """Detach a policy; whether it was attached."""
    statement = delete(iam_attachment).where(_COLUMNS.entity_id == entity_id, _COLUMNS.policy_arn == arn)
    return connection.execute(statement).rowcount > 0


def list_users_of_policy(
    connection: Connection,
    account_id: str,
    arn: str,
    kinds: Collection[EntityKind],
    use: PolicyUse = PolicyUse.ANY,
    *,
    path_prefix: str = "/",
) -> list[Entity]:
    """Users, groups and roles of an account on which a policy hangs or whom it bounds, by kind and name."""
    attached = iam_entity.c.id.in_(select(_COLUMNS.entity_id).where(_COLUMNS.policy_arn == arn))
    bounded = iam_entity.c.boundary == arn
    statement = select(iam_entity).where(
        iam_entity.c.account_id == account_id,
        iam_entity.c.kind.in_([kind.value for kind in kinds]),
        {PolicyUse.ANY: or_(attached, bounded), PolicyUse.PERMISSIONS: attached, PolicyUse.BOUNDARY: bounded}[use],
        func.substr(iam_entity.c.path, 1, len(path_prefix)) == path_prefix,
    )
    ordered = statement.order_by(iam_entity.c.kind, iam_entity.c.name_lower)
    return [to_entity(row) for row in connection.execute(ordered)]
