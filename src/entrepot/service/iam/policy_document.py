"""Documents of identity policies as IAM takes them: read, then measured against what the place can hold.

Spec: IAM user guide, "IAM and AWS STS quotas", IAM and STS character limits: white space is not counted.
"""

from __future__ import annotations

from entrepot.domain.iam_error import MalformedPolicy, QuotaExceeded
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.statement import Policy


def check_document(document: str) -> Policy:
    """Read a document.

    Raises:
        MalformedPolicy: it is no policy of users, groups and roles.
        QuotaExceeded: longer than any document can be.
    """
    try:
        return parse_policy(document, Kind.IDENTITY)
    except PolicyInvalid as error:
        if error.fault is Fault.TOO_LONG:
            raise QuotaExceeded("PolicySize", int(error.details["found"])) from error
        raise MalformedPolicy(error.sentence) from error


def length_of(document: str) -> int:
    """Characters that count: white space does not."""
    return len("".join(document.split()))
