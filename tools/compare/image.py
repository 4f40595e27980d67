"""Pushing and pulling images as docker and the layer operations do."""

from __future__ import annotations

from tools.compare.target import MANIFEST_TYPE, Answer, Target, digest, manifest

CONFIG = b'{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'


def push(target: Target, repository: str, layer: bytes) -> bytes:
    text = upload_all(target, repository, layer)
    answer = put_manifest(target, repository, "v1", text)
    assert answer.status == 201, answer
    return text


def upload_all(target: Target, repository: str, layer: bytes) -> bytes:
    """Upload configuration and layer; the manifest for them."""
    for content in (CONFIG, layer):
        answer = upload(target, repository, content, digest(content))
        assert answer.status == 201, answer
    return manifest(CONFIG, [layer])


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
    image = push(target, repository, b"subject")
    subject = {"mediaType": MANIFEST_TYPE, "digest": digest(image), "size": len(image)}
    text = manifest(CONFIG, [b"subject"], subject=subject, artifactType="application/x.compare")
    assert put_manifest(target, repository, digest(text), text).status == 201
    return {"digest": digest(text), "subject": digest(image)}


def upload_by_api(target: Target, repository: str, content: bytes, named: str) -> None:
    upload_id = target.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    upload = {"repositoryName": repository, "uploadId": upload_id}
    target.ecr.upload_layer_part(**upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content)
    target.ecr.complete_layer_upload(**upload, layerDigests=[named])
