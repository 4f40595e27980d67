"""What skopeo pushed is what `aws ecr` describes and what comes back, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.server import ACCOUNT
from tests.support.world import World

NAMES = ("busybox", "layers", "zstd", "multi", "python-app", "artifact", "chart", "sbom")
REPOSITORY = "standard/images"


@pytest.fixture(scope="module")
def address(world: World, images: ImageLayout) -> str:
    """A repository with every standard image."""
    address = world.create(REPOSITORY)
    world.login("skopeo", "login")
    for name in NAMES:
        world.push(images, name, f"{address}:{name}")
    return address


@pytest.fixture(scope="module")
def details(world: World, address: str) -> dict[str, dict[str, Any]]:
    """Digest → what DescribeImages tells."""
    answer = world.aws("describe-images", "--repository-name", REPOSITORY)
    return {detail["imageDigest"]: detail for detail in answer["imageDetails"]}


def _kind(images: ImageLayout, digest: str) -> str | None:
    manifest = images.manifest(digest)
    kind: str | None = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
    return kind


@pytest.mark.parametrize("name", NAMES)
def test_described_as_pushed(images: ImageLayout, details: dict[str, dict[str, Any]], name: str) -> None:
    pushed = images.tags()[name]
    detail = details[pushed["digest"]]
    assert detail["imageTags"] == [name]
    assert detail["imageSizeInBytes"] == images.image_size(pushed["digest"])
    assert detail["imageManifestMediaType"] == pushed["mediaType"]
    assert detail.get("artifactMediaType") == _kind(images, pushed["digest"])
    assert (detail["registryId"], detail["repositoryName"]) == (ACCOUNT, REPOSITORY)


def test_nothing_else_is_described(images: ImageLayout, details: dict[str, dict[str, Any]]) -> None:
    expected = {images.tags()[name]["digest"] for name in NAMES}
    expected |= {child["digest"] for child in images.manifest(images.tags()["multi"]["digest"])["manifests"]}
    assert set(details) == expected


def test_children_of_an_index_are_untagged_images(images: ImageLayout, details: dict[str, dict[str, Any]]) -> None:
    for child in images.manifest(images.tags()["multi"]["digest"])["manifests"]:
        detail = details[child["digest"]]
        assert "imageTags" not in detail
        assert detail["imageSizeInBytes"] == images.image_size(child["digest"])


def test_fifteen_layers_in_order(world: World, address: str, images: ImageLayout) -> None:
    answer = world.aws(
        "batch-get-image", "--repository-name", REPOSITORY, "--image-ids", "imageTag=layers"
    )  # the manifest comes as the exact text
    pushed = images.blob_path(images.tags()["layers"]["digest"]).read_text()
    assert answer["images"][0]["imageManifest"] == pushed
    assert len(images.manifest(images.tags()["layers"]["digest"])["layers"]) == 15


def test_the_sbom_refers_to_its_image(world: World, address: str, images: ImageLayout) -> None:
    subject = images.tags()["python-app"]["digest"]
    answer = world.aws(
        "list-image-referrers", "--repository-name", REPOSITORY, "--subject-id", f"imageDigest={subject}"
    )
    (referrer,) = answer["referrers"]
    sbom = images.tags()["sbom"]
    assert (referrer["digest"], referrer["size"]) == (sbom["digest"], sbom["size"])
    assert (referrer["mediaType"], referrer["artifactType"]) == (sbom["mediaType"], "application/spdx+json")


@pytest.mark.parametrize("name", NAMES)
def test_pulled_back_bit_for_bit(world: World, address: str, images: ImageLayout, name: str) -> None:
    target = world.scratch()
    world.do(
        "skopeo", "copy", "--quiet", "--all", "--preserve-digests", f"docker://{address}:{name}", f"oci:{target}:{name}"
    )
    pulled = ImageLayout(target)
    digest = images.tags()[name]["digest"]
    assert pulled.tags()[name]["digest"] == digest
    came = dict(pulled.contents())
    assert set(came) == images.reachable(digest)
    assert all(data == images.blob_path(each).read_bytes() for each, data in came.items())
