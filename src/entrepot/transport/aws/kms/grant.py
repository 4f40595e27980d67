"""Grants: CreateGrant, ListGrants, ListRetirableGrants, RevokeGrant and RetireGrant.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms import parse_key_name
from entrepot.domain.kms_error import AliasNotFound, GrantNotFound, KeyNotFound, KmsInvalid
from entrepot.domain.kms_grant import OPERATIONS as GRANTABLE
from entrepot.domain.kms_grant import Constraints, KeptGrant, KmsGrant
from entrepot.domain.kms_limit import CONSTRAINT_LENGTH_MAX, CONSTRAINT_PAIRS_MAX
from entrepot.service.kms.grant import NewGrant, granted_to_retire
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.cryptography import end_of_dry_run
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.kms.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def create_grant(call: Call) -> dict[str, Any]:
    given = call.parameters
    key = await key_of(call)
    wanted = NewGrant(
        grantee=_principal(given, "Grantee") or _missing("GranteePrincipal"),
        operations=_operations(given["Operations"]),
        issuing_account=f"arn:{call.registry.partition}:iam::{call.caller.account_id}:root",
        retiring=_principal(given, "Retiring"),
        name=given.get("Name"),
        constraints=constraints_of(given),
    )
    await call.services.kms_grant.check_tokens(given.get("GrantTokens", []))
    end_of_dry_run(call)
    made = await call.services.kms_grant.create(key, wanted)
    return {"GrantToken": made.token, "GrantId": made.id}


async def list_grants(call: Call) -> dict[str, Any]:
    given, paging = call.parameters, paging_of(call, 50, 100)
    key = await key_of(call)
    found = await call.services.kms_grant.list_of_key(
        key, paging.request, grant_id=given.get("GrantId"), grantee=_principal(given, "Grantee")
    )
    return paging.answer("Grants", found, _pack)


async def list_retirable_grants(call: Call) -> dict[str, Any]:
    paging = paging_of(call, 50, 100)
    retiring = _principal(call.parameters, "Retiring") or _missing("RetiringPrincipal")
    found = await call.services.kms_grant.list_retirable(call.registry, retiring, paging.request)
    return paging.answer("Grants", found, _pack)


async def revoke_grant(call: Call) -> dict[str, Any]:
    key = await key_of(call)
    await call.services.kms_grant.find(key, call.parameters["GrantId"])
    end_of_dry_run(call)
    await call.services.kms_grant.revoke(key, call.parameters["GrantId"])
    return {}


async def retire_grant(call: Call) -> dict[str, Any]:
    """Who the grant names may, unless he is denied it; for anybody else the key's policy decides."""
    row = await _retired(call)
    await call.permission.check_granted("kms:RetireGrant", row.grant.key_arn, granted_to_retire(call.caller, row))
    end_of_dry_run(call)
    await call.services.kms_grant.retire(row)
    return {}


async def _retired(call: Call) -> KeptGrant:
    given = call.parameters
    if "GrantToken" in given:
        if "GrantId" in given or "KeyId" in given:
            raise KmsInvalid("Specify either a grant token, or a grant ID and a key ARN.")
        return await call.services.kms_grant.find_by_token(given["GrantToken"])
    if "GrantId" not in given or "KeyId" not in given:
        raise KmsInvalid("Specify either a grant token, or a grant ID and a key ARN.")
    name = parse_key_name(given["KeyId"], call.registry)
    try:
        return await call.services.kms_grant.find(await call.services.kms_keys.get(name), given["GrantId"])
    except (AliasNotFound, GrantNotFound, KeyNotFound):
        await call.permission.check_action("kms:RetireGrant", name.arn)  # others learn nothing of what there is
        raise


def constraints_of(given: dict[str, Any]) -> Constraints:
    """The constraints of a new grant.

    Raises:
        KmsInvalid: both, one with too many pairs or too long ones, or one that is not about the encryption context.
    """
    found = given.get("Constraints") or {}
    if "SourceArn" in found:
        raise KmsInvalid("Constraints on SourceArn are not supported.")
    if sum(map(bool, found.values())) > 1:  # Terraform sends the other one empty
        raise KmsInvalid("More than one constraint supplied")
    if any(len(context) > CONSTRAINT_PAIRS_MAX for context in found.values()):
        raise KmsInvalid(f"A grant constraint cannot have more than {CONSTRAINT_PAIRS_MAX} encryption context pairs.")
    if any(
        len(text) > CONSTRAINT_LENGTH_MAX for context in found.values() for pair in context.items() for text in pair
    ):
        raise KmsInvalid(
            f"The encryption context in a grant constraint cannot exceed {CONSTRAINT_LENGTH_MAX} characters."
        )
    return Constraints.of(found)


def _principal(given: dict[str, Any], role: str) -> str | None:
    """A principal or a service; not both."""
    arn, service = given.get(f"{role}Principal"), given.get(f"{role}ServicePrincipal")
    if arn is not None and service is not None:
        raise KmsInvalid(f"Specify either {role}Principal or {role}ServicePrincipal.")
    found: str | None = arn or service
    return found


def _missing(member: str) -> str:
    raise KmsInvalid(f"{member} is required.")


def _operations(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in GRANTABLE:
            raise KmsInvalid(f"Grant operation {name} is not valid for a key of spec SYMMETRIC_DEFAULT.")
    if set(names) == {"CreateGrant"}:
        raise KmsInvalid("Grants must not contain only the CreateGrant operation.")
    return tuple(dict.fromkeys(names))


def _pack(grant: KmsGrant) -> dict[str, Any]:
    """`GrantListEntry`."""
    constraints = {
        "EncryptionContextEquals": grant.constraints.equals,
        "EncryptionContextSubset": grant.constraints.subset,
    }
    return {
        "KeyId": grant.key_arn,
        "GrantId": grant.id,
        "Name": grant.name,
        "CreationDate": grant.created_at,
        "GranteePrincipal": grant.grantee,
        "RetiringPrincipal": grant.retiring,
        "IssuingAccount": grant.issuing_account,
        "Operations": list(grant.operations),
        "Constraints": {name: dict(value) for name, value in constraints.items() if value is not None} or None,
    }


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateGrant": (ResourceKind.KEY, create_grant),
    "ListGrants": (ResourceKind.KEY, list_grants),
    "ListRetirableGrants": (ResourceKind.ANY, list_retirable_grants),
    "RetireGrant": (ResourceKind.NONE, retire_grant),
    "RevokeGrant": (ResourceKind.KEY, revoke_grant),
}
"""By name: what each is authorised on, and its handler."""
