"""KMS's words: code, status and message of its own failures.

Spec: KMS API, "Errors" of each operation.
"""

from __future__ import annotations

from typing import Final

from entrepot.domain import kms_error as kms
from entrepot.domain.error import RegistryError
from entrepot.transport.aws.error_row import Row

ROWS: Final[dict[type[RegistryError], Row]] = {
    kms.KeyStoreNotFound: Row("CustomKeyStoreNotFoundException", lambda e: f"Custom key store {e.id} is not found."),
    kms.KmsUnsupported: Row("UnsupportedOperationException", lambda e: e.detail),
    kms.KmsInvalid: Row("ValidationException", lambda e: e.detail),
    kms.KeyNotFound: Row("NotFoundException", lambda e: f"Key '{e.arn}' does not exist"),
    kms.AliasNotFound: Row("NotFoundException", lambda e: f"Alias {e.arn} is not found."),
    kms.KeyIdInvalid: Row("NotFoundException", lambda e: f"Invalid keyId '{e.text}'"),
    kms.ArnOfOtherRegion: Row("NotFoundException", lambda e: f"Invalid arn {e.region}"),
    kms.KmsArnInvalid: Row("InvalidArnException", lambda e: f"Invalid arn {e.text}"),
    kms.KeyDisabled: Row("DisabledException", lambda e: f"{e.arn} is disabled."),
    kms.AliasTaken: Row("AlreadyExistsException", lambda e: f"An alias with the name {e.arn} already exists"),
    kms.AliasReserved: Row("NotAuthorizedException", lambda _: ""),
    kms.KmsQuotaExceeded: Row("LimitExceededException", lambda e: e.detail),
    kms.KeyPolicyMalformed: Row("MalformedPolicyDocumentException", lambda e: e.sentence),
    kms.KeyPolicyLocksOut: Row(
        "MalformedPolicyDocumentException",
        lambda _: "The new key policy will not allow you to update the key policy in the future.",
    ),
    kms.KeyPolicyNotFound: Row("NotFoundException", lambda _: "No such policy exists"),
    kms.KmsTagInvalid: Row("TagException", lambda e: e.detail),
    kms.MarkerInvalid: Row("InvalidMarkerException", lambda _: "The marker is not one of this list."),
    kms.CiphertextInvalid: Row("InvalidCiphertextException", lambda _: ""),
    kms.CiphertextKeyUnknown: Row(
        "AccessDeniedException",
        lambda _: (
            "The ciphertext refers to a customer master key that does not exist, "
            "does not exist in this region, or you are not allowed to access."
        ),
    ),
    kms.KeyIncorrect: Row(
        "IncorrectKeyException",
        lambda _: "The key ID in the request does not identify a CMK that can perform this operation.",
    ),
    kms.KeyUsageInvalid: Row("InvalidKeyUsageException", lambda e: e.detail),
    kms.DryRun: Row(
        "DryRunOperationException",
        lambda _: "The request would have succeeded, but the DryRun option is set.",
    ),
    kms.GrantNotFound: Row("NotFoundException", lambda e: f"Grant ID {e.id} not found"),
    kms.GrantTokenInvalid: Row("InvalidGrantTokenException", lambda _: "The grant token is not valid."),
    kms.GrantPrincipalInvalid: Row(
        "InvalidArnException", lambda e: f"ARN does not refer to a valid principal: {e.arn}"
    ),
    kms.KeyStateInvalid: Row("KMSInvalidStateException", lambda e: f"{e.arn} is {e.state}."),
}
"""One row for every error of `domain/kms_error.py`."""
