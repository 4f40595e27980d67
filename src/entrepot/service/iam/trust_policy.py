"""Trust policies: documents that say who may assume a role, read and measured when they are saved.

Spec: IAM API, CreateRole, UpdateAssumeRolePolicy; IAM user guide, "IAM and AWS STS quotas", role trust policy length.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam_error import MalformedPolicy, QuotaExceeded
from entrepot.domain.iam_limit import TRUST_LENGTH_MAX
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.service.saved_policy import find_principals

_QUOTA = "ACLSizePerRole"


def find_trusted(connection: Connection, text: str) -> dict[str, str]:
    """Unique ids of the users and roles that a trust policy names, by the names as they are written.

    Raises:
        MalformedPolicy: it is no trust policy, or names somebody who does not exist.
        QuotaExceeded: it is too long.
    """
    try:
        policy = parse_policy(text, Kind.TRUST)
        if len("".join(text.split())) > TRUST_LENGTH_MAX:
            raise QuotaExceeded(_QUOTA, TRUST_LENGTH_MAX)
        return find_principals(connection, policy)
    except PolicyInvalid as error:
        if error.fault is Fault.TOO_LONG:
            raise QuotaExceeded(_QUOTA, TRUST_LENGTH_MAX) from error
        raise MalformedPolicy(error.sentence) from error
