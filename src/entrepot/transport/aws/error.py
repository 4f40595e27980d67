"""Words of the AWS planes: code, status and message of every failure.

Clients and their test suites compare these sentences, so they are AWS's where AWS's are known. The codes are
those of the JSON protocol; `protocol/query.py` has the other names that IAM and STS use.

Spec: ECR API, "Errors" of each operation; ECR API, "Common Errors".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from entrepot.domain import error as domain
from entrepot.domain import key_provider, policy_error
from entrepot.domain.limit import LAYER_PART_BYTES_MIN, MIB
from entrepot.transport.aws.ec2.error import ROWS as EC2_ROWS
from entrepot.transport.aws.entrepot.error import ROWS as OWN_ROWS
from entrepot.transport.aws.error_row import Row
from entrepot.transport.aws.iam.error import ROWS as IAM_ROWS
from entrepot.transport.aws.kms.error import ROWS as KMS_ROWS
from entrepot.transport.aws.wording import digest_rule, pattern_rule, tag_rule
from entrepot.transport.denial import denial


@dataclass(frozen=True, slots=True)
class Fault:
    """What a caller is told of a failure."""

    code: str
    message: str
    status: int = 400
    members: dict[str, Any] = field(default_factory=dict)
    """Members beside `message` that the error's shape has."""
    reason: str | None = None
    """What AWS's sentence keeps to itself; it goes into a header, where nobody compares it."""


class RequestFault(Exception):
    """A failure of the request as such, found before any service was asked."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.fault = Fault(code, message, status)


def fault_of(error: domain.RegistryError, operation: str | None) -> Fault:
    """What a caller of `operation` is told of a domain error."""
    kind = next(kind for kind in type(error).__mro__ if kind in ROWS)
    row = ROWS[kind]
    words = _WORDS_BY_OPERATION.get((kind, operation or ""), row.words)
    reason = row.reason(error) if row.reason else None
    code = row.code_of(error) if row.code_of else row.code
    return Fault(code, words(error), row.status, row.members(error), reason)


def internal_failure() -> Fault:
    """What a caller is told of anything unexpected: nothing but that it happened."""
    return Fault("InternalFailure", "The request processing has failed because of an unknown error.", 500)


def invalid_parameter(path: str, rule: str) -> str:
    """The sentence of InvalidParameterException."""
    return f"Invalid parameter at '{path}' failed to satisfy constraint: '{rule}'"


_UNSAID: Final = object()


def validation_error(path: str, rule: str, value: object = _UNSAID) -> str:
    """The sentence of ValidationException, as AWS's framework writes it, with or without the value."""
    shown = "" if value is _UNSAID else " null" if value is None else f" '{str(value)[:256]}'"
    return f"1 validation error detected: Value{shown} at '{path}' failed to satisfy constraint: {rule}"


def _invalid(path: str, words: Callable[[Any], str], reason: Callable[[Any], str] | None = None) -> Row:
    return Row("InvalidParameterException", lambda error: invalid_parameter(path, words(error)), reason=reason)


def _image_id(error: domain.ImageNotFound | domain.ImageAlreadyExists) -> tuple[str, str]:
    """Digest and tag as AWS prints them, the missing half as `null`."""
    return str(error.image_id.digest or "null"), str(error.image_id.tag or "null")


def _where(error: Any) -> str:
    return f"the repository with name '{error.repository}' in the registry with id '{error.registry.account_id}'"


def _image_not_found(error: domain.ImageNotFound) -> str:
    digest, tag = _image_id(error)
    identifier = f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"
    return f"The image with imageId {identifier} does not exist within {_where(error)}"


def _image_already_exists(error: domain.ImageAlreadyExists) -> str:
    digest, tag = _image_id(error)
    return (
        f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name "
        f"'{error.repository}' in registry with id '{error.registry.account_id}'"
    )


def _missing_for_push(things: str) -> Callable[[Any], str]:
    def words(error: domain.LayersNotFound | domain.ReferencedImagesNotFound) -> str:
        listed = ", ".join(map(str, error.digests))
        return (
            f"{things} with digests '[{listed}]' required for pushing image into repository with name "
            f"'{error.repository}' in the registry with id '{error.registry.account_id}' do not exist"
        )

    return words


def _layers_not_found(error: domain.LayersNotFound) -> str:
    listed = ", ".join(map(str, error.digests))
    return f"The layer with digest '{listed}' does not exist in {_where(error)}"


def _layer_part(error: domain.InvalidLayerPart) -> str:
    return (
        f"The layer part received for the upload with id '{error.upload_id}' is not valid: it must begin at byte "
        f"{error.received_bytes} and have as many bytes as partFirstByte and partLastByte say"
    )


def _layer_part_members(error: domain.InvalidLayerPart) -> dict[str, Any]:
    members: dict[str, Any] = {
        "registryId": error.registry.account_id,
        "repositoryName": error.repository,
        "uploadId": error.upload_id,
    }
    if error.received_bytes > 0:
        members["lastValidByteReceived"] = error.received_bytes - 1
    return members


def _manifest_invalid(error: domain.ManifestInvalid) -> str:
    """AWS says "Invalid JSON syntax" of nearly everything; the real reason follows where it is another."""
    sentence = invalid_parameter("ImageManifest", "Invalid JSON syntax")
    is_syntax = error.detail == "Invalid JSON syntax" or error.detail.startswith("mediaType is missing")
    return sentence if is_syntax else f"{sentence} ({error.detail})"


def _digest_at(path: str) -> Callable[[domain.DigestInvalid], str]:
    return lambda error: invalid_parameter(path, digest_rule(error.text))


def _say(text: str) -> Callable[[Any], str]:
    return lambda _: text


def _detail(error: Any) -> str:
    return str(error.detail)


_UNKNOWN_CLIENT: Final = "The security token included in the request is invalid."

ROWS: Final[dict[type[domain.RegistryError], Row]] = {
    domain.RepositoryNotFound: Row(
        "RepositoryNotFoundException",
        lambda e: (
            f"The repository with name '{e.name}' does not exist in the registry with id '{e.registry.account_id}'"
        ),
    ),
    domain.ImageNotFound: Row("ImageNotFoundException", _image_not_found),
    domain.BlobNotFound: Row(
        "LayersNotFoundException",
        lambda e: f"The layer with digest '{e.digest}' does not exist in the repository with name '{e.repository}'",
    ),
    domain.LayersNotFound: Row("LayersNotFoundException", _missing_for_push("Layers")),
    domain.ReferencedImagesNotFound: Row("ReferencedImagesNotFoundException", _missing_for_push("Images")),
    domain.UploadNotFound: Row(
        "UploadNotFoundException",
        lambda e: f"The upload with id '{e.upload_id}' does not exist in {_where(e)}",
    ),
    policy_error.RepositoryPolicyNotFound: Row(
        "RepositoryPolicyNotFoundException",
        lambda e: (
            f"Repository policy does not exist for the repository with name '{e.name}' in the registry with id "
            f"'{e.registry.account_id}'"
        ),
    ),
    policy_error.RegistryPolicyNotFound: Row(
        "RegistryPolicyNotFoundException",
        lambda e: f"Registry policy does not exist in the registry with id '{e.registry.account_id}'",
    ),
    domain.RepositoryAlreadyExists: Row(
        "RepositoryAlreadyExistsException",
        lambda e: (
            f"The repository with name '{e.name}' already exists in the registry with id '{e.registry.account_id}'"
        ),
    ),
    domain.RepositoryNotEmpty: Row(
        "RepositoryNotEmptyException",
        lambda e: (
            f"The repository with name '{e.name}' in registry with id '{e.registry.account_id}' "
            "cannot be deleted because it still contains images"
        ),
    ),
    domain.ImageAlreadyExists: Row("ImageAlreadyExistsException", _image_already_exists),
    domain.ImageTagAlreadyExists: Row(
        "ImageTagAlreadyExistsException",
        lambda e: (
            f"The image tag '{e.tag}' already exists in the '{e.repository}' repository "
            "and cannot be overwritten because the tag is immutable."
        ),
    ),
    domain.ImageReferencedByManifestList: _invalid(
        "imageIds", lambda e: f"Requested image referenced by manifest list: [{', '.join(map(str, e.parents))}]"
    ),
    domain.BlobReferenced: _invalid("layerDigest", lambda e: f"The layer '{e.digest}' is referenced by an image"),
    domain.LayerAlreadyExists: Row(
        "LayerAlreadyExistsException", lambda e: f"The layer with digest '{e.digest}' already exists in {_where(e)}"
    ),
    domain.InvalidParameter: Row(
        "InvalidParameterException", lambda error: invalid_parameter(error.field, error.detail)
    ),
    domain.InvalidResourceArn: _invalid("resourceArn", _say("Invalid ARN")),
    domain.InvalidTagParameter: Row("InvalidTagParameterException", _detail),
    domain.TooManyTags: Row(
        "TooManyTagsException",
        lambda e: (
            "The list of tags on the repository is over the limit. "
            f"The maximum number of tags that can be applied to a repository is {e.limit}."
        ),
    ),
    policy_error.PolicyTextInvalid: _invalid(
        "PolicyText", lambda e: f"Invalid {e.kind} policy provided", reason=lambda e: e.reason
    ),
    policy_error.PolicyPrincipalNotFound: _invalid(
        "PolicyText", _say("Principal not found"), reason=lambda e: f"{e.principal} does not exist"
    ),
    policy_error.PolicyLocksOut: _invalid(
        "PolicyText",
        _say("The policy would prevent you from setting another policy in the future; use force to set it"),
    ),
    domain.DigestInvalid: _invalid("imageDigest", lambda e: digest_rule(e.text)),
    domain.NameInvalid: _invalid(
        "repositoryName",
        _say(pattern_rule(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")),
    ),
    domain.TagInvalid: _invalid("imageTag", lambda e: tag_rule(e.text)),
    domain.ManifestInvalid: Row("InvalidParameterException", _manifest_invalid),
    domain.ManifestTooLarge: _invalid(
        "imageManifest", lambda e: f"Member must have length less than or equal to {e.limit_bytes}"
    ),
    domain.ImageDigestDoesNotMatch: Row(
        "ImageDigestDoesNotMatchException",
        lambda e: (
            f"The image with digest '{e.given}' in repository '{e.repository}' and registry ID "
            f"'{e.registry.account_id}' does not match the image digest that Amazon ECR has calculated."
        ),
    ),
    domain.LayerDigestMismatch: Row(
        "InvalidLayerException",
        lambda e: f"The layer's digest calculated by the server does not match the provided digest '{e.given}'",
    ),
    domain.InvalidLayerPart: Row("InvalidLayerPartException", _layer_part, members=_layer_part_members),
    domain.RangeInvalid: _invalid("partFirstByte", lambda e: f"The upload stands at byte {e.offset}"),
    domain.QueryTooLong: _invalid("query", _detail),
    domain.SizeInvalid: _invalid("layerPartBlob", _detail),
    domain.LayerPartTooSmall: Row(
        "LayerPartTooSmallException",
        _say(f"All layer parts except the last part should be at least {LAYER_PART_BYTES_MIN // MIB}MB"),
    ),
    domain.EmptyUpload: Row("EmptyUploadException", _say("No layer parts were received for the upload")),
    domain.Unsupported: Row("InvalidParameterException", _detail),
    domain.MissingAuthentication: Row("MissingAuthenticationTokenException", _say("Missing Authentication Token")),
    domain.IncompleteSignature: Row("IncompleteSignatureException", _detail),
    domain.UnrecognizedClient: Row("UnrecognizedClientException", _say(_UNKNOWN_CLIENT)),
    domain.InvalidSignature: Row("InvalidSignatureException", _detail),
    domain.ExpiredCredentials: Row(
        "ExpiredTokenException", _say("The security token included in the request is expired")
    ),
    domain.TokenInvalid: Row("UnrecognizedClientException", _say(_UNKNOWN_CLIENT)),
    domain.TokenExpired: Row("ExpiredTokenException", _say("Your authorization token has expired.")),
    domain.AccessDenied: Row("AccessDeniedException", denial),
    domain.EndpointClosed: Row(
        "AccessDeniedException", lambda e: f"The VPC endpoint {e.endpoint_id} is closed to this address"
    ),
    domain.LimitExceeded: Row("LimitExceededException", _detail),
    domain.Throttled: Row("ThrottlingException", _say("Rate exceeded")),
    domain.TooManyFailedLogins: Row(
        "ThrottlingException", lambda e: f"Too many failed logins: try again in {e.retry_after_seconds} s"
    ),
    domain.TooManyUploads: Row(
        "ThrottlingException",
        lambda e: f"Rate exceeded: more than {e.limit} uploads are open, complete some or let them expire",
    ),
    domain.StorageFull: Row(
        "ServiceUnavailable", _say("The registry is short of storage; uploads are refused until some is freed"), 503
    ),
    domain.StorageReadOnly: Row(
        "ServiceUnavailable",
        _say("The registry's storage is read-only; changes are refused until it is writable"),
        503,
    ),
    domain.InMaintenance: Row(
        "ServiceUnavailable",
        lambda e: "The registry is in maintenance and takes no changes" + (f": {e.reason}" if e.reason else ""),
        503,
    ),
    domain.StorageUnavailable: Row(
        "ServiceUnavailable", _say("The storage of the registry cannot be reached; try again"), 503
    ),
    key_provider.KeyRefused: Row(
        "KmsException",
        lambda e: f"The key {e.arn} cannot be used: {e.code}: {e.detail}",
        members=lambda e: {"kmsError": e.code},
    ),
    key_provider.KeyProviderAway: Row(
        "KmsException",
        lambda _: "The KMS that has the key is away: try again",
        members=lambda _: {"kmsError": "KMSInternalException"},
    ),
    **EC2_ROWS,
    **OWN_ROWS,
    **IAM_ROWS,
    **KMS_ROWS,
}
"""One row for every leaf of the tree of domain errors."""

_WORDS_BY_OPERATION: Final[dict[tuple[type[domain.RegistryError], str], Callable[[Any], str]]] = {
    (domain.LayersNotFound, "GetDownloadUrlForLayer"): _layers_not_found,
    (domain.DigestInvalid, "CompleteLayerUpload"): _digest_at("layerDigests"),
    (domain.DigestInvalid, "GetDownloadUrlForLayer"): _digest_at("layerDigest"),
    (domain.DigestInvalid, "ListImageReferrers"): _digest_at("subjectId.imageDigest"),
}
"""Where the same error reads differently in one operation."""
