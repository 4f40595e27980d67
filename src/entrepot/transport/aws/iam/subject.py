"""Subjects: the user that a request of IAM is about: named, or behind the key that signed it.

Spec: IAM API, UserName of GetUser and CreateAccessKey: "If you do not specify a user name, IAM determines the user name
implicitly based on the AWS access key ID signing the request."
"""

from __future__ import annotations

from entrepot.domain.iam_error import ValidationFailed
from entrepot.domain.principal import PrincipalKind
from entrepot.transport.aws.call import Call


def user_name_of(call: Call) -> str | None:
    """The name of the user that the call is about; None stands for root.

    Raises:
        ValidationFailed: no name is given, and a role's session asks.
    """
    given: str | None = call.parameters.get("UserName")
    principal = call.caller.principal
    if given is not None:
        return given
    if principal.kind is PrincipalKind.ROOT:
        return None
    if principal.kind is PrincipalKind.ROLE:
        raise ValidationFailed("Must specify userName when calling with non-User credentials")
    return principal.identity_arn.rpartition("/")[2]
