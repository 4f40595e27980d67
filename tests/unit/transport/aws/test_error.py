"""Every domain error has a row, and the sentences are AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature

import pytest

from entrepot.domain import error as domain
from entrepot.domain.digest import Digest
from entrepot.domain.iam_error import PolicyBond
from entrepot.domain.key_provider import KeyProviderAway, KeyRefused
from entrepot.domain.reference import ImageId, Tag
from entrepot.domain.registry import Registry
from entrepot.transport.aws.ec2.error import ROWS as EC2_ROWS
from entrepot.transport.aws.error import ROWS, fault_of, internal_failure
from entrepot.transport.aws.model import VERSIONS, service_model

REGISTRY = Registry("123456789012", "us-east-1")
DIGEST, OTHER = Digest.of(b"a"), Digest.of(b"b")
ARN = "arn:aws:ecr:us-east-1:123456789012:repository/app"


def leaves(kind: type[domain.RegistryError] = domain.RegistryError) -> Iterator[type[domain.RegistryError]]:
    children = [child for child in kind.__subclasses__() if child.__module__.startswith("entrepot.")]
    for child in children:
        yield from leaves(child)
    if not children:
        yield kind


EXAMPLES: list[tuple[domain.RegistryError, str, str]] = [
    (
        domain.RepositoryNotFound(REGISTRY, "app"),
        "RepositoryNotFoundException",
        "The repository with name 'app' does not exist in the registry with id '123456789012'",
    ),
    (
        domain.RepositoryAlreadyExists(REGISTRY, "app"),
        "RepositoryAlreadyExistsException",
        "The repository with name 'app' already exists in the registry with id '123456789012'",
    ),
    (
        domain.RepositoryNotEmpty(REGISTRY, "app"),
        "RepositoryNotEmptyException",
        (
            "The repository with name 'app' in registry with id '123456789012' cannot be deleted because it still "
            "contains images"
        ),
    ),
    (
        domain.ImageNotFound(REGISTRY, "app", ImageId(tag=Tag("v1"))),
        "ImageNotFoundException",
        (
            "The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist within the repository with name "
            "'app' in the registry with id '123456789012'"
        ),
    ),
    (
        domain.ImageAlreadyExists(REGISTRY, "app", ImageId(DIGEST, Tag("v1"))),
        "ImageAlreadyExistsException",
        (
            f"Image with digest '{DIGEST}' and tag 'v1' already exists in the repository with name 'app' in registry "
            "with id '123456789012'"
        ),
    ),
    (
        domain.ImageTagAlreadyExists("app", Tag("v1")),
        "ImageTagAlreadyExistsException",
        (
            "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the tag is "
            "immutable."
        ),
    ),
    (
        domain.ImageDigestDoesNotMatch(REGISTRY, "app", DIGEST),
        "ImageDigestDoesNotMatchException",
        (
            f"The image with digest '{DIGEST}' in repository 'app' and registry ID '123456789012' does not match the "
            "image digest that Amazon ECR has calculated."
        ),
    ),
    (
        domain.LayersNotFound(REGISTRY, "app", [DIGEST, OTHER]),
        "LayersNotFoundException",
        (
            f"Layers with digests '[{DIGEST}, {OTHER}]' required for pushing image into repository with name 'app' in "
            "the registry with id '123456789012' do not exist"
        ),
    ),
    (
        domain.ReferencedImagesNotFound(REGISTRY, "app", [DIGEST]),
        "ReferencedImagesNotFoundException",
        (
            f"Images with digests '[{DIGEST}]' required for pushing image into repository with name 'app' in the "
            "registry with id '123456789012' do not exist"
        ),
    ),
    (
        domain.LayerPartTooSmall(),
        "LayerPartTooSmallException",
        "All layer parts except the last part should be at least 5MB",
    ),
    (
        domain.InvalidParameter("maxResults", "Member must have value less than or equal to 1000"),
        "InvalidParameterException",
        (
            "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or "
            "equal to 1000'"
        ),
    ),
    (
        domain.InvalidResourceArn("x"),
        "InvalidParameterException",
        "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
    ),
    (
        domain.ManifestInvalid("Invalid JSON syntax"),
        "InvalidParameterException",
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
    ),
    (
        domain.ManifestInvalid("mediaType is missing: state it in the manifest or beside it"),
        "InvalidParameterException",
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
    ),
    (
        domain.ManifestInvalid("config is missing"),
        "InvalidParameterException",
        (
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax' "
            "(config is missing)"
        ),
    ),
    (
        domain.TooManyTags(50),
        "TooManyTagsException",
        (
            "The list of tags on the repository is over the limit. The maximum number of tags that can be applied to a "
            "repository is 50."
        ),
    ),
    (
        domain.AccessDenied("arn:aws:iam::210987654321:root", "ecr:ListImages", ARN, "resource-based policy"),
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::210987654321:root is not authorized to perform: ecr:ListImages on resource: {ARN} "
            "because no resource-based policy allows the ecr:ListImages action"
        ),
    ),
    (domain.MissingAuthentication(), "MissingAuthenticationTokenException", "Missing Authentication Token"),
    (
        domain.UnrecognizedClient(),
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
]


def test_every_leaf_has_a_row() -> None:
    assert set(leaves()) == set(ROWS)


@pytest.mark.parametrize(("error", "code", "message"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_words(error: domain.RegistryError, code: str, message: str) -> None:
    fault = fault_of(error, "PutImage")

    assert (fault.code, fault.message, fault.status) == (code, message, 400)


def test_every_row_writes_its_words_from_the_fields() -> None:
    """Each error made with stand-ins for its fields gives a sentence without a blank."""
    stand_ins = {
        "bond": PolicyBond.ATTACHED,
        "registry": REGISTRY,
        "image_id": ImageId(DIGEST),
        "digests": [DIGEST],
        "parents": [DIGEST],
        "limit": 5,
        "limit_bytes": 5,
        "offset": 5,
        "received_bytes": 5,
        "tag": Tag("v1"),
        "digest": DIGEST,
        "given": DIGEST,
    }
    for kind in leaves():
        fields = [one.name for one in signature(kind).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
        error = kind(*(stand_ins.get(name, name) for name in fields))

        fault = fault_of(error, None)

        is_silent = fault.code in ("NotAuthorizedException", "InvalidCiphertextException")  # KMS says no more
        assert len(fault.message) > 10 or fault.message in {"detail", "sentence"} or is_silent
        assert fault.code


def test_codes_are_modelled_or_common() -> None:
    """Anything else would be a code that no client can expect."""
    models = [service_model(name) for name in VERSIONS]
    modelled = {code for model in models for name in model.operation_names for code in model.operation(name).errors}
    common = {
        "AccessDeniedException",
        "ExpiredIdentityToken",  # the Query protocol has its name
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidParameterValue",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorizedException",  # of KMS's reserved aliases
        "ServiceUnavailable",
        "ThrottlingException",
        "UnrecognizedClientException",
        "ValidationError",
        "ValidationException",
    }

    of_ec2 = {row.code for row in EC2_ROWS.values()}  # its model declares none

    assert {row.code for row in ROWS.values()} <= modelled | common | of_ec2


def test_words_of_one_operation() -> None:
    missing = domain.LayersNotFound(REGISTRY, "app", [DIGEST])

    assert fault_of(missing, "GetDownloadUrlForLayer").message == (
        f"The layer with digest '{DIGEST}' does not exist in the repository with name 'app' in the registry with id "
        "'123456789012'"
    )
    assert "'layerDigests'" in fault_of(domain.DigestInvalid("x"), "CompleteLayerUpload").message


def test_members_beside_the_message() -> None:
    part = domain.InvalidLayerPart(REGISTRY, "app", "upload", 10)

    assert fault_of(part, None).members == {
        "registryId": "123456789012",
        "repositoryName": "app",
        "uploadId": "upload",
        "lastValidByteReceived": 9,
    }
    assert "lastValidByteReceived" not in fault_of(domain.InvalidLayerPart(REGISTRY, "app", "u", 0), None).members


def test_the_unexpected_says_nothing() -> None:
    assert internal_failure().status == 500
    assert internal_failure().code == "InternalFailure"


def test_what_a_kms_elsewhere_refuses_and_that_it_is_away() -> None:
    refused = fault_of(KeyRefused("arn:key", "DisabledException", "arn:key is disabled."), None)
    assert (refused.code, refused.members) == ("KmsException", {"kmsError": "DisabledException"})
    assert refused.message == "The key arn:key cannot be used: DisabledException: arn:key is disabled."
    away = fault_of(KeyProviderAway("http://10.0.0.1 refuses"), None)
    assert (away.code, away.members) == ("KmsException", {"kmsError": "KMSInternalException"})
    assert "10.0.0.1" not in away.message, "where it is, is the operator's business"
