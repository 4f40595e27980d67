"""The checks, one function a row: each asks the server something and says what it answered.

Each check makes repositories of its own. An assertion that fails is a plain "no"; the reason goes to the report.
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tools.compare.image import (
    config,
    get_manifest,
    image,
    push,
    push_referrer,
    put_layers,
    put_manifest,
    upload,
    upload_all,
    upload_by_api,
)
from tools.compare.operation import answered_operations
from tools.compare.target import Target, digest, error_code

Check = Callable[[Target], str | None]
"""None means yes; a text is a figure."""

KEPT = "compare/kept"
CHECKS: dict[str, Check] = {}


def row(title: str) -> Callable[[Check], Check]:
    """Enter a check under its title in the table."""

    def enter(check: Check) -> Check:
        CHECKS[title] = check
        return check

    return enter


@row("Push and pull an image over `/v2/`")
def _push_and_pull(target: Target) -> None:
    repository, layer = _new(target), secrets.token_bytes(100_000)
    pushed = push(target, repository, layer)
    assert get_manifest(target, repository, "v1").body == pushed
    assert target.send("GET", f"/v2/{repository}/blobs/{digest(layer)}").body == layer


@row("`/v2/` asks for the password of GetAuthorizationToken")
def _password(target: Target) -> None:
    target.need_api()
    assert target.send("GET", "/v2/").status == 200
    assert target.send("GET", "/v2/", token=base64.b64encode(b"AWS:wrong").decode()).status in (401, 403)


@row("An image pushed over `/v2/` is in DescribeImages, with digest and size")
def _describe(target: Target) -> None:
    repository, layer = _new(target), secrets.token_bytes(5000)
    pushed = push(target, repository, layer)
    detail = target.ecr.describe_images(repositoryName=repository)["imageDetails"][0]
    assert detail["imageDigest"] == digest(pushed)
    assert detail["imageTags"] == ["v1"]
    assert detail["imageSizeInBytes"] >= len(layer)


@row("An image pushed by the layer operations and PutImage can be pulled over `/v2/`")
def _api_push(target: Target) -> None:
    repository, layer = _new(target), secrets.token_bytes(5000)
    for content in (config(layer), layer):
        upload_by_api(target, repository, content, digest(content))
    text = image(layer)
    target.ecr.put_image(repositoryName=repository, imageManifest=text.decode(), imageTag="v1")
    assert get_manifest(target, repository, "v1").body == text
    assert target.send("GET", f"/v2/{repository}/blobs/{digest(layer)}").body == layer


@row("GetDownloadUrlForLayer gives a URL that serves the layer")
def _download_url(target: Target) -> None:
    repository, layer = _new(target), secrets.token_bytes(5000)
    push(target, repository, layer)
    url = target.ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest(layer))["downloadUrl"]
    assert target.send("GET", url).body == layer


@row("A wrong secret key is refused")
def _signature(target: Target) -> None:
    target.ecr.describe_repositories()
    _refused(lambda: target.client(secret_key="wrong" * 8).describe_repositories(), None)


@row("A repository name against the rules is refused")
def _name(target: Target) -> None:
    _refused(lambda: target.ecr.create_repository(repositoryName="Not/Allowed__"), "InvalidParameterException")


@row("An immutable tag stays: PutImage")
def _immutable_api(target: Target) -> None:
    repository = _new(target, imageTagMutability="IMMUTABLE")
    call = {"repositoryName": repository, "imageTag": "v1"}
    one, two = (put_layers(target, repository, content).decode() for content in (b"one", b"two"))
    target.ecr.put_image(**call, imageManifest=one)
    _refused(lambda: target.ecr.put_image(**call, imageManifest=two), None)
    got = target.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"]
    assert [found["imageManifest"] for found in got] == [one]


@row("An immutable tag stays: `/v2/`")
def _immutable_data_plane(target: Target) -> None:
    target.need_api()
    repository = _new(target, imageTagMutability="IMMUTABLE")
    first = push(target, repository, b"one")
    assert put_manifest(target, repository, "v1", upload_all(target, repository, b"two")).status == 400
    assert get_manifest(target, repository, "v1").body == first


@row("A layer whose bytes have another digest is refused: CompleteLayerUpload")
def _layer_digest_api(target: Target) -> None:
    repository = _new(target)
    _refused(lambda: upload_by_api(target, repository, b"one", digest(b"two")), "InvalidLayerException")


@row("A layer whose bytes have another digest is refused: `/v2/`")
def _layer_digest_data_plane(target: Target) -> None:
    answer = upload(target, _new(target), b"one", digest(b"two"))
    assert b"DIGEST_INVALID" in answer.body, answer.status


@row("A manifest without its layers is refused: PutImage")
def _missing_layers_api(target: Target) -> None:
    call = {"repositoryName": _new(target), "imageManifest": image(b"none").decode(), "imageTag": "v1"}
    _refused(lambda: target.ecr.put_image(**call), "LayersNotFoundException")


@row("A manifest without its layers is refused: `/v2/`")
def _missing_layers_data_plane(target: Target) -> None:
    answer = put_manifest(target, _new(target), "v1", image(b"none"))
    assert b"MANIFEST_BLOB_UNKNOWN" in answer.body, answer.status


@row("A push to a repository that nobody made is refused")
def _silent_creation(target: Target) -> None:
    answer = target.send("POST", f"/v2/{_fresh_name()}/blobs/uploads/")
    assert b"NAME_UNKNOWN" in answer.body, answer.status


@row("A range of a layer")
def _range(target: Target) -> None:
    repository, layer = _new(target), secrets.token_bytes(5000)
    push(target, repository, layer)
    answer = target.send("GET", f"/v2/{repository}/blobs/{digest(layer)}", headers={"Range": "bytes=100-199"})
    assert (answer.status, answer.body) == (206, layer[100:200])


@row("A layer mounted from another repository")
def _mount(target: Target) -> None:
    source, repository, layer = _new(target), _new(target), secrets.token_bytes(5000)
    push(target, source, layer)
    query = {"mount": digest(layer), "from": source}
    assert target.send("POST", f"/v2/{repository}/blobs/uploads/", query=query).status == 201
    assert target.send("GET", f"/v2/{repository}/blobs/{digest(layer)}").body == layer


@row("Referrers (signatures, SBOMs) of an image, over `/v2/`")
def _referrers(target: Target) -> None:
    repository = _new(target)
    artifact = push_referrer(target, repository)
    listed = json.loads(target.send("GET", f"/v2/{repository}/referrers/{artifact['subject']}").body)
    assert [item["digest"] for item in listed["manifests"]] == [artifact["digest"]]


@row("Referrers of an image, by ListImageReferrers")
def _referrers_api(target: Target) -> None:
    repository = _new(target)
    artifact = push_referrer(target, repository)
    subject = {"imageDigest": artifact["subject"]}
    listed = target.ecr.list_image_referrers(repositoryName=repository, subjectId=subject)["referrers"]
    assert [item["digest"] for item in listed] == [artifact["digest"]]


@row("Operations of the private ECR API that answer as documented")
def _operations(target: Target) -> str:
    answered, known = answered_operations(target)
    return f"{len(answered)} of {known}"


def push_kept(target: Target) -> None:
    """Push the image that a later run asks for after a restart."""
    push(target, target.create(KEPT), b"kept layer")


def pull_kept(target: Target) -> None:
    """Pull what an earlier run pushed."""
    assert get_manifest(target, KEPT, "v1").body == image(b"kept layer")
    assert target.send("GET", f"/v2/{KEPT}/blobs/{digest(b'kept layer')}").body == b"kept layer"


def _fresh_name() -> str:
    return f"compare/{uuid.uuid4().hex}"


def _new(target: Target, **settings: Any) -> str:
    return target.create(_fresh_name(), **settings)


def _refused(call: Callable[[], object], code: str | None) -> None:
    try:
        call()
    except ClientError as error:
        assert code in (None, error_code(error)), error_code(error)
    else:
        raise AssertionError("accepted")
