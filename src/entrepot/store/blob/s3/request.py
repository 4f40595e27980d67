"""S3 requests of several steps or with XML bodies: completing, deleting many, aborting what a key has under way.

Spec: Amazon S3 API Reference, CompleteMultipartUpload, DeleteObjects, ListMultipartUploads.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from entrepot.domain.error import StorageUnavailable
from entrepot.store.blob.base import Segment
from entrepot.store.blob.s3.client import S3Client, elements
from entrepot.store.blob.s3.listing import list_uploads

SINGLE_MAX = 4
"""Up to so many objects are deleted by a request each, which every S3 understands."""

DELETE_MAX = 1000
NOT_FOUND = 404


def complete_body(parts: Iterable[tuple[int, str]]) -> bytes:
    """The parts that become the object, by number and ETag, as CompleteMultipartUpload wants them."""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{escape(etag)}&quot;</ETag></Part>"
        for number, etag in parts
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def multipart_etag(parts: Sequence[Segment]) -> str | None:
    """The ETag that S3 gives an object of these parts; None where theirs are no MD5 sums, as under KMS keys."""
    try:
        sums = b"".join(bytes.fromhex(piece.etag or "-") for piece in parts)
    except ValueError:
        return None
    return f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(parts)}"


def delete_objects(client: S3Client, keys: Sequence[str]) -> None:
    """Delete objects, whether they are there or not.

    Raises:
        StorageUnavailable: some are still there.
    """
    if len(keys) <= SINGLE_MAX:
        for key in keys:
            client.call("DELETE", key, accepts=(NOT_FOUND,))
        return
    for start in range(0, len(keys), DELETE_MAX):
        _delete_batch(client, keys[start : start + DELETE_MAX])


def _delete_batch(client: S3Client, keys: Sequence[str]) -> None:
    named = "".join(f"<Object><Key>{escape(client.bucket.prefix + key)}</Key></Object>" for key in keys)
    body = f"<Delete><Quiet>true</Quiet>{named}</Delete>".encode()
    checksum = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    answer = client.call("POST", "", {"delete": ""}, {"Content-MD5": checksum}, body)
    if elements(answer.data, "Error"):
        raise StorageUnavailable(f"DeleteObjects: {answer.text('Code')}: {answer.text('Message')}")


def abort_uploads(client: S3Client, key: str) -> None:
    """Abort every multipart upload to exactly this key."""
    for found, facts in list(list_uploads(client, key)):
        if found == key:
            client.call("DELETE", key, {"uploadId": facts["UploadId"]}, accepts=(NOT_FOUND,))
