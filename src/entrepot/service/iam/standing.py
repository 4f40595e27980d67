"""Standing: everything that IAM says of a user or role, read anew whenever the access epoch of his account has changed.

Spec: IAM user guide, "Policy evaluation logic", "Permissions boundaries for IAM entities".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.iam import Entity
from entrepot.domain.managed_policy import AwsPolicies, PolicyArn, parse_policy_arn
from entrepot.store.metadata.iam_attachment import list_attached_arns
from entrepot.store.metadata.iam_inline_policy import list_inline_policies
from entrepot.store.metadata.iam_policy import list_default_documents
from entrepot.store.metadata.iam_standing import list_holders
from entrepot.store.metadata.iam_tag import list_tags

DENY_ALL: Final = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
"""Stands for an attached policy of AWS that this server does not know any more: nobody can say what it denied."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What policies and tags a user or role has. Documents are as they were written, and parse as Kind.IDENTITY."""

    identity: tuple[tuple[str, str], ...] = ()
    """Name and document of what grants and denies, groups' too. Inline policies are named `user/alice/NAME`, after
    whom they belong to; managed policies by ARN."""
    boundary: tuple[str, str] | None = None
    """ARN and document of the permissions boundary."""
    tags: Mapping[str, str] = field(default_factory=dict)


def load_standing(connection: Connection, aws: AwsPolicies, unique_id: str) -> Standing:
    """Read a user's or a role's standing; that of somebody who does not exist is empty."""
    holders = list_holders(connection, unique_id)
    if not holders:
        return Standing()
    holder, arns = holders[0], list_attached_arns(connection, [entity.id for entity in holders])
    managed = _documents(connection, aws, holder.account_id, [*arns, *([holder.boundary] if holder.boundary else [])])
    return Standing(
        identity=(*_inline(connection, holders), *((arn, managed[arn]) for arn in arns)),
        boundary=(holder.boundary, managed[holder.boundary]) if holder.boundary else None,
        tags=list_tags(connection, unique_id),
    )


def load_managed(connection: Connection, aws: AwsPolicies, account_id: str, arn: str) -> str | None:
    """The default version's document of a managed policy of the account or of AWS; None if there is none."""
    if arn in aws:
        return aws[arn].document
    return list_default_documents(connection, account_id, _own(account_id, [arn])).get(arn)


def inline_name(holder: Entity, name: str) -> str:
    """What an inline policy is called among all that count: `user/alice/NAME`."""
    return f"{holder.kind.value}/{holder.name}/{name}"


def _inline(connection: Connection, holders: list[Entity]) -> list[tuple[str, str]]:
    of_id = {holder.id: holder for holder in holders}
    found = list_inline_policies(connection, list(of_id))
    return [(inline_name(of_id[owner], name), document) for owner, name, document in found]


def _documents(connection: Connection, aws: AwsPolicies, account_id: str, arns: list[str]) -> dict[str, str]:
    own = list_default_documents(connection, account_id, _own(account_id, arns))
    return {arn: aws[arn].document if arn in aws else own.get(arn, DENY_ALL) for arn in arns}


def _own(account_id: str, arns: list[str]) -> list[PolicyArn]:
    parsed = (parse_policy_arn(arn) for arn in arns)
    return [arn for arn in parsed if arn is not None and arn.account_id == account_id]
