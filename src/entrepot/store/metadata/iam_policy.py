"""Managed policies of accounts: found by ARN, their versions, and the documents that count."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from entrepot.domain.iam import EntityKind
from entrepot.domain.managed_policy import PolicyArn
from entrepot.store.metadata.schema import iam_entity, iam_policy, iam_policy_version

_DOCUMENTS = (
    select(iam_entity.c.account_id, iam_entity.c.path, iam_entity.c.name, iam_policy_version.c.document)
    .join(iam_policy, iam_policy.c.id == iam_entity.c.id)
    .join(
        iam_policy_version,
        (iam_policy_version.c.policy_id == iam_policy.c.id)
        & (iam_policy_version.c.number == iam_policy.c.default_version),
    )
    .where(iam_entity.c.kind == EntityKind.POLICY.value)
)


def list_default_documents(connection: Connection, account_id: str, arns: Collection[PolicyArn]) -> dict[str, str]:
    """The default versions of an account's policies, by ARN; those that are not there are left out."""
    if not arns:
        return {}
    names = sorted({arn.name.lower() for arn in arns})
    rows = connection.execute(
        _DOCUMENTS.where(iam_entity.c.account_id == account_id, iam_entity.c.name_lower.in_(names))
    )
    found = {PolicyArn(row.account_id, row.path, row.name): str(row.document) for row in rows}
    return {str(arn): found[arn] for arn in arns if arn in found}
