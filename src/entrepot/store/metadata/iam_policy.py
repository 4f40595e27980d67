"""Managed policies of accounts: found by ARN, listed with what uses them, made and deleted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select, update

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.managed_policy import AWS_ACCOUNT, ManagedPolicy, PolicyArn, PolicyUse, PolicyView
from entrepot.store.metadata.base import from_micros
from entrepot.store.metadata.schema import iam_attachment, iam_entity, iam_policy, iam_policy_version

_ENTITY: Final = iam_entity.c
_ARN: Final = literal("arn:aws:iam::") + _ENTITY.account_id + ":policy" + _ENTITY.path + _ENTITY.name
_BOUNDED: Final = iam_entity.alias("bounded")
_ATTACHMENTS: Final = (
    select(func.count())
    .select_from(iam_attachment)
    .where(iam_attachment.c.policy_arn == _ARN)
    .correlate(iam_entity)
    .scalar_subquery()
)
_BOUNDARIES: Final = (
    select(func.count())
    .select_from(_BOUNDED)
    .where(_BOUNDED.c.boundary == _ARN)
    .correlate(iam_entity)
    .scalar_subquery()
)
_POLICIES: Final = (
    select(
        iam_entity,
        iam_policy.c.default_version,
        iam_policy.c.updated_at,
        _ATTACHMENTS.label("attachments"),
        _BOUNDARIES.label("boundaries"),
    )
    .join(iam_policy, iam_policy.c.id == _ENTITY.id)
    .where(_ENTITY.kind == EntityKind.POLICY.value)
)
_DOCUMENTS: Final = (
    select(_ENTITY.account_id, _ENTITY.path, _ENTITY.name, iam_policy_version.c.document)
    .join(iam_policy, iam_policy.c.id == _ENTITY.id)
    .join(
        iam_policy_version,
        (iam_policy_version.c.policy_id == iam_policy.c.id)
        & (iam_policy_version.c.number == iam_policy.c.default_version),
    )
    .where(_ENTITY.kind == EntityKind.POLICY.value)
)


@dataclass(frozen=True, slots=True)
class PolicyQuery:
    """Which policies of an account a list has."""

    account_id: str
    path_prefix: str = "/"
    is_attached: bool = False
    """Only those that hang on somebody."""
    use: PolicyUse = PolicyUse.ANY
    after: str = ""
    """Lower case name of the last policy of the page before."""
    limit: int = 100


def find_policy(connection: Connection, arn: PolicyArn) -> PolicyView | None:
    """A policy of an account, without its tags."""
    row = connection.execute(
        _POLICIES.where(
            _ENTITY.account_id == arn.account_id,
            _ENTITY.name_lower == arn.name.lower(),
            _ENTITY.name == arn.name,
            _ENTITY.path == arn.path,
        )
    ).one_or_none()
    return None if row is None else _to_view(row)


def list_policies(connection: Connection, query: PolicyQuery) -> list[PolicyView]:
    """A page by lower case name, without tags."""
    statement = (
        _POLICIES.where(_ENTITY.account_id == query.account_id, _ENTITY.name_lower > query.after)
        .order_by(_ENTITY.name_lower)
        .limit(query.limit)
    )
    return [_to_view(row) for row in connection.execute(_narrowed(statement, query))]


def count_uses_of_aws(connection: Connection, account_id: str) -> dict[str, tuple[int, int]]:
    """By ARN of AWS's policies: on how many users, groups and roles of an account each hangs, how many it bounds."""
    prefix = f"arn:aws:iam::{AWS_ACCOUNT}:"
    attached = (
        select(iam_attachment.c.policy_arn, func.count())
        .join(iam_entity, _ENTITY.id == iam_attachment.c.entity_id)
        .where(_ENTITY.account_id == account_id, func.substr(iam_attachment.c.policy_arn, 1, len(prefix)) == prefix)
        .group_by(iam_attachment.c.policy_arn)
    )
    bounded = (
        select(_ENTITY.boundary, func.count())
        .where(_ENTITY.account_id == account_id, func.substr(_ENTITY.boundary, 1, len(prefix)) == prefix)
        .group_by(_ENTITY.boundary)
    )
    attachments = {arn: int(count) for arn, count in connection.execute(attached)}
    boundaries = {arn: int(count) for arn, count in connection.execute(bounded)}
    return {arn: (attachments.get(arn, 0), boundaries.get(arn, 0)) for arn in attachments.keys() | boundaries.keys()}


def list_default_documents(connection: Connection, account_id: str, arns: Collection[PolicyArn]) -> dict[str, str]:
    """The default versions of an account's policies, by ARN; those that are not there are left out."""
    if not arns:
        return {}
    names = sorted({arn.name.lower() for arn in arns})
    rows = connection.execute(_DOCUMENTS.where(_ENTITY.account_id == account_id, _ENTITY.name_lower.in_(names)))
    found = {PolicyArn(row.account_id, row.path, row.name): str(row.document) for row in rows}
    return {str(arn): found[arn] for arn in arns if arn in found}


def insert_policy(connection: Connection, entity: Entity, now_micros: int) -> None:
    """Add what the entity, which is there, has as a policy: its first version is the default."""
    values = {"id": entity.id, "default_version": 1, "last_version": 1, "updated_at": now_micros}
    connection.execute(insert(iam_policy).values(values))


def take_version_number(connection: Connection, policy_id: str, now_micros: int) -> int:
    """The number of a new version, which no other has or had."""
    statement = (
        update(iam_policy)
        .where(iam_policy.c.id == policy_id)
        .values(last_version=iam_policy.c.last_version + 1, updated_at=now_micros)
        .returning(iam_policy.c.last_version)
    )
    return int(connection.execute(statement).scalar_one())


def set_default_version(connection: Connection, policy_id: str, number: int) -> None:
    """Make a version, which is there, the one that counts."""
    connection.execute(update(iam_policy).where(iam_policy.c.id == policy_id).values(default_version=number))


def delete_policy(connection: Connection, policy_id: str) -> None:
    """Delete what the entity has as a policy, its versions too; the entity stays."""
    connection.execute(delete(iam_policy_version).where(iam_policy_version.c.policy_id == policy_id))
    connection.execute(delete(iam_policy).where(iam_policy.c.id == policy_id))


def _narrowed(statement: Select[Any], query: PolicyQuery) -> Select[Any]:
    if query.path_prefix != "/":
        statement = statement.where(func.substr(_ENTITY.path, 1, len(query.path_prefix)) == query.path_prefix)
    if query.is_attached or query.use is PolicyUse.PERMISSIONS:
        statement = statement.where(_ATTACHMENTS > 0)
    if query.use is PolicyUse.BOUNDARY:
        statement = statement.where(_BOUNDARIES > 0)
    return statement


def _to_view(row: Row[*tuple[Any, ...]]) -> PolicyView:
    policy = ManagedPolicy(
        id=row.id,
        arn=PolicyArn(row.account_id, row.path, row.name),
        description=row.description,
        default_version=row.default_version,
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
    )
    return PolicyView(policy, row.attachments, row.boundaries)
