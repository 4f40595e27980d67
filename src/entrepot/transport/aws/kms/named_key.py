"""Named keys: the key that a request of KMS calls `KeyId`, by whichever of its names."""

from __future__ import annotations

from entrepot.domain.kms import KmsKey, parse_key_name
from entrepot.transport.aws.call import Call


async def key_of(call: Call, member: str = "KeyId") -> KmsKey:
    """The key of a member, which the caller may do this to.

    An alias can be moved once the request was let pass: the caller is asked for the very key that it names now.

    Raises:
        KmsArnInvalid, ArnOfOtherRegion, KeyIdInvalid, KeyNotFound, AliasNotFound
        AccessDenied: the alias names another key by now.
    """
    name = parse_key_name(call.parameters[member], call.registry)
    key = await call.services.kms_keys.get(name)
    if name.alias is not None:
        await call.permission.check(key.arn)
    return key
