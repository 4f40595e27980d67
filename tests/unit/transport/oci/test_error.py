"""Every domain error has a status, a code and words on /v2/."""

import json
from collections.abc import Iterator

import pytest

from entrepot.domain import error as domain
from entrepot.domain.digest import Digest
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.registry import Registry
from entrepot.transport.oci import error

REGISTRY = Registry("123456789012", "us-east-1")
DIGEST = Digest.of(b"x")
EXAMPLES: list[domain.RegistryError] = [
    domain.RepositoryNotFound(REGISTRY, "app"),
    domain.ImageNotFound(REGISTRY, "app", ImageId(tag=Tag("a"))),
    domain.BlobNotFound("app", DIGEST),
    domain.LayersNotFound(REGISTRY, "app", [DIGEST]),
    domain.ReferencedImagesNotFound(REGISTRY, "app", [DIGEST]),
    domain.UploadNotFound(REGISTRY, "app", "1"),
    domain.RepositoryAlreadyExists(REGISTRY, "app"),
    domain.RepositoryNotEmpty(REGISTRY, "app"),
    domain.ImageAlreadyExists(REGISTRY, "app", ImageId(DIGEST, Tag("a"))),
    domain.ImageTagAlreadyExists("app", Tag("a")),
    domain.ImageReferencedByManifestList("app", ImageId(DIGEST), [DIGEST]),
    domain.BlobReferenced("app", DIGEST),
    domain.LayerAlreadyExists(REGISTRY, "app", DIGEST),
    domain.InvalidParameter("n", "is wrong"),
    domain.QueryTooLong("no"),
    domain.InvalidResourceArn("arn"),
    domain.InvalidTagParameter("is wrong"),
    domain.TooManyTags(50),
    domain.DigestInvalid("sha256:x"),
    domain.NameInvalid("A"),
    domain.TagInvalid("-"),
    domain.ManifestInvalid("no"),
    domain.ManifestTooLarge(4),
    domain.ImageDigestDoesNotMatch(REGISTRY, "app", DIGEST),
    domain.LayerDigestMismatch(REGISTRY, "app", DIGEST),
    domain.InvalidLayerPart(REGISTRY, "app", "1", 5),
    domain.RangeInvalid("1", 5),
    domain.SizeInvalid("no"),
    domain.LayerPartTooSmall(),
    domain.EmptyUpload(),
    domain.Unsupported("no"),
    domain.MissingAuthentication(),
    domain.IncompleteSignature("no"),
    domain.UnrecognizedClient(),
    domain.InvalidSignature("no"),
    domain.ExpiredCredentials(),
    domain.TokenInvalid(),
    domain.TokenExpired(),
    domain.AccessDenied("arn:aws:iam::1:root", "ecr:PutImage", "arn"),
    domain.EndpointClosed("vpce-12345678", "192.0.2.7"),
    domain.LimitExceeded("no"),
    domain.Throttled(),
    domain.TooManyFailedLogins(60),
    domain.TooManyUploads(1_000),
    domain.InMaintenance("no"),
    domain.StorageFull(),
    domain.StorageReadOnly(),
    domain.StorageUnavailable("PUT: 503 SlowDown"),
]


def leaves(kind: type[domain.RegistryError] = domain.RegistryError) -> Iterator[type[domain.RegistryError]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from leaves(child)


def test_every_error_has_an_example_here() -> None:
    assert {kind for kind in leaves() if kind.__module__ == domain.__name__} == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_every_error_becomes_an_answer(example: domain.RegistryError) -> None:
    message = error.answer(example)
    assert 400 <= message.status < 600
    assert message.headers["Content-Type"] == "application/json"
    for item in json.loads(message.body)["errors"]:
        assert set(item) <= {"code", "message", "detail"}
        assert item["code"] == item["code"].upper()
        assert item["message"].strip()


def test_only_errors_of_the_caller_speak_of_the_caller() -> None:
    statuses = {type(example).__name__: error.answer(example).status for example in EXAMPLES}
    ours = [name for name, status in statuses.items() if status >= 500]
    assert ours == ["InMaintenance", "StorageFull", "StorageReadOnly", "StorageUnavailable"]
    assert statuses["TokenExpired"] == statuses["TokenInvalid"] == 401


def test_missing_layers_are_named_one_by_one() -> None:
    missing = [Digest.of(b"1"), Digest.of(b"2")]
    items = json.loads(error.answer(domain.LayersNotFound(REGISTRY, "app", missing)).body)["errors"]
    assert [item["detail"]["digest"] for item in items] == [str(digest) for digest in missing]
