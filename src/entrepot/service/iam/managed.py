"""Managed policies by ARN: those of the account and those of AWS are found alike, only the account's can be changed.

Spec: IAM API, errors of GetPolicy, GetPolicyVersion and CreatePolicyVersion.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from entrepot.domain.iam_error import EntityNotFound, InvalidInput, NotModifiable
from entrepot.domain.managed_policy import AwsPolicies, PolicyArn, PolicyVersion, PolicyView, parse_policy_arn
from entrepot.store.metadata.iam_policy import count_uses_of_aws, find_policy
from entrepot.store.metadata.iam_policy_version import list_versions

ATTACHABLE: Final = "attachable policy"
"""What an error calls a policy that was to hang on somebody, or of which a version was asked for."""


def read_arn(text: str) -> PolicyArn:
    """Take an ARN apart.

    Raises:
        InvalidInput: it is none of a managed policy.
    """
    arn = parse_policy_arn(text)
    if arn is None:
        raise InvalidInput(f"ARN {text} is not valid.")
    return arn


def get_policy(
    connection: Connection, aws: AwsPolicies, account_id: str, text: str, missing: EntityNotFound | None = None
) -> PolicyView:
    """A policy that the account can see, without tags.

    Raises:
        InvalidInput: no ARN of a managed policy.
        EntityNotFound: there is none; `missing` where that has other words.
    """
    arn = read_arn(text)
    if arn.is_aws and text in aws:
        return PolicyView(aws[text].policy, *count_uses_of_aws(connection, account_id).get(text, (0, 0)))
    found = find_policy(connection, arn) if arn.account_id == account_id else None
    if found is None:
        raise missing or EntityNotFound("policy", text)
    return found


def get_own_policy(
    connection: Connection, account_id: str, text: str, missing: EntityNotFound | None = None
) -> PolicyView:
    """A policy that the account can change, without tags.

    Raises:
        InvalidInput: no ARN of a managed policy.
        NotModifiable: it is AWS's.
        EntityNotFound: there is none.
    """
    if read_arn(text).is_aws:
        raise NotModifiable(f"Policy {text} is managed by AWS and cannot be changed.")
    return get_policy(connection, AwsPolicies(), account_id, text, missing)


def versions_of(connection: Connection, aws: AwsPolicies, policy: PolicyView) -> list[PolicyVersion]:
    """The versions of a policy, newest first."""
    text = str(policy.policy.arn)
    return list(aws[text].versions) if text in aws else list_versions(connection, policy.policy.id)
