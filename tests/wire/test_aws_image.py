"""Images, layers and referrers in the API."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from entrepot.domain.digest import Digest
from tests.support.aws import AwsWorld, Reply
from tests.support.image import descriptor, image_manifest, index_manifest
from tests.support.wire import OCI_MANIFEST

HOME = "123456789012"
NAME = "team/app"
MIB = 1024 * 1024


async def put(aws: AwsWorld, raw: bytes, tag: str | None = None, **more: Any) -> Reply:
    given = more if tag is None else {"imageTag": tag, **more}
    return await aws.client.ecr("PutImage", repositoryName=NAME, imageManifest=raw.decode(), **given)


async def image(aws: AwsWorld, text: str, *tags: str, **members: Any) -> bytes:
    """Push an image of one layer through both planes; its manifest."""
    for data in (b"{}", text.encode()):
        await aws.registry.client.put_blob(NAME, data)
    raw = image_manifest(layers=[text.encode()], **members)
    for tag in tags or (None,):
        assert (await put(aws, raw, tag)).status == 200
    return raw


def digest_of(raw: bytes) -> str:
    return str(Digest.of(raw))


async def upload_layer(aws: AwsWorld, data: bytes, part_bytes: int) -> Reply:
    """The five layer operations, three of them here."""
    upload_id = (await aws.client.ecr("InitiateLayerUpload", repositoryName=NAME))["uploadId"]
    for start in range(0, len(data), part_bytes):
        part = data[start : start + part_bytes]
        received = await aws.client.ecr(
            "UploadLayerPart",
            repositoryName=NAME,
            uploadId=upload_id,
            partFirstByte=start,
            partLastByte=start + len(part) - 1,
            layerPartBlob=base64.b64encode(part).decode(),
        )
        assert received["lastByteReceived"] == start + len(part) - 1
    return await aws.client.ecr(
        "CompleteLayerUpload", repositoryName=NAME, uploadId=upload_id, layerDigests=[digest_of(data)]
    )


async def test_layers_go_up_in_parts_and_come_down_by_url(aws: AwsWorld) -> None:
    await aws.create()
    data = hashlib.sha256(b"seed").digest() * (6 * MIB // 32)

    started = await aws.client.ecr("InitiateLayerUpload", repositoryName=NAME)
    completed = await upload_layer(aws, data, 5 * MIB)
    again = await upload_layer(aws, data, 5 * MIB)

    assert started["partSize"] == 10 * MIB
    assert completed["layerDigest"] == digest_of(data)
    assert completed["registryId"] == HOME
    assert again.code == "LayerAlreadyExistsException"

    unreferenced = await aws.client.ecr("GetDownloadUrlForLayer", repositoryName=NAME, layerDigest=digest_of(data))
    assert unreferenced.code == "LayersNotFoundException"
    await aws.registry.client.put_blob(NAME, b"{}")
    assert (await put(aws, image_manifest(layers=[data]), "v1")).status == 200
    url = await aws.client.ecr("GetDownloadUrlForLayer", repositoryName=NAME, layerDigest=digest_of(data))
    path = url["downloadUrl"].removeprefix("http://127.0.0.1:5000")
    downloaded = await aws.registry.client.send("GET", path, {"Authorization": ""})
    assert downloaded.body == data


async def test_parts_that_do_not_fit(aws: AwsWorld) -> None:
    await aws.create()
    upload_id = (await aws.client.ecr("InitiateLayerUpload", repositoryName=NAME))["uploadId"]
    blob = base64.b64encode(b"1234").decode()
    part = {"repositoryName": NAME, "uploadId": upload_id, "layerPartBlob": blob}

    good = await aws.client.ecr("UploadLayerPart", partFirstByte=0, partLastByte=3, **part)
    gap = await aws.client.ecr("UploadLayerPart", partFirstByte=5, partLastByte=8, **part)
    length = await aws.client.ecr("UploadLayerPart", partFirstByte=4, partLastByte=9, **part)
    unknown = await aws.client.ecr(
        "UploadLayerPart",
        partFirstByte=0,
        partLastByte=3,
        **(part | {"uploadId": "0" * 8 + "-0000-4000-8000-" + "0" * 12}),
    )

    assert good["lastByteReceived"] == 3
    assert gap.code == "InvalidLayerPartException"
    assert json.loads(gap.response.body)["lastValidByteReceived"] == 3
    assert length.code == "InvalidLayerPartException"
    assert "must begin at byte 4 and have as many bytes as partFirstByte and partLastByte say" in length.message
    assert unknown.code == "UploadNotFoundException"


async def test_completing_what_is_not_complete(aws: AwsWorld) -> None:
    await aws.create()
    empty = (await aws.client.ecr("InitiateLayerUpload", repositoryName=NAME))["uploadId"]
    nothing = await aws.client.ecr(
        "CompleteLayerUpload", repositoryName=NAME, uploadId=empty, layerDigests=[digest_of(b"")]
    )
    small = await upload_layer(aws, b"12345678", 4)
    malformed = await aws.client.ecr(
        "CompleteLayerUpload", repositoryName=NAME, uploadId=empty, layerDigests=["sha256:abc"]
    )

    assert nothing.code == "EmptyUploadException"
    assert small.code == "LayerPartTooSmallException"
    assert small.message == "All layer parts except the last part should be at least 5MB"
    assert malformed.code == "InvalidParameterException"


async def test_a_wrong_digest_is_an_invalid_layer(aws: AwsWorld) -> None:
    await aws.create()
    upload_id = (await aws.client.ecr("InitiateLayerUpload", repositoryName=NAME))["uploadId"]
    blob = base64.b64encode(b"1234").decode()
    await aws.client.ecr(
        "UploadLayerPart", repositoryName=NAME, uploadId=upload_id, partFirstByte=0, partLastByte=3, layerPartBlob=blob
    )

    refused = await aws.client.ecr(
        "CompleteLayerUpload", repositoryName=NAME, uploadId=upload_id, layerDigests=[digest_of(b"other")]
    )

    assert refused.code == "InvalidLayerException"


async def test_layer_availability(aws: AwsWorld) -> None:
    await aws.create()
    await aws.registry.client.put_blob(NAME, b"here")

    checked = await aws.client.ecr(
        "BatchCheckLayerAvailability",
        repositoryName=NAME,
        layerDigests=[digest_of(b"here"), digest_of(b"gone"), "md5:00ff", "nonsense", ""],
    )

    layers = {layer["layerDigest"]: layer for layer in checked["layers"]}
    assert layers[digest_of(b"here")]["layerAvailability"] == "AVAILABLE"
    assert layers[digest_of(b"here")]["layerSize"] == 4
    assert layers[digest_of(b"gone")] == {"layerDigest": digest_of(b"gone"), "layerAvailability": "UNAVAILABLE"}
    assert layers["md5:00ff"]["layerAvailability"] == "UNAVAILABLE"
    assert [failure["failureCode"] for failure in checked["failures"]] == ["InvalidLayerDigest", "MissingLayerDigest"]


async def test_put_image_answers_what_was_stored(aws: AwsWorld) -> None:
    await aws.create()
    raw = await image(aws, "one")

    tagged = await put(aws, raw, "v1", imageDigest=digest_of(raw))

    assert tagged["image"] == {
        "registryId": HOME,
        "repositoryName": NAME,
        "imageId": {"imageDigest": digest_of(raw), "imageTag": "v1"},
        "imageManifest": raw.decode(),
        "imageManifestMediaType": OCI_MANIFEST,
    }


async def test_put_image_again(aws: AwsWorld) -> None:
    await aws.create()
    raw = await image(aws, "one", "v1")

    again, untagged = await put(aws, raw, "v1"), await put(aws, raw)

    digest = digest_of(raw)
    assert again.code == untagged.code == "ImageAlreadyExistsException"
    assert again.message == (
        f"Image with digest '{digest}' and tag 'v1' already exists in the repository with name 'team/app' in registry "
        "with id '123456789012'"
    )


async def test_put_image_refusals(aws: AwsWorld) -> None:
    await aws.create(imageTagMutability="IMMUTABLE")
    first, second = await image(aws, "one", "v1"), image_manifest(layers=[b"two"])
    await aws.registry.client.put_blob(NAME, b"{}")

    missing = await put(aws, second, "v2")
    await aws.registry.client.put_blob(NAME, b"two")
    fixed = await put(aws, second, "v1")
    other = await put(aws, second, "v2", imageDigest=digest_of(first))
    child = await put(aws, index_manifest([second]), "v2")
    broken = await put(aws, b"{", "v2")
    no_type = await put(aws, image_manifest(layers=[b"two"], mediaType=None), "v2")
    tag = await put(aws, second, "not a tag")

    assert missing.code == "LayersNotFoundException"
    assert missing.message.startswith(f"Layers with digests '[{digest_of(b'two')}]' required for pushing image into")
    assert fixed.code == "ImageTagAlreadyExistsException"
    assert fixed.message == (
        "The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the tag is "
        "immutable."
    )
    assert other.code == "ImageDigestDoesNotMatchException"
    assert child.code == "ReferencedImagesNotFoundException"
    for reply in (broken, no_type):
        assert reply.code == "InvalidParameterException"
        assert (
            reply.message == "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        )
    assert tag.code == "InvalidParameterException"
    assert "'imageTag'" in tag.message


async def test_a_manifest_without_media_type_takes_the_one_beside_it(aws: AwsWorld) -> None:
    await aws.create()
    await image(aws, "one")

    pushed = await put(aws, image_manifest(layers=[b"one"], mediaType=None), "v1", imageManifestMediaType=OCI_MANIFEST)

    assert pushed["image"]["imageManifestMediaType"] == OCI_MANIFEST


async def test_batch_get_image(aws: AwsWorld) -> None:
    await aws.create()
    raw = await image(aws, "one", "v1")
    ids = [
        {"imageTag": "v1"},
        {"imageDigest": digest_of(raw)},
        {"imageTag": "gone"},
        {"imageDigest": digest_of(raw), "imageTag": "gone"},
        {"imageDigest": "nonsense"},
        {"imageDigest": "sha256:abc"},
        {"imageTag": "not a tag"},
        {},
    ]

    got = await aws.client.ecr("BatchGetImage", repositoryName=NAME, imageIds=ids)

    assert [item["imageId"] for item in got["images"]] == [
        {"imageDigest": digest_of(raw), "imageTag": "v1"},
        {"imageDigest": digest_of(raw)},
    ]
    assert all(item["imageManifest"] == raw.decode() for item in got["images"])
    assert all(item["imageManifestMediaType"] == OCI_MANIFEST for item in got["images"])
    failures = {json.dumps(failure["imageId"]): failure for failure in got["failures"]}
    codes = {key: failure["failureCode"] for key, failure in failures.items()}
    assert codes == {
        json.dumps({"imageTag": "gone"}): "ImageNotFound",
        json.dumps({"imageDigest": digest_of(raw), "imageTag": "gone"}): codes[
            json.dumps({"imageDigest": digest_of(raw), "imageTag": "gone"})
        ],
        json.dumps({"imageDigest": "nonsense"}): "InvalidImageDigest",
        json.dumps({"imageDigest": "sha256:abc"}): "ImageNotFound",
        json.dumps({"imageTag": "not a tag"}): "InvalidImageTag",
        json.dumps({}): "MissingDigestAndTag",
    }
    reasons = {failure["failureCode"]: failure["failureReason"] for failure in got["failures"]}
    assert reasons["ImageNotFound"] == "Requested image not found"
    assert reasons["MissingDigestAndTag"] == "Invalid request parameters: both tag and digest cannot be null"
    assert reasons["InvalidImageDigest"] == (
        "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    )


async def test_batch_get_image_takes_only_accepted_types(aws: AwsWorld) -> None:
    await aws.create()
    await image(aws, "one", "v1")
    ask = {"repositoryName": NAME, "imageIds": [{"imageTag": "v1"}]}

    accepted = await aws.client.ecr("BatchGetImage", acceptedMediaTypes=[OCI_MANIFEST], **ask)
    other = await aws.client.ecr("BatchGetImage", acceptedMediaTypes=["application/x"], **ask)

    assert len(accepted["images"]) == 1
    assert other["images"] == []
    assert other["failures"][0]["failureCode"] == "ImageNotFound"


async def test_list_images(aws: AwsWorld) -> None:
    await aws.create()
    one, two = await image(aws, "one", "v1", "v2"), await image(aws, "two")
    ask = {"repositoryName": NAME}

    everything = await aws.client.ecr("ListImages", **ask)
    tagged = await aws.client.ecr("ListImages", filter={"tagStatus": "TAGGED"}, **ask)
    untagged = await aws.client.ecr("ListImages", filter={"tagStatus": "UNTAGGED"}, **ask)
    archived = await aws.client.ecr("ListImages", filter={"imageStatus": "ARCHIVED"}, **ask)
    first = await aws.client.ecr("ListImages", maxResults=2, **ask)
    rest = await aws.client.ecr("ListImages", maxResults=2, nextToken=first["nextToken"], **ask)
    other = await aws.client.ecr("ListImages", nextToken=first["nextToken"], filter={"tagStatus": "TAGGED"}, **ask)

    assert {(i["imageDigest"], i.get("imageTag")) for i in everything["imageIds"]} == {
        (digest_of(one), "v1"),
        (digest_of(one), "v2"),
        (digest_of(two), None),
    }
    assert {i["imageTag"] for i in tagged["imageIds"]} == {"v1", "v2"}
    assert untagged["imageIds"] == [{"imageDigest": digest_of(two)}]
    assert archived["imageIds"] == []
    assert sorted(map(json.dumps, first["imageIds"] + rest["imageIds"])) == sorted(
        map(json.dumps, everything["imageIds"])
    )
    assert "nextToken" not in rest.parsed
    assert other.code == "InvalidParameterException"


async def test_describe_images(aws: AwsWorld) -> None:
    await aws.create()
    before = aws.registry.clock.now()
    raw = await image(aws, "one", "v1", "v2")
    referrer = await image(aws, "sbom", artifactType="application/spdx+json", subject=descriptor(raw, OCI_MANIFEST))

    named = await aws.client.ecr("DescribeImages", repositoryName=NAME, imageIds=[{"imageTag": "v2"}])
    listed = await aws.client.ecr("DescribeImages", repositoryName=NAME)

    detail = named["imageDetails"][0]
    assert abs((detail.pop("imagePushedAt") - before).total_seconds()) < 60
    assert sorted(detail.pop("imageTags")) == ["v1", "v2"]
    assert detail == {
        "registryId": HOME,
        "repositoryName": NAME,
        "imageDigest": digest_of(raw),
        "imageSizeInBytes": 5,
        "imageManifestMediaType": OCI_MANIFEST,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "imageStatus": "ACTIVE",
    }
    shown = {item["imageDigest"]: item for item in listed["imageDetails"]}
    assert set(shown) == {digest_of(raw), digest_of(referrer)}
    assert shown[digest_of(referrer)]["subjectManifestDigest"] == digest_of(raw)
    assert shown[digest_of(referrer)]["artifactMediaType"] == "application/spdx+json"
    assert "imageTags" not in shown[digest_of(referrer)]


async def test_describe_images_pages_and_refusals(aws: AwsWorld) -> None:
    await aws.create()
    for text in ("one", "two", "three"):
        await image(aws, text, text)
    ask = {"repositoryName": NAME}

    first = await aws.client.ecr("DescribeImages", maxResults=2, **ask)
    rest = await aws.client.ecr("DescribeImages", nextToken=first["nextToken"], **ask)
    missing = await aws.client.ecr("DescribeImages", imageIds=[{"imageTag": "gone"}], **ask)
    both = await aws.client.ecr("DescribeImages", imageIds=[{"imageTag": "one"}], maxResults=5, **ask)
    neither = await aws.client.ecr("DescribeImages", imageIds=[{}], **ask)
    malformed = await aws.client.ecr("DescribeImages", imageIds=[{"imageDigest": "x"}], **ask)
    nowhere = await aws.client.ecr("DescribeImages", repositoryName="no/where")

    assert len({d["imageDigest"] for d in first["imageDetails"] + rest["imageDetails"]}) == 3
    assert missing.code == "ImageNotFoundException"
    assert missing.message == (
        "The image with imageId {imageDigest:'null', imageTag:'gone'} does not exist within the repository with name "
        "'team/app' in the registry with id '123456789012'"
    )
    assert {both.code, neither.code, malformed.code} == {"InvalidParameterException"}
    assert nowhere.code == "RepositoryNotFoundException"


async def test_batch_delete_image(aws: AwsWorld) -> None:
    await aws.create()
    one, two = await image(aws, "one", "v1", "v2"), await image(aws, "two", "w1", "w2")
    child = await image(aws, "child")
    assert (await put(aws, index_manifest([child]), "index")).status == 200

    tag = await aws.client.ecr("BatchDeleteImage", repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    rest = await aws.client.ecr(
        "BatchDeleteImage",
        repositoryName=NAME,
        imageIds=[
            {"imageDigest": digest_of(two)},
            {"imageDigest": digest_of(one), "imageTag": "index"},
            {"imageDigest": digest_of(child)},
            {"imageTag": "gone"},
            {},
        ],
    )

    assert tag["imageIds"] == [{"imageDigest": digest_of(one), "imageTag": "v1"}]
    assert {(i["imageDigest"], i["imageTag"]) for i in rest["imageIds"]} == {
        (digest_of(two), "w1"),
        (digest_of(two), "w2"),
    }
    codes = sorted(failure["failureCode"] for failure in rest["failures"])
    assert codes == [
        "ImageNotFound",
        "ImageReferencedByManifestList",
        "ImageTagDoesNotMatchDigest",
        "MissingDigestAndTag",
    ]
    referenced = next(f for f in rest["failures"] if f["failureCode"] == "ImageReferencedByManifestList")
    parent = digest_of(index_manifest([child]))
    assert referenced["failureReason"] == f"Requested image referenced by manifest list: [{parent}]"


async def test_list_image_referrers(aws: AwsWorld) -> None:
    await aws.create()
    raw = await image(aws, "one", "v1")
    subject = descriptor(raw, OCI_MANIFEST)
    sbom = await image(aws, "sbom", artifactType="application/spdx+json", subject=subject, annotations={"a": "b"})
    signature = await image(aws, "signature", artifactType="application/x-signature", subject=subject)
    ask = {"repositoryName": NAME, "subjectId": {"imageDigest": digest_of(raw)}}

    everything = await aws.client.ecr("ListImageReferrers", **ask)
    some = await aws.client.ecr("ListImageReferrers", filter={"artifactTypes": ["application/spdx+json"]}, **ask)
    first = await aws.client.ecr("ListImageReferrers", maxResults=1, **ask)
    rest = await aws.client.ecr("ListImageReferrers", nextToken=first["nextToken"], **ask)
    none = await aws.client.ecr("ListImageReferrers", repositoryName=NAME, subjectId={"imageDigest": digest_of(sbom)})
    bad = await aws.client.ecr("ListImageReferrers", repositoryName=NAME, subjectId={"imageDigest": "x"})

    assert {item["digest"] for item in everything["referrers"]} == {digest_of(sbom), digest_of(signature)}
    assert some["referrers"] == [
        {
            "digest": digest_of(sbom),
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/spdx+json",
            "size": len(sbom),
            "annotations": {"a": "b"},
            "artifactStatus": "ACTIVE",
        }
    ]
    assert [len(first["referrers"]), len(rest["referrers"]), len(none["referrers"])] == [1, 1, 0]
    assert bad.code == "InvalidParameterException"
    assert "'subjectId.imageDigest'" in bad.message


async def test_tags_that_are_fixed_on_both_planes(aws: AwsWorld) -> None:
    await aws.create(
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "v*"}],
    )
    one = await image(aws, "one", "v1", "latest")
    two = await image(aws, "two")

    assert (await put(aws, two, "latest")).status == 200
    assert (await put(aws, two, "v1")).code == "ImageTagAlreadyExistsException"
    assert (await put(aws, one, "v1")).code == "ImageAlreadyExistsException"
    header = {"Content-Type": OCI_MANIFEST}
    assert (await aws.registry.client.send("PUT", f"/v2/{NAME}/manifests/v1", header, one)).status == 201
    assert (await aws.registry.client.send("PUT", f"/v2/{NAME}/manifests/v1", header, two)).status == 400
    path = f"/v2/{NAME}/manifests/{digest_of(two)}"
    assert (await aws.registry.client.send("PUT", path, header, two)).status == 201


@pytest.mark.parametrize("size", [4 * MIB, 4 * MIB + 1])
async def test_the_largest_manifest(aws: AwsWorld, size: int) -> None:
    await aws.create()
    for data in (b"{}", b"one"):
        await aws.registry.client.put_blob(NAME, data)
    bare = len(image_manifest(layers=[b"one"], annotations={"x": ""}))

    pushed = await put(aws, image_manifest(layers=[b"one"], annotations={"x": "a" * (size - bare)}), "v1")

    if size > 4 * MIB:
        assert pushed.code == "InvalidParameterException"
        assert pushed.message.endswith("'Member must have length less than or equal to 4194304'")
    else:
        got = await aws.client.ecr("BatchGetImage", repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
        assert len(got["images"][0]["imageManifest"]) == size
