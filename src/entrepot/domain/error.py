"""The tree of domain errors, by meaning: typed fields, no prose for the wire.

    RegistryError
    ├── NotFound             the thing named is not there
    ├── Conflict             the state of the registry forbids it
    ├── Invalid              the request is wrong in itself
    ├── Unauthenticated      we do not know who is calling
    ├── AccessDenied         we know, and they may not
    ├── LimitExceeded        a count or size quota is used up
    └── Unavailable          not now: overloaded, full, or a key cannot be used

`transport/aws/error.py` and `transport/oci/error.py` turn each into a code, a status and words;
a test demands a row in both for every leaf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.domain.digest import Digest
    from entrepot.domain.reference import ImageId, Tag
    from entrepot.domain.registry import Registry


class RegistryError(Exception):
    """Any refusal that a caller caused or must hear of. Fields are the constructor's arguments."""

    def __init__(self, *fields: object) -> None:
        super().__init__(*fields)


# ── the thing named is not there ─────────────────────────────────────────────────────────────


class NotFound(RegistryError):
    """The thing named is not there."""


class RepositoryNotFound(NotFound):
    """No repository of that name in that registry."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name


class ImageNotFound(NotFound):
    """No such digest or tag in the repository."""

    def __init__(self, registry: Registry, repository: str, image_id: ImageId) -> None:
        super().__init__(registry, repository, image_id)
        self.registry, self.repository, self.image_id = registry, repository, image_id


class BlobNotFound(NotFound):
    """The repository has no link to that blob."""

    def __init__(self, repository: str, digest: Digest) -> None:
        super().__init__(repository, digest)
        self.repository, self.digest = repository, digest


class LayersNotFound(NotFound):
    """A manifest names layers, or a download asks for one, that the repository does not hold."""

    def __init__(self, registry: Registry, repository: str, digests: list[Digest]) -> None:
        super().__init__(registry, repository, digests)
        self.registry, self.repository, self.digests = registry, repository, digests


class ReferencedImagesNotFound(NotFound):
    """An index names manifests that the repository does not hold."""

    def __init__(self, registry: Registry, repository: str, digests: list[Digest]) -> None:
        super().__init__(registry, repository, digests)
        self.registry, self.repository, self.digests = registry, repository, digests


class UploadNotFound(NotFound):
    """No upload session of that id for this repository and account, or it ended."""

    def __init__(self, registry: Registry, repository: str, upload_id: str) -> None:
        super().__init__(registry, repository, upload_id)
        self.registry, self.repository, self.upload_id = registry, repository, upload_id


# ── the state of the registry forbids it ─────────────────────────────────────────────────────


class Conflict(RegistryError):
    """The state of the registry forbids it."""


class RepositoryAlreadyExists(Conflict):
    """A repository of that name exists in the registry."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name


class RepositoryNotEmpty(Conflict):
    """The repository still has images and `force` was not given."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name


class ImageAlreadyExists(Conflict):
    """The image is there already, under that tag if one was given."""

    def __init__(self, registry: Registry, repository: str, image_id: ImageId) -> None:
        super().__init__(registry, repository, image_id)
        self.registry, self.repository, self.image_id = registry, repository, image_id


class ImageTagAlreadyExists(Conflict):
    """The tag is on another image and the repository forbids moving it."""

    def __init__(self, repository: str, tag: Tag) -> None:
        super().__init__(repository, tag)
        self.repository, self.tag = repository, tag


class ImageReferencedByManifestList(Conflict):
    """The image is a child of indexes that still exist."""

    def __init__(self, repository: str, image_id: ImageId, parents: list[Digest]) -> None:
        super().__init__(repository, image_id, parents)
        self.repository, self.image_id, self.parents = repository, image_id, parents


class BlobReferenced(Conflict):
    """The blob cannot be deleted: manifests of the repository reference it."""

    def __init__(self, repository: str, digest: Digest) -> None:
        super().__init__(repository, digest)
        self.repository, self.digest = repository, digest


class LayerAlreadyExists(Conflict):
    """The repository already holds the layer that an upload completes."""

    def __init__(self, registry: Registry, repository: str, digest: Digest) -> None:
        super().__init__(registry, repository, digest)
        self.registry, self.repository, self.digest = registry, repository, digest


# ── the request is wrong in itself ───────────────────────────────────────────────────────────


class Invalid(RegistryError):
    """The request is wrong in itself."""


class InvalidParameter(Invalid):
    """A member breaks a rule; `detail` says which."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(field, detail)
        self.field, self.detail = field, detail


class QueryTooLong(Invalid):
    """A query has more fields than we read, or one of them more often; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidResourceArn(Invalid):
    """The ARN names no repository of ours."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class InvalidTagParameter(Invalid):
    """A resource tag breaks a rule; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class TooManyTags(Invalid):
    """More resource tags than a repository can have."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class DigestInvalid(Invalid):
    """Not a digest that we serve: unknown algorithm, wrong length, upper-case hex."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class NameInvalid(Invalid):
    """Not a repository name."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class TagInvalid(Invalid):
    """Not an image tag."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ManifestInvalid(Invalid):
    """The manifest cannot be accepted; `detail` says why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ManifestTooLarge(Invalid):
    """The manifest has more bytes than a registry takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes


class ImageDigestDoesNotMatch(Invalid):
    """The digest given with a manifest is not that of its bytes."""

    def __init__(self, registry: Registry, repository: str, given: Digest) -> None:
        super().__init__(registry, repository, given)
        self.registry, self.repository, self.given = registry, repository, given


class LayerDigestMismatch(Invalid):
    """The bytes of an upload do not have the digest that completes it."""

    def __init__(self, registry: Registry, repository: str, given: Digest) -> None:
        super().__init__(registry, repository, given)
        self.registry, self.repository, self.given = registry, repository, given


class InvalidLayerPart(Invalid):
    """A layer part does not go on where the last one ended."""

    def __init__(self, registry: Registry, repository: str, upload_id: str, received_bytes: int) -> None:
        super().__init__(registry, repository, upload_id, received_bytes)
        self.registry, self.repository = registry, repository
        self.upload_id, self.received_bytes = upload_id, received_bytes


class RangeInvalid(Invalid):
    """A chunk on `/v2/` does not start where the upload stands."""

    def __init__(self, upload_id: str, offset: int) -> None:
        super().__init__(upload_id, offset)
        self.upload_id, self.offset = upload_id, offset


class SizeInvalid(Invalid):
    """The body was shorter or longer than its range or Content-Length said."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class LayerPartTooSmall(Invalid):
    """A layer part other than the last was below the smallest size."""


class EmptyUpload(Invalid):
    """An upload is completed that never received a part."""


class Unsupported(Invalid):
    """We know what is meant and do not do it; `detail` says what to do instead."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


# ── who is calling ───────────────────────────────────────────────────────────────────────────


class Unauthenticated(RegistryError):
    """We do not know who is calling."""


class MissingAuthentication(Unauthenticated):
    """No credentials were sent."""


class IncompleteSignature(Unauthenticated):
    """The signature's fields are missing or malformed; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnrecognizedClient(Unauthenticated):
    """The access key does not exist, is inactive, or its session token is wrong."""


class InvalidSignature(Unauthenticated):
    """The signature is wrong, too old, too new, or for another scope; `detail` says which."""

    def __init__(self, detail: str, is_forged: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_forged = is_forged
        """Whether it is not what the key's secret makes of the request."""


class ExpiredCredentials(Unauthenticated):
    """The temporary credentials have expired."""


class TokenInvalid(Unauthenticated):
    """The registry token is not one of ours, or not for this registry."""


class TokenExpired(Unauthenticated):
    """The registry token has expired or was revoked."""


class AccessDenied(RegistryError):
    """The caller may not do this; `layer` is the kind of policy that denies or does not allow it."""

    def __init__(
        self, principal_arn: str, action: str, resource: str, layer: str | None = None, *, is_explicit: bool = False
    ) -> None:
        super().__init__(principal_arn, action, resource, layer, is_explicit)
        self.principal_arn, self.action, self.resource = principal_arn, action, resource
        self.layer, self.is_explicit = layer, is_explicit


class EndpointClosed(RegistryError):
    """A private endpoint lets nobody of that address in, or is about to go."""

    def __init__(self, endpoint_id: str, client: str) -> None:
        super().__init__(endpoint_id, client)
        self.endpoint_id, self.client = endpoint_id, client


# ── quotas and weather ───────────────────────────────────────────────────────────────────────


class LimitExceeded(RegistryError):
    """A count or size quota is used up; `detail` names it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unavailable(RegistryError):
    """Not now."""


class Throttled(Unavailable):
    """Too much at once; try again."""


class TooManyFailedLogins(Unavailable):
    """False credentials came from the address too often; `retry_after_seconds` says when it is listened to again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class TooManyUploads(Unavailable):
    """The principal has `limit` uploads open: it must complete or cancel some, or wait until they expire."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class InMaintenance(Unavailable):
    """An operator has the registry take no changes; `reason` is what they say, and may be empty."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StorageFull(Unavailable):
    """Free space is below the reserve: uploads are refused, everything else works."""


class StorageUnavailable(Unavailable):
    """The store of the blobs cannot be reached or refuses; `detail` says why, for the log and the operator."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class StorageReadOnly(Unavailable):
    """The disk takes no writes: changes are refused, reads go on."""
