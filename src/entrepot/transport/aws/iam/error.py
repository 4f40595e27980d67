"""IAM's and STS's words: code, status and message of their own failures.

Spec: IAM API, "Errors" of each operation.
"""

from __future__ import annotations

from typing import Final

from entrepot.domain import iam_error as iam
from entrepot.domain.error import RegistryError
from entrepot.domain.iam import EntityKind
from entrepot.domain.iam_limit import POLICY_VERSIONS
from entrepot.transport.aws.error_row import Row

_NOT_FOUND: Final = {
    "access key": "The Access Key with id {name} cannot be found.",
    "login profile": "Login Profile for User {name} cannot be found.",
    "boundary": "Scope ARN: {name} does not exist or is not attachable.",
    "user": "The user with name {name} cannot be found.",
    "group": "The group with name {name} cannot be found.",
    "role": "The role with name {name} cannot be found.",
    EntityKind.INSTANCE_PROFILE.value: "Instance Profile {name} cannot be found.",
    "role in profile": "Role {name} cannot be found.",
    "provider": "OpenIDConnect Provider not found for arn {name}",
    "policy": "Policy {name} was not found.",
    "attachable policy": "Policy {name} does not exist or is not attachable.",
    "user policy": "The user policy with name {name} cannot be found.",
    "group policy": "The group policy with name {name} cannot be found.",
    "role policy": "The role policy with name {name} cannot be found.",
}

_EXISTS: Final = {
    "policy": "A policy called {name} already exists. Duplicate names are not allowed.",
    EntityKind.INSTANCE_PROFILE.value: "Instance Profile {name} already exists.",
    EntityKind.PROVIDER.value: "Provider with url https://{name} already exists.",
    "account alias": "The account alias {name} already exists.",
}

_BONDS: Final = {
    iam.PolicyBond.ATTACHED: "Cannot delete a policy attached to entities.",
    iam.PolicyBond.VERSIONS: (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy."
    ),
    iam.PolicyBond.DEFAULT: "Cannot delete the default version of a policy.",
}


def _not_found(error: iam.EntityNotFound) -> str:
    return _NOT_FOUND.get(error.kind, "The {kind} {name} cannot be found.").format(kind=error.kind, name=error.name)


def _unknown_key(error: iam.UnknownAccessKey) -> str:
    return (
        f"User: {error.principal_arn} is not authorized to perform iam:GetAccessKeyLastUsed "
        f"on resource: access key {error.access_key_id}"
    )


def _exists(error: iam.EntityAlreadyExists) -> str:
    return _EXISTS.get(error.kind, "{kind} with name {name} already exists.").format(
        kind=error.kind.capitalize(), name=error.name
    )


def _quota(error: iam.QuotaExceeded) -> str:
    if error.quota == POLICY_VERSIONS.name:
        return (
            f"A managed policy can have up to {error.limit} versions. Before you create a new version, you must delete "
            "an existing version."
        )
    return f"Cannot exceed quota for {error.quota}: {error.limit}"


def _inline(error: iam.InlineTooLong) -> str:
    return f"Maximum policy size of {error.limit} bytes exceeded for {error.kind} {error.name}"


ROWS: Final[dict[type[RegistryError], Row]] = {
    iam.EntityNotFound: Row("NoSuchEntity", _not_found, 404),
    iam.EntityAlreadyExists: Row("EntityAlreadyExists", _exists, 409),
    iam.DeleteConflict: Row("DeleteConflict", lambda e: f"Cannot delete entity, must {e.remedy}.", 409),
    iam.UnknownAccessKey: Row("AccessDeniedException", _unknown_key),
    iam.PolicyNotDeletable: Row("DeleteConflict", lambda e: _BONDS[e.bond], 409),
    iam.QuotaExceeded: Row("LimitExceeded", _quota, 409),
    iam.InlineTooLong: Row("LimitExceeded", _inline, 409),
    iam.MalformedPolicy: Row("MalformedPolicyDocument", lambda e: e.sentence),
    iam.InvalidInput: Row("InvalidInput", lambda e: e.detail),
    iam.InvalidValue: Row(
        "InvalidParameterValue", lambda e: f"Value ({e.value}) for parameter {e.parameter} is invalid."
    ),
    iam.ValidationFailed: Row("ValidationError", lambda e: e.detail),
    iam.NotModifiable: Row("UnmodifiableEntity", lambda e: e.detail),
    iam.NeverAllowed: Row("AccessDeniedException", lambda e: e.sentence),
    iam.SourceNotAccepted: Row(
        "AccessDeniedException", lambda e: f"Service: {e.service} is not authorized: {e.detail}"
    ),
    iam.SessionNotAccepted: Row(
        "UnrecognizedClientException", lambda _: "The security token included in the request is invalid."
    ),
    iam.InvalidIdentityToken: Row("InvalidIdentityToken", lambda e: e.detail),
    iam.ExpiredIdentityToken: Row(
        "ExpiredIdentityToken", lambda _: "Token expired: current date/time must be before the expiration date/time"
    ),
    iam.IssuerNotReached: Row(
        "IDPCommunicationError",
        lambda _: (
            "Couldn't retrieve verification key from your identity provider, please reference "
            "AssumeRoleWithWebIdentity documentation for requirements"
        ),
    ),
    iam.InvalidSessionTag: Row("InvalidParameterValue", lambda e: e.detail),
    iam.PackedPolicyTooLarge: Row(
        "PackedPolicyTooLarge",
        lambda e: f"Packed policy consumes {e.percent}% of allotted space, please use smaller policy.",
    ),
}
"""One row for every error of `domain/iam_error.py`."""
