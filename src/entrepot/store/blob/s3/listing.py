"""Looking through a bucket and moving objects in it: for verification only.

Spec: Amazon S3 API Reference, ListObjectsV2, ListMultipartUploads, CopyObject.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from entrepot.store.blob.base import StoredObject
from entrepot.store.blob.s3.client import S3Client, elements

NOT_FOUND = 404

Facts = Mapping[str, str]


def list_keys(client: S3Client, prefix: str) -> Iterator[tuple[str, Facts]]:
    """Every object whose key begins so, with what the listing says of it: `Size` and `LastModified`."""
    query = {"list-type": "2", "prefix": client.bucket.prefix + prefix}
    marker: dict[str, str] = {}
    while True:
        answer = client.call("GET", "", query | marker)
        for element in elements(answer.data, "Contents"):
            facts = _facts(element)
            yield facts["Key"].removeprefix(client.bucket.prefix), facts
        if answer.text("IsTruncated") != "true":
            return
        marker = {"continuation-token": answer.text("NextContinuationToken")}


def list_uploads(client: S3Client, prefix: str) -> Iterator[tuple[str, Facts]]:
    """Every multipart upload to a key that begins so, with its `UploadId` and when it was `Initiated`."""
    query = {"uploads": "", "prefix": client.bucket.prefix + prefix}
    marker: dict[str, str] = {}
    while True:
        answer = client.call("GET", "", query | marker)
        for element in elements(answer.data, "Upload"):
            facts = _facts(element)
            yield facts["Key"].removeprefix(client.bucket.prefix), facts
        if answer.text("IsTruncated") != "true":
            return
        marker = {"key-marker": answer.text("NextKeyMarker"), "upload-id-marker": answer.text("NextUploadIdMarker")}


def list_stored(client: S3Client) -> Iterator[StoredObject]:
    """Everything of ours: objects, what is staged, and multipart uploads, whose size S3 does not tell."""
    for kind in ("blobs", "staging"):
        for key, facts in list_keys(client, f"{kind}/"):
            storage_key = key.split("/")[2]
            yield StoredObject(storage_key, kind == "staging", int(facts["Size"]), _moment(facts["LastModified"]))
    for key, facts in list_uploads(client, "blobs/"):
        yield StoredObject(key.split("/")[2], is_staged=True, stored_bytes=0, changed_at=_moment(facts["Initiated"]))


def move(client: S3Client, key: str, target: str) -> bool:
    """Copy an object within S3, then remove it; whether it was there. S3 copies at most 5 GiB so.

    Raises:
        StorageUnavailable: it is larger, or the store refuses.
    """
    source = quote(f"{client.bucket.name}/{client.bucket.prefix}{key}", safe="/~")
    answer = client.call("PUT", target, headers={"x-amz-copy-source": source}, accepts=(NOT_FOUND,))
    if answer.status == NOT_FOUND:
        return False
    client.call("DELETE", key, accepts=(NOT_FOUND,))
    return True


def _facts(element: ET.Element) -> Facts:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
