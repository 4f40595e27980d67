"""AWS's managed policies: those that come with this package, and more from a file of the operator's.

Both are what `aws iam get-account-authorization-details --filter AWSManagedPolicy` prints:

    {"Policies": [{"PolicyName": "AdministratorAccess", "PolicyId": "ANPAIWMBCKSKIEE64ZLYK",
                   "Arn": "arn:aws:iam::aws:policy/AdministratorAccess", "Path": "/", "DefaultVersionId": "v1",
                   "CreateDate": "2015-02-06T18:39:46+00:00", "UpdateDate": "2015-02-06T18:39:46+00:00",
                   "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true,
                                          "CreateDate": "2015-02-06T18:39:46+00:00", "Document": {…}}]}]}

Arn and PolicyVersionList are needed; a policy without PolicyId has one made of its ARN, and dates may be missing.

Spec: AWS managed policy reference guide; IAM API, ManagedPolicyDetail.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from entrepot.domain.json_document import DocumentInvalid, parse_document
from entrepot.domain.managed_policy import (
    AwsPolicies,
    AwsPolicy,
    ManagedPolicy,
    PolicyArn,
    PolicyVersion,
    parse_policy_arn,
    parse_version_id,
)
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid

_FIRST_DAY: Final = datetime(2015, 2, 6, tzinfo=UTC)
"""When AWS's first managed policies were made: the date of those that come without one."""
_ID_CHARACTERS: Final = 17


class AwsPoliciesInvalid(Exception):
    """A text that holds no policies as AWS prints them; says which of them is wrong, and how."""


@lru_cache
def package_policies() -> AwsPolicies:
    """Those that come with this package, read once."""
    texts = (place.read_text("utf-8") for place in (files(__package__) / "documents").iterdir())
    return AwsPolicies(policy for text in texts for policy in _policies(json.loads(text)))


def with_file(policies: AwsPolicies, text: str) -> AwsPolicies:
    """Policies with those of a text added, which count where both have the same ARN.

    Raises:
        AwsPoliciesInvalid: the text cannot be read, or holds a document that is no policy.
    """
    try:
        added = list(_policies(parse_document(text.encode())))
    except DocumentInvalid as error:
        raise AwsPoliciesInvalid(f"no JSON object: {error.detail}") from error
    for policy in added:
        _check_documents(policy)
    return AwsPolicies([*policies.values(), *added])


def _check_documents(policy: AwsPolicy) -> None:
    for version in policy.versions:
        try:
            parse_policy(version.document, Kind.IDENTITY)
        except PolicyInvalid as error:
            raise AwsPoliciesInvalid(f"{policy.policy.arn}, version {version.id}: {error}") from error


def _policies(document: Mapping[str, Any]) -> Iterator[AwsPolicy]:
    listed = document.get("Policies")
    if not isinstance(listed, list):
        raise AwsPoliciesInvalid("no list `Policies`")
    for number, detail in enumerate(listed):
        try:
            yield _policy(detail)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AwsPoliciesInvalid(f"Policies[{number}]: {type(error).__name__} {error}") from error


def _policy(detail: Mapping[str, Any]) -> AwsPolicy:
    arn = parse_policy_arn(detail["Arn"])
    if arn is None or not arn.is_aws:
        raise ValueError(f"{detail['Arn']} is no ARN of a policy of AWS")
    versions = sorted(map(_version, detail["PolicyVersionList"]), key=lambda version: version.number, reverse=True)
    defaults = [version.number for version in versions if version.is_default]
    if len(defaults) != 1:
        raise ValueError("there must be one default version")
    created_at = _date(detail.get("CreateDate"))
    policy = ManagedPolicy(
        id=str(detail.get("PolicyId") or _made_id(arn)),
        arn=arn,
        description=detail.get("Description"),
        default_version=defaults[0],
        created_at=created_at,
        updated_at=_date(detail.get("UpdateDate"), created_at),
    )
    return AwsPolicy(policy, tuple(versions))


def _version(detail: Mapping[str, Any]) -> PolicyVersion:
    number, document = parse_version_id(detail["VersionId"]), detail["Document"]
    if number is None:
        raise ValueError(f"{detail['VersionId']} is no version")
    text = document if isinstance(document, str) else json.dumps(document)
    return PolicyVersion(number, text, _date(detail.get("CreateDate")), detail["IsDefaultVersion"] is True)


def _date(text: str | None, otherwise: datetime = _FIRST_DAY) -> datetime:
    if text is None:
        return otherwise
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _made_id(arn: PolicyArn) -> str:
    digest = base64.b32encode(hashlib.sha256(str(arn).encode()).digest()).decode()
    return f"ANPA{digest[:_ID_CHARACTERS]}"
