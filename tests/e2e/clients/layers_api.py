"""A client that moves images through the ECR API alone, as AWS Lambda and image builders do.

layers_api push LAYOUT REPOSITORY TAG     the five layer operations and PutImage; prints the image's digest
layers_api fetch LAYOUT REPOSITORY TAG    BatchGetImage, GetDownloadUrlForLayer; fills the layout, prints the digest
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from tests.support.image_layout import ImageLayout

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


def push(ecr: ECRClient, layout: ImageLayout, repository: str, tag: str) -> str:
    """Upload what the registry lacks, then the manifest."""
    descriptor = layout.tags()[tag]
    wanted = [blob["digest"] for blob in layout.blobs(descriptor["digest"])]
    known = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=wanted)["layers"]
    available = {layer.get("layerDigest") for layer in known if layer.get("layerAvailability") == "AVAILABLE"}
    for digest in wanted:
        if digest not in available:
            _upload(ecr, layout.blob_path(digest), repository, digest)
    answer = ecr.put_image(
        repositoryName=repository,
        imageManifest=layout.blob_path(descriptor["digest"]).read_text(),
        imageManifestMediaType=descriptor["mediaType"],
        imageTag=tag,
    )
    return answer["image"]["imageId"]["imageDigest"]


def _upload(ecr: ECRClient, path: Path, repository: str, digest: str) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=repository)
    sent = 0
    with path.open("rb") as file:
        while part := file.read(upload["partSize"]):
            last = sent + len(part) - 1
            received = ecr.upload_layer_part(
                repositoryName=repository,
                uploadId=upload["uploadId"],
                partFirstByte=sent,
                partLastByte=last,
                layerPartBlob=part,
            )["lastByteReceived"]
            assert received == last
            sent += len(part)
    done = ecr.complete_layer_upload(repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[digest])
    assert done["layerDigest"] == digest


def fetch(ecr: ECRClient, layout: ImageLayout, repository: str, tag: str) -> str:
    """Download an image; every blob is checked against its digest."""
    (image,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    manifest = image["imageManifest"]
    descriptor = layout.add_blob(manifest.encode(), image["imageManifestMediaType"])
    parsed = json.loads(manifest)
    for blob in [parsed["config"], *parsed["layers"]]:
        url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=blob["digest"])["downloadUrl"]
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - the server's own URL
            data = answer.read()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == blob["digest"]
        layout.add_blob(data, blob["mediaType"])
    layout.tag(tag, descriptor)
    return image["imageId"]["imageDigest"]


def main() -> None:
    """Run one of the two."""
    verb, directory, repository, tag = sys.argv[1:]
    action = {"push": push, "fetch": fetch}[verb]
    sys.stdout.write(action(boto3.client("ecr"), ImageLayout(Path(directory)), repository, tag) + "\n")


if __name__ == "__main__":
    main()
