"""Pushing and pulling images as docker and the layer operations do."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from botocore.exceptions import ClientError

from tools.compare.target import MANIFEST_TYPE, Answer, Target, descriptor, digest, manifest


def config(layer: bytes) -> bytes:
    """The configuration of an image of one layer."""
    root = {"type": "layers", "diff_ids": [digest(layer)]}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": root}).encode()


def image(layer: bytes, **members: Any) -> bytes:
    """The manifest of an image of one layer."""
    return manifest(config(layer), [layer], **members)


def push(target: Target, repository: str, layer: bytes) -> bytes:
    text = upload_all(target, repository, layer)
    answer = put_manifest(target, repository, "v1", text)
    assert answer.status == 201, answer
    return text


def upload_all(target: Target, repository: str, layer: bytes) -> bytes:
    """Upload configuration and layer; the manifest for them."""
    for content in (config(layer), layer):
        answer = upload(target, repository, content, digest(content))
        assert answer.status == 201, answer
    return image(layer)


def upload(target: Target, repository: str, content: bytes, named: str) -> Answer:
    """As docker does: start, one chunk, complete."""
    started = target.send("POST", f"/v2/{repository}/blobs/uploads/")
    assert started.status == 202, started
    chunk = target.send("PATCH", started.headers["location"], content, {"Content-Type": "application/octet-stream"})
    assert chunk.status in (201, 202), chunk
    return target.send("PUT", chunk.headers["location"], query={"digest": named})


def put_manifest(target: Target, repository: str, reference: str, text: bytes) -> Answer:
    return target.send("PUT", f"/v2/{repository}/manifests/{reference}", text, {"Content-Type": MANIFEST_TYPE})


def get_manifest(target: Target, repository: str, reference: str) -> Answer:
    return target.send("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPE})


def push_referrer(target: Target, repository: str) -> dict[str, str]:
    subject = descriptor(push(target, repository, b"subject"), MANIFEST_TYPE)
    text = image(b"subject", subject=subject, artifactType="application/x.compare")
    assert put_manifest(target, repository, digest(text), text).status == 201
    return {"digest": digest(text), "subject": subject["digest"]}


def upload_by_api(target: Target, repository: str, content: bytes, named: str) -> None:
    upload_id = target.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    upload = {"repositoryName": repository, "uploadId": upload_id}
    target.ecr.upload_layer_part(**upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
    target.ecr.complete_layer_upload(**upload, layerDigests=[named])


def put_layers(target: Target, repository: str, layer: bytes) -> bytes:
    """Upload by the API what a manifest needs, as far as the server wants layers at all; the manifest for it."""
    for content in (config(layer), layer):
        with contextlib.suppress(ClientError):
            upload_by_api(target, repository, content, digest(content))
    return image(layer)
