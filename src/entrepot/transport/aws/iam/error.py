"""IAM's and STS's words: code, status and message of their own failures.

Spec: IAM API, "Errors" of each operation.
"""

from __future__ import annotations

from typing import Final

from entrepot.domain import iam_error as iam
from entrepot.domain.error import RegistryError
from entrepot.transport.aws.error_row import Row

_NOT_FOUND: Final = {
    "access key": "The Access Key with id {name} cannot be found.",
    "boundary": "Scope ARN: {name} does not exist or is not attachable.",
    "user": "The user with name {name} cannot be found.",
    "group": "The group with name {name} cannot be found.",
    "role": "The role with name {name} cannot be found.",
    "policy": "Policy {name} does not exist or is not attachable.",
}


def _not_found(error: iam.EntityNotFound) -> str:
    return _NOT_FOUND.get(error.kind, "The {kind} {name} cannot be found.").format(kind=error.kind, name=error.name)


def _unknown_key(error: iam.UnknownAccessKey) -> str:
    return (
        f"User: {error.principal_arn} is not authorized to perform iam:GetAccessKeyLastUsed "
        f"on resource: access key {error.access_key_id}"
    )


def _exists(error: iam.EntityAlreadyExists) -> str:
    return f"{error.kind.capitalize()} with name {error.name} already exists."


ROWS: Final[dict[type[RegistryError], Row]] = {
    iam.EntityNotFound: Row("NoSuchEntity", _not_found, 404),
    iam.EntityAlreadyExists: Row("EntityAlreadyExists", _exists, 409),
    iam.DeleteConflict: Row("DeleteConflict", lambda e: f"Cannot delete entity, must {e.remedy}.", 409),
    iam.QuotaExceeded: Row("LimitExceeded", lambda e: f"Cannot exceed quota for {e.quota}: {e.limit}", 409),
    iam.UnknownAccessKey: Row("AccessDeniedException", _unknown_key),
    iam.MalformedPolicy: Row("MalformedPolicyDocument", lambda e: e.sentence),
    iam.InvalidInput: Row("InvalidInput", lambda e: e.detail),
    iam.ValidationFailed: Row("ValidationError", lambda e: e.detail),
    iam.NotModifiable: Row("UnmodifiableEntity", lambda e: e.detail),
    iam.NeverAllowed: Row("AccessDeniedException", lambda e: e.sentence),
    iam.SessionNotAccepted: Row(
        "UnrecognizedClientException", lambda _: "The security token included in the request is invalid."
    ),
    iam.InvalidSessionTag: Row("InvalidParameterValue", lambda e: e.detail),
    iam.PackedPolicyTooLarge: Row(
        "PackedPolicyTooLarge",
        lambda e: f"Packed policy consumes {e.percent}% of allotted space, please use smaller policy.",
    ),
}
"""One row for every error of `domain/iam_error.py`."""
