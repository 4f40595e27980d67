"""Grants under which ECR uses the KMS key of a repository: one for each, made and removed with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from entrepot.store.metadata.schema import kms_grant

OPERATIONS: Final = ("Decrypt", "GenerateDataKey")

_COLUMNS: Final = kms_grant.c


@dataclass(frozen=True, slots=True)
class EcrGrant:
    """A grant that lets ECR open the key of one repository; `created_at` in microseconds UTC."""

    id: str
    token: str
    key_id: str
    service: str
    """Who may use and retire it, such as `ecr.us-east-1.amazonaws.com`."""
    issuing_account: str
    context: Mapping[str, str]
    created_at: int


def insert_ecr_grant(connection: Connection, grant: EcrGrant) -> None:
    """Add it."""
    connection.execute(
        insert(kms_grant).values(
            id=grant.id,
            token=grant.token,
            key_id=grant.key_id,
            grantee=grant.service,
            retiring=grant.service,
            principals="{}",
            issuing_account=grant.issuing_account,
            operations=json.dumps(OPERATIONS),
            constraints=json.dumps({"EncryptionContextSubset": dict(grant.context)}),
            created_at=grant.created_at,
        )
    )


def is_granted(
    connection: Connection, key_id: str, grant_id: str | None, service: str, context: Mapping[str, str]
) -> bool:
    """Whether ECR may open what was encrypted with that context: by that grant, or by another one that allows it."""
    own = select(_COLUMNS.id).where(_COLUMNS.id == grant_id, _COLUMNS.key_id == key_id)
    if connection.scalar(own) is not None:
        return True
    others = select(_COLUMNS.operations, _COLUMNS.constraints).where(
        _COLUMNS.key_id == key_id, _COLUMNS.grantee == service
    )
    for value in context.values():
        others = others.where(_COLUMNS.constraints.contains(json.dumps(value), autoescape=True))
    return any(_allows(row.operations, row.constraints, context) for row in connection.execute(others))


def delete_grant(connection: Connection, grant_id: str) -> None:
    """Remove it, if it is there still."""
    connection.execute(delete(kms_grant).where(_COLUMNS.id == grant_id))


def _allows(operations: str, constraints: str, context: Mapping[str, str]) -> bool:
    given = json.loads(constraints)
    subset, whole = given.get("EncryptionContextSubset"), given.get("EncryptionContextEquals")
    fits = (subset is None or subset.items() <= context.items()) and (whole is None or whole == dict(context))
    return fits and "Decrypt" in json.loads(operations)
