"""Cryptography: Encrypt, Decrypt, ReEncrypt, GenerateDataKey and GenerateDataKeyWithoutPlaintext.

Spec: KMS API, version 2014-11-01.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms import KmsKey, parse_key_name
from entrepot.domain.kms_error import DryRun, KeyUsageInvalid, KmsInvalid
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.condition_key import re_encryption_keys
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.resource import ResourceKind

ALGORITHM: Final = "SYMMETRIC_DEFAULT"
_BYTES_OF_SPEC: Final = {"AES_128": 16, "AES_256": 32}


async def encrypt(call: Call) -> dict[str, Any]:
    given = call.parameters
    _check_algorithms(call, "EncryptionAlgorithm")
    await _check_tokens(call)
    key = await key_of(call)
    sealed = await call.services.kms_cryptography.encrypt(key, given["Plaintext"], context_of(call), _caller(call))
    end_of_dry_run(call)
    return {"CiphertextBlob": sealed.blob, "KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM}


async def decrypt(call: Call) -> dict[str, Any]:
    given, cryptography = call.parameters, call.services.kms_cryptography
    _check_algorithms(call, "EncryptionAlgorithm")
    await _check_tokens(call)
    key = await _key_of_ciphertext(call, "KeyId")
    opened = await cryptography.decrypt(key, given["CiphertextBlob"], context_of(call), _caller(call))
    end_of_dry_run(call)
    return {
        "KeyId": key.arn,
        "Plaintext": opened.plaintext,
        "EncryptionAlgorithm": ALGORITHM,
        "KeyMaterialId": opened.material_id,
    }


async def re_encrypt(call: Call) -> dict[str, Any]:
    given, cryptography = call.parameters, call.services.kms_cryptography
    _check_algorithms(call, "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm")
    await _check_tokens(call)
    wanted = parse_key_name(given["DestinationKeyId"], call.registry)
    source = await _key_of_ciphertext(call, "SourceKeyId")
    target = await call.services.kms_keys.get(wanted)
    if wanted.alias is not None:  # it may have been moved meanwhile
        await call.permission.check_action("kms:ReEncryptTo", target.arn, re_encryption_keys(given))
    opened = await cryptography.decrypt(
        source, given["CiphertextBlob"], context_of(call, "SourceEncryptionContext"), _caller(call)
    )
    sealed = await cryptography.encrypt(
        target, opened.plaintext, context_of(call, "DestinationEncryptionContext"), _caller(call)
    )
    end_of_dry_run(call)
    return {
        "CiphertextBlob": sealed.blob,
        "SourceKeyId": source.arn,
        "KeyId": target.arn,
        "SourceEncryptionAlgorithm": ALGORITHM,
        "DestinationEncryptionAlgorithm": ALGORITHM,
        "SourceKeyMaterialId": opened.material_id,
        "DestinationKeyMaterialId": sealed.material_id,
    }


async def generate_data_key(call: Call) -> dict[str, Any]:
    return await _generate(call)


async def generate_data_key_without_plaintext(call: Call) -> dict[str, Any]:
    return {name: value for name, value in (await _generate(call)).items() if name != "Plaintext"}


async def _generate(call: Call) -> dict[str, Any]:
    given = call.parameters
    _check_recipient(call)
    size = _size_of(given)
    await _check_tokens(call)
    key = await key_of(call)
    plain, sealed = await call.services.kms_cryptography.generate(key, size, context_of(call), _caller(call))
    end_of_dry_run(call)
    return {"CiphertextBlob": sealed.blob, "Plaintext": plain, "KeyId": key.arn, "KeyMaterialId": sealed.material_id}


async def _key_of_ciphertext(call: Call, member: str) -> KmsKey:
    """The key that is named, else the one that the ciphertext says that it was made with."""
    if member in call.parameters:
        return await key_of(call, member)
    return await call.services.kms_cryptography.find_of(call.registry, call.parameters["CiphertextBlob"])


def context_of(call: Call, member: str = "EncryptionContext") -> dict[str, str]:
    """The encryption context of a request; none at all is an empty one."""
    given: dict[str, str] = call.parameters.get(member) or {}
    return given


def _size_of(given: dict[str, Any]) -> int:
    """Bytes of a data key."""
    if ("KeySpec" in given) == ("NumberOfBytes" in given):
        raise KmsInvalid("Please specify either number of bytes or key spec.")
    size: int = given["NumberOfBytes"] if "NumberOfBytes" in given else _BYTES_OF_SPEC[given["KeySpec"]]
    return size


def _check_algorithms(call: Call, *members: str) -> None:
    """Check that symmetric keys are meant, and no enclave is to read the answer."""
    _check_recipient(call)
    if "CiphertextBlob" not in call.parameters and "Plaintext" not in call.parameters:
        raise KmsInvalid("CiphertextBlob is required.")  # the model does not say so
    for member in members:
        wanted = call.parameters.get(member, ALGORITHM)
        if wanted != ALGORITHM:
            raise KeyUsageInvalid(f"{member} {wanted} is not valid for a key of spec {ALGORITHM}.")


async def _check_tokens(call: Call) -> None:
    await call.services.kms_grant.check_tokens(call.parameters.get("GrantTokens", []))


def _check_recipient(call: Call) -> None:
    if "Recipient" in call.parameters:
        raise KmsInvalid("Recipient is not supported: this server attests no enclaves.")


def end_of_dry_run(call: Call) -> None:
    """Say that all would have gone well, instead of the answer."""
    if call.parameters.get("DryRun", False):
        raise DryRun


def _caller(call: Call) -> str | None:
    """Who gets the result: nobody in a dry run."""
    return None if call.parameters.get("DryRun", False) else call.caller.principal.arn


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "Decrypt": (ResourceKind.CIPHERTEXT_KEY, decrypt),
    "Encrypt": (ResourceKind.KEY_BY_ANY_NAME, encrypt),
    "GenerateDataKey": (ResourceKind.KEY_BY_ANY_NAME, generate_data_key),
    "GenerateDataKeyWithoutPlaintext": (ResourceKind.KEY_BY_ANY_NAME, generate_data_key_without_plaintext),
    "ReEncrypt": (ResourceKind.CIPHERTEXT_SOURCE_KEY, re_encrypt),
}
"""By name: what each is authorised on, and its handler."""
