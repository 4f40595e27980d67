"""What an upload stages in S3: objects of their own, and the parts of a multipart upload under the key to come."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from entrepot.domain.limit import MIB
from entrepot.store.blob.base import Ledger, Segment, StagingGone
from entrepot.store.blob.s3.client import Body, S3Client
from entrepot.store.blob.s3.reader import S3Reader
from entrepot.store.blob.s3.spool import Region, Spool, SpoolFile

SENDERS = 8
"""Parts that one worker sends at a time."""

FETCH_BYTES = MIB
PUT_SECONDS = 120.0
NOT_FOUND = 404
PART_SUFFIX = ".part"


class StagingArea:
    """Pieces on their way in and out, for the writers and the publishers of one process."""

    def __init__(self, client: S3Client, spool: Spool, encryption_headers: Mapping[str, str]) -> None:
        self.client, self.spool = client, spool
        self._encryption_headers = dict(encryption_headers)
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="s3-send")

    def put(self, key: str, body: Body | bytes, within: float = PUT_SECONDS) -> None:
        """Write an object."""
        headers = {"Content-Type": "application/octet-stream", **self._encryption_headers}
        self.client.call("PUT", key, None, headers, body, within=within)

    def put_piece(self, storage_key: str, name: str, body: Body | bytes) -> Segment:
        """Stage an object of its own."""
        self.put(staged_key(storage_key, name), body)
        return Segment(name, len(body) if isinstance(body, bytes) else body.size_bytes)

    def fetch(self, storage_key: str, piece: Segment, file: SpoolFile, at: int) -> None:
        """Copy a staged object to a place in a spool file.

        Raises:
            BlobDamaged: it is missing or has another length.
        """
        reader = S3Reader(self.client, staged_key(storage_key, piece.name), storage_key, piece.stored_bytes)
        buffer = memoryview(bytearray(min(FETCH_BYTES, piece.stored_bytes)))
        try:
            for start in range(0, piece.stored_bytes, FETCH_BYTES):
                data = buffer[: piece.stored_bytes - start]
                reader.read_into(start, data, wait=True)
                file.write(at + start, data)
        finally:
            reader.close()

    def begin_multipart(self, storage_key: str, ledger: Ledger) -> str:
        """The multipart upload that the row names: a new one, unless another writer was faster.

        Numbers were reserved before, so that the sweeper knows to look for one that the row never came to name.
        """
        answer = self.client.call("POST", object_key(storage_key), {"uploads": ""}, self._encryption_headers)
        ours = answer.text("UploadId")
        named = ledger.reserve(0, ours).multipart or ours
        if named != ours:
            self.client.call("DELETE", object_key(storage_key), {"uploadId": ours}, accepts=(NOT_FOUND,))
        return named

    def start_part(self, storage_key: str, multipart: str, number: int, region: Region) -> Future[Segment]:
        """Send a part in a thread of its own."""
        return self._senders.submit(self.send_part, storage_key, multipart, number, region)

    def send_part(self, storage_key: str, multipart: str, number: int, region: Region) -> Segment:
        """Send a part.

        Raises:
            StagingGone: the multipart upload is over.
        """
        query = {"partNumber": str(number), "uploadId": multipart}
        answer = self.client.call("PUT", object_key(storage_key), query, {}, region, accepts=("NoSuchUpload",))
        if answer.code:
            raise StagingGone(storage_key)
        return Segment(f"{number:05d}{PART_SUFFIX}", region.size_bytes, answer.headers.get("ETag", "").strip('"'))


def object_key(storage_key: str) -> str:
    """The S3 key of a published object."""
    return f"blobs/{storage_key[:2]}/{storage_key}"


def staged_key(storage_key: str, name: str) -> str:
    """The S3 key of a staged piece."""
    return f"staging/{storage_key[:2]}/{storage_key}/{name}"


def is_part(piece: Segment) -> bool:
    """Whether it is a part of the multipart upload rather than an object of its own."""
    return piece.name.endswith(PART_SUFFIX)
