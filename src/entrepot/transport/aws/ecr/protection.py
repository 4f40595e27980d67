"""The KMS key of a new repository: found, and given by a caller who may use it through ECR.

Spec: ECR user guide, "Encryption at rest", "Required IAM permissions"; KMS developer guide, "kms:ViaService",
"kms:GrantIsForAWSResource"; IAM user guide, "aws:ViaAWSService", "aws:CalledVia".
"""

from __future__ import annotations

from typing import Final

from entrepot.domain.error import AccessDenied
from entrepot.domain.key_provider import KeyRefused
from entrepot.domain.kms import key_name_of
from entrepot.domain.kms_use import ChosenKey, ecr_service
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositorySettings
from entrepot.transport.aws.call import Call
from entrepot.transport.denial import denial

_ECR: Final = ("ecr.amazonaws.com",)


async def choose_key(call: Call, settings: RepositorySettings) -> ChosenKey | None:
    """The key that a new repository asks for, if any; the caller may look at it and grant its use to ECR.

    Raises:
        KeyRefused: there is no such key, it is none for this, or the caller may not. Without kms:DescribeKey nobody is
            told whether a key exists.
        KeyProviderAway
    """
    try:
        chosen = await call.services.repository.choose_key(call.registry, settings)
    except KeyRefused as refused:
        if key_name_of(refused.arn) is not None:
            await _check(call, "kms:DescribeKey", ChosenKey(refused.arn, call.registry.account_id))
        raise
    if chosen is not None:
        await _check(call, "kms:DescribeKey", chosen)
        await _check(call, "kms:CreateGrant", chosen)
    return chosen


async def _check(call: Call, action: str, key: ChosenKey) -> None:
    service = (ecr_service(call.registry),)
    through: dict[str, tuple[str, ...]] = {"kms:viaservice": service, "aws:viaawsservice": ("true",)}
    through |= dict.fromkeys(("aws:calledvia", "aws:calledviafirst", "aws:calledvialast"), _ECR)
    if action == "kms:CreateGrant":
        through |= {
            "kms:grantisforawsresource": ("true",),
            "kms:granteeprincipal": service,
            "kms:retiringprincipal": service,
            "kms:grantoperations": ("Decrypt", "GenerateDataKey"),
            "kms:grantconstrainttype": ("EncryptionContextSubset",),
        }
    own = Registry(call.caller.account_id, call.registry.region)
    try:
        if key.account_id is None:
            await call.permission.check_elsewhere(action, key.arn, own, through)
        else:
            await call.permission.check_action(action, key.arn, through)
    except AccessDenied as error:
        raise KeyRefused(key.arn, "AccessDeniedException", denial(error)) from error
