"""Words of denials, the same on both planes: who may not do what, and which kind of policy says so.

Spec: IAM user guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

from typing import Final

from entrepot.domain.arn import account_of
from entrepot.domain.error import AccessDenied

_WITHOUT_REASON: Final = frozenset({"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"})
"""What a role's trust policy says is not for those whom it keeps out."""


_FOREIGN_KEY: Final = (
    "this resource because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def denial(error: AccessDenied) -> str:
    """AWS's sentence."""
    if _is_foreign_key(error):
        return f"User: {error.principal_arn} is not authorized to perform: {error.action} on {_FOREIGN_KEY}"
    sentence = f"User: {error.principal_arn} is not authorized to perform: {error.action} on resource: {error.resource}"
    if error.layer is None or error.action in _WITHOUT_REASON:
        return sentence
    if error.is_explicit:
        return f"{sentence} with an explicit deny in {_article(error.layer)} {error.layer}"
    return f"{sentence} because no {error.layer} allows the {error.action} action"


def _is_foreign_key(error: AccessDenied) -> bool:
    """Whether it is another account's KMS key, or none, that lets nobody in; KMS has a sentence for that."""
    is_closed = error.layer == "resource-based policy" and error.action.startswith("kms:")
    return is_closed and account_of(error.principal_arn) not in (None, account_of(error.resource))


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
