"""Words of denials, the same on both planes: who may not do what, and which kind of policy says so.

Spec: IAM user guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

from typing import Final

from entrepot.domain.error import AccessDenied

_WITHOUT_REASON: Final = frozenset({"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"})
"""What a role's trust policy says is not for those whom it keeps out."""


def denial(error: AccessDenied) -> str:
    """AWS's sentence."""
    sentence = f"User: {error.principal_arn} is not authorized to perform: {error.action} on resource: {error.resource}"
    if error.layer is None or error.action in _WITHOUT_REASON:
        return sentence
    if error.is_explicit:
        return f"{sentence} with an explicit deny in {_article(error.layer)} {error.layer}"
    return f"{sentence} because no {error.layer} allows the {error.action} action"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
