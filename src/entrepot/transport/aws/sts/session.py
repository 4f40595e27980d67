"""Session operations: AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken and GetAccessKeyInfo.

Spec: STS API, version 2011-06-15.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from entrepot.domain.iam_error import NeverAllowed
from entrepot.domain.role_session import SessionRequest
from entrepot.service.session import IssuedSession
from entrepot.transport.aws.call import Call

TOKEN_LENGTH_MAX: Final = 4_096
"""Characters of a session token that a caller may ask for. Spec: STS API, MinimumSessionTokenSize."""

_NO_DEVICE: Final = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  "
    "Please verify your MFA serial number is valid and associated with this user."
)


async def assume_role(call: Call) -> dict[str, Any]:
    _check_device(call)
    return await _assume(call)


async def assume_role_with_web_identity(call: Call) -> dict[str, Any]:
    identity = call.web_identity
    if identity is None:
        raise NeverAllowed("Not authorized to perform sts:AssumeRoleWithWebIdentity")
    return await _assume(call) | {
        "SubjectFromWebIdentityToken": identity.subject,
        "Audience": identity.audience,
        "Provider": identity.provider.arn,
    }


async def _assume(call: Call) -> dict[str, Any]:
    request = _session_request(call.parameters)
    if call.web_identity is not None:
        request = replace(request, vouched=call.web_identity.session_keys())
    role_arn = call.parameters["RoleArn"]
    issued = await call.services.session.assume_role(call.caller, role_arn, request, _token_length(call))
    principal = issued.principal.in_partition(call.registry.partition)
    return _credentials(call, issued) | {
        "AssumedRoleUser": {"AssumedRoleId": f"{principal.unique_id}:{request.name}", "Arn": principal.arn},
        "PackedPolicySize": request.packed_percent,
        "SourceIdentity": issued.session.source_identity,
    }


async def get_session_token(call: Call) -> dict[str, Any]:
    _check_device(call)
    issued = await call.services.session.session_token(
        call.caller, call.parameters.get("DurationSeconds"), _token_length(call)
    )
    return _credentials(call, issued)


async def get_access_key_info(call: Call) -> dict[str, Any]:
    return {"Account": await call.services.session.account_of(call.parameters["AccessKeyId"])}


def _session_request(given: dict[str, Any]) -> SessionRequest:
    return SessionRequest(
        name=given["RoleSessionName"],
        seconds=given.get("DurationSeconds"),
        policy=given.get("Policy"),
        policy_arns=tuple(policy["arn"] for policy in given.get("PolicyArns", []) if "arn" in policy),
        tags=tuple((tag["Key"], tag["Value"]) for tag in given.get("Tags", [])),
        transitive_tag_keys=tuple(given.get("TransitiveTagKeys", [])),
        source_identity=given.get("SourceIdentity"),
    )


def _credentials(call: Call, issued: IssuedSession) -> dict[str, Any]:
    members: dict[str, Any] = {
        "Credentials": {
            "AccessKeyId": issued.access_key_id,
            "SecretAccessKey": issued.secret,
            "SessionToken": issued.token,
            "Expiration": issued.session.expires_at,
        }
    }
    if _token_length(call):
        members["SessionTokenSize"] = len(issued.token)
        members["SessionTokenUtilization"] = 100 * len(issued.token) // TOKEN_LENGTH_MAX
    return members


def _token_length(call: Call) -> int:
    return int(call.parameters.get("MinimumSessionTokenSize", 0))


def _check_device(call: Call) -> None:
    """There are no MFA devices, so that no code of one is right."""
    if "SerialNumber" in call.parameters or "TokenCode" in call.parameters:
        raise NeverAllowed(_NO_DEVICE)
