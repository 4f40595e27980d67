"""OCI errors: each domain error's status, code and words on `/v2/`.

    {"errors": [{"code": "NAME_UNKNOWN", "message": "The repository with name 'a' does not exist", "detail": {}}]}

Spec: OCI Distribution 1.1, "Error Codes"; ECR error wordings where clients depend on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from entrepot.domain import error as domain
from entrepot.domain import key_provider, policy_error
from entrepot.domain.ec2_error import Ec2Error
from entrepot.domain.iam_error import IamError
from entrepot.domain.kms_error import KmsError
from entrepot.domain.robot_error import RobotError
from entrepot.transport.denial import denial
from entrepot.transport.message import HttpResponse

Item = dict[str, Any]


class Row(NamedTuple):
    """What one kind of domain error becomes."""

    status: int
    code: str
    words: Callable[[Any], str]
    details: Callable[[Any], list[dict[str, Any]]] | None = None
    """One entry of the answer for each; None makes a single entry without detail."""


class MethodNotAllowed(Exception):
    """The path is known, the method is not; `allowed` are the methods that are."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class RouteUnknown(Exception):
    """A path under `/v2/` that means nothing."""


def _image_id(image_id: Any) -> str:
    return f"{{imageDigest:'{image_id.digest or 'null'}', imageTag:'{image_id.tag or 'null'}'}}"


def _where(error: Any) -> str:
    return f"in the repository with name '{error.repository}' in the registry with id '{error.registry.account_id}'"


def _digest_list(digests: list[Any]) -> str:
    return "[" + ", ".join(str(digest) for digest in digests) + "]"


def _each_digest(error: Any) -> list[dict[str, Any]]:
    return [{"digest": str(digest)} for digest in error.digests]


def _detail(error: Any) -> str:
    return cast("str", error.detail)


def _no_policies(_: Any) -> str:
    return "Policies are set and read in the API, not here"


ROWS: dict[type[domain.RegistryError], Row] = {
    domain.RepositoryNotFound: Row(
        404,
        "NAME_UNKNOWN",
        lambda e: (
            f"The repository with name '{e.name}' does not exist in the registry with id '{e.registry.account_id}'"
        ),
    ),
    domain.ImageNotFound: Row(404, "MANIFEST_UNKNOWN", lambda _: "Requested image not found"),
    domain.BlobNotFound: Row(
        404, "BLOB_UNKNOWN", lambda _: "blob unknown to registry", lambda e: [{"digest": str(e.digest)}]
    ),
    domain.LayersNotFound: Row(
        404,
        "MANIFEST_BLOB_UNKNOWN",
        lambda e: (
            f"Layers with digests '{_digest_list(e.digests)}' required for pushing image into repository with"
            f" name '{e.repository}' in the registry with id '{e.registry.account_id}' do not exist"
        ),
        _each_digest,
    ),
    domain.ReferencedImagesNotFound: Row(
        404,
        "MANIFEST_BLOB_UNKNOWN",
        lambda e: (
            f"Images with digests '{_digest_list(e.digests)}' required for pushing image into repository with"
            f" name '{e.repository}' in the registry with id '{e.registry.account_id}' do not exist"
        ),
        _each_digest,
    ),
    domain.UploadNotFound: Row(404, "BLOB_UPLOAD_UNKNOWN", lambda _: "blob upload unknown to registry"),
    policy_error.RepositoryPolicyNotFound: Row(404, "UNSUPPORTED", _no_policies),
    policy_error.RegistryPolicyNotFound: Row(404, "UNSUPPORTED", _no_policies),
    domain.RepositoryAlreadyExists: Row(409, "DENIED", lambda e: f"The repository with name '{e.name}' already exists"),
    domain.RepositoryNotEmpty: Row(
        409, "DENIED", lambda e: f"The repository with name '{e.name}' still contains images"
    ),
    domain.ImageAlreadyExists: Row(
        400, "MANIFEST_INVALID", lambda e: f"Image with {_image_id(e.image_id)} already exists {_where(e)}"
    ),
    domain.ImageTagAlreadyExists: Row(
        400,
        "TAG_INVALID",
        lambda e: (
            f"The image tag '{e.tag}' already exists in the '{e.repository}' repository and cannot be"
            " overwritten because the tag is immutable."
        ),
    ),
    domain.ImageReferencedByManifestList: Row(
        405, "UNSUPPORTED", lambda e: f"Requested image referenced by manifest list: {_digest_list(e.parents)}"
    ),
    domain.BlobReferenced: Row(
        405, "UNSUPPORTED", lambda _: "The blob is referenced by images of the repository: delete those first"
    ),
    domain.LayerAlreadyExists: Row(400, "BLOB_UPLOAD_INVALID", lambda e: f"The layer {e.digest} already exists"),
    domain.InvalidParameter: Row(
        400,
        "UNSUPPORTED",
        lambda e: f"Invalid parameter at '{e.field}' failed to satisfy constraint: '{e.detail}'",
    ),
    domain.QueryTooLong: Row(414, "UNSUPPORTED", _detail),
    domain.InvalidResourceArn: Row(400, "NAME_INVALID", lambda _: "Invalid ARN"),
    domain.InvalidTagParameter: Row(400, "UNSUPPORTED", _detail),
    domain.TooManyTags: Row(400, "UNSUPPORTED", lambda e: f"More than {e.limit} resource tags"),
    policy_error.PolicyTextInvalid: Row(400, "UNSUPPORTED", _no_policies),
    policy_error.PolicyPrincipalNotFound: Row(400, "UNSUPPORTED", _no_policies),
    policy_error.PolicyLocksOut: Row(400, "UNSUPPORTED", _no_policies),
    domain.DigestInvalid: Row(
        400,
        "DIGEST_INVALID",
        lambda _: "not a digest: sha256: with 64 or sha512: with 128 lower-case hexadecimal digits",
        lambda e: [{"digest": e.text}],
    ),
    domain.NameInvalid: Row(400, "NAME_INVALID", lambda _: "invalid repository name", lambda e: [{"name": e.text}]),
    domain.TagInvalid: Row(400, "TAG_INVALID", lambda _: "invalid image tag", lambda e: [{"tag": e.text}]),
    domain.ManifestInvalid: Row(400, "MANIFEST_INVALID", _detail),
    domain.ManifestTooLarge: Row(
        413, "MANIFEST_INVALID", lambda e: f"The manifest has more than {e.limit_bytes} bytes"
    ),
    domain.ImageDigestDoesNotMatch: Row(
        400,
        "DIGEST_INVALID",
        lambda e: (
            f"The image with digest '{e.given}' in repository '{e.repository}' and registry ID"
            f" '{e.registry.account_id}' does not match the image digest that was calculated."
        ),
        lambda e: [{"digest": str(e.given)}],
    ),
    domain.LayerDigestMismatch: Row(
        400,
        "DIGEST_INVALID",
        lambda _: "provided digest did not match uploaded content",
        lambda e: [{"digest": str(e.given)}],
    ),
    domain.InvalidLayerPart: Row(
        416, "BLOB_UPLOAD_INVALID", lambda e: f"The upload goes on at byte {e.received_bytes}"
    ),
    domain.RangeInvalid: Row(416, "BLOB_UPLOAD_INVALID", lambda e: f"The upload goes on at byte {e.offset}"),
    domain.SizeInvalid: Row(400, "SIZE_INVALID", _detail),
    domain.LayerPartTooSmall: Row(
        400, "BLOB_UPLOAD_INVALID", lambda _: "All layer parts except the last part should be at least 5MB"
    ),
    domain.EmptyUpload: Row(400, "BLOB_UPLOAD_INVALID", lambda _: "The upload received no bytes"),
    domain.Unsupported: Row(405, "UNSUPPORTED", _detail),
    domain.Unauthenticated: Row(401, "UNAUTHORIZED", lambda _: "Your Authorization Token is invalid."),
    domain.TokenExpired: Row(
        401, "DENIED", lambda _: "Your authorization token has expired. Reauthenticate and try again."
    ),
    domain.AccessDenied: Row(403, "DENIED", denial),
    domain.EndpointClosed: Row(403, "DENIED", lambda e: f"The VPC endpoint {e.endpoint_id} is closed to this address"),
    domain.LimitExceeded: Row(403, "DENIED", _detail),
    domain.Throttled: Row(429, "TOOMANYREQUESTS", lambda _: "Too many requests: try again"),
    domain.TooManyFailedLogins: Row(
        429, "TOOMANYREQUESTS", lambda e: f"Too many failed logins: try again in {e.retry_after_seconds} s"
    ),
    domain.TooManyUploads: Row(
        429, "TOOMANYREQUESTS", lambda e: f"More than {e.limit} uploads are open: complete or cancel some first"
    ),
    domain.StorageFull: Row(
        507, "UNSUPPORTED", lambda _: "The registry is out of space: uploads are refused until some is freed"
    ),
    domain.StorageReadOnly: Row(
        503, "UNAVAILABLE", lambda _: "The registry's storage is read-only: changes are refused until it is writable"
    ),
    domain.InMaintenance: Row(
        503,
        "UNAVAILABLE",
        lambda e: "The registry is in maintenance and takes no changes" + (f": {e.reason}" if e.reason else ""),
    ),
    domain.StorageUnavailable: Row(
        503, "UNKNOWN", lambda _: "The storage of the registry cannot be reached: try again"
    ),
    key_provider.KeyRefused: Row(403, "DENIED", lambda e: f"The key {e.arn} cannot be used: {e.code}: {e.detail}"),
    key_provider.KeyProviderAway: Row(503, "UNAVAILABLE", lambda _: "The KMS that has the key is away: try again"),
    domain.Unavailable: Row(503, "UNKNOWN", lambda _: "Not now: try again"),
    Ec2Error: Row(400, "UNSUPPORTED", lambda _: "This is an answer of EC2, which the data plane does not ask"),
    IamError: Row(400, "UNSUPPORTED", lambda _: "This is an answer of IAM, which the data plane does not ask"),
    RobotError: Row(400, "UNSUPPORTED", lambda _: "Robot tokens are made and deleted through the API"),
    KmsError: Row(400, "UNSUPPORTED", lambda _: "This is an answer of KMS, which the data plane does not ask"),
}
"""By class; an error without a row of its own takes that of its nearest ancestor."""

RETRY_AFTER_SECONDS = 1
MAINTENANCE_RETRY_SECONDS = 30


def row_of(error: domain.RegistryError) -> Row:
    """The row of an error's class or nearest ancestor.

    Raises:
        KeyError: there is none: a bug.
    """
    for kind in type(error).__mro__:
        if row := ROWS.get(cast("type[domain.RegistryError]", kind)):
            return row
    raise KeyError(type(error))


def answer(error: domain.RegistryError) -> HttpResponse:
    """The whole answer but for the headers that only the handler knows."""
    status, code, words, details = row_of(error)
    message = words(error)
    items = [{"code": code, "message": message, "detail": detail} for detail in (details(error) if details else ())]
    headers = {"Retry-After": str(_retry_after_seconds(error))} if status in (429, 503) else {}
    return body(status, items or [{"code": code, "message": message}], headers)


def _retry_after_seconds(error: domain.RegistryError) -> int:
    if isinstance(error, domain.TooManyFailedLogins):
        return error.retry_after_seconds
    return MAINTENANCE_RETRY_SECONDS if isinstance(error, domain.InMaintenance) else RETRY_AFTER_SECONDS


def unexpected(request_id: str) -> HttpResponse:
    """The answer to our own failure: names the line of the log, tells nothing."""
    return body(500, [{"code": "UNKNOWN", "message": "internal error", "detail": {"requestId": request_id}}])


def not_allowed(error: MethodNotAllowed) -> HttpResponse:
    """405 with the methods that the path does have."""
    item = {"code": "UNSUPPORTED", "message": "The operation is unsupported."}
    return body(HTTPStatus.METHOD_NOT_ALLOWED, [item], {"Allow": ", ".join(error.allowed)})


def no_route() -> HttpResponse:
    """404 for a path without a meaning."""
    return body(404, [{"code": "UNSUPPORTED", "message": "No such path in this API"}])


def ambiguous_path() -> HttpResponse:
    """400 for a path that could be read in two ways."""
    return body(400, [{"code": "NAME_INVALID", "message": "invalid repository name: the path is ambiguous"}])


def body(status: int, items: list[Item], headers: dict[str, str] | None = None) -> HttpResponse:
    """An answer with `items` as its errors."""
    content = json.dumps({"errors": items}, ensure_ascii=True).encode()
    return HttpResponse(status, {"Content-Type": "application/json", **(headers or {})}, content)
