"""Blobs in a bucket of S3 or of anything that speaks its protocol, shared by any number of machines.

    PREFIX blobs/AB/KEY                     published objects; KEY begins with AB
    PREFIX staging/AB/KEY/NAME.segment      what is left of an append and fills no part
    PREFIX staging/AB/KEY/NAME.tail         a partial last frame

and, while an upload goes on, the parts of a multipart upload to `blobs/AB/KEY`. Rows name everything that counts:
only verification lists objects, and no request depends on a condition. See docs/design/blob.md.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.limit import MIB
from entrepot.store.blob.base import Ledger, Location, Segment, Staging, StagingGone, StoredObject, append_name
from entrepot.store.blob.s3.append import S3Writer, check_part_number
from entrepot.store.blob.s3.client import Answer, S3Client
from entrepot.store.blob.s3.listing import list_keys, list_stored, move
from entrepot.store.blob.s3.reader import S3Reader
from entrepot.store.blob.s3.request import abort_uploads, complete_body, delete_objects, multipart_etag
from entrepot.store.blob.s3.spool import Region, Spool
from entrepot.store.blob.s3.staging import NOT_FOUND, PART_SUFFIX, StagingArea, is_part, object_key, staged_key

PART_BYTES = 8 * MIB
"""Plain bytes of a part: 32 whole frames."""

CHECK_SECONDS = 15.0
ID_KEY = "store.id"

PUBLISH_SECONDS = 40.0
"""A publisher's object is there after this long or never: before its right to publish has run out."""


class S3BlobStore:
    """One bucket and prefix. `encryption_headers` ask S3 to encrypt what it is given."""

    name = "s3"
    is_shared = True

    def __init__(
        self,
        client: S3Client,
        spool: Spool,
        encryption_headers: Mapping[str, str] | None = None,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self.client = client
        self.spool = spool
        self.staging = StagingArea(client, spool, encryption_headers or {})
        self._part_bytes = part_bytes
        self._held: set[str] = set()
        self._held_lock = threading.Lock()

    def check_room(self) -> None:
        self.spool.check_room()

    # ── staging ──────────────────────────────────────────────────────────────────────────────

    def append(self, location: Location, size_bytes: int, tail: Segment | None, name: str, ledger: Ledger) -> S3Writer:
        del tail
        acknowledged = ledger.segments() if size_bytes else []
        loose = [piece for piece in acknowledged if not is_part(piece)]
        frames = max(1, self._part_bytes // location.frame_bytes)
        part_bytes = location.stored_bytes(frames * location.frame_bytes)
        return S3Writer(self.staging, location.storage_key, size_bytes, part_bytes, name, ledger, loose)

    def is_whole(self, storage_key: str, pieces: Iterable[Segment]) -> bool:
        """Parts count as there: S3 has acknowledged them, and shows them to nobody before they are joined."""
        return all(is_part(piece) or self._size_of(staged_key(storage_key, piece.name)) >= piece.stored_bytes
                   for piece in pieces)  # fmt: skip

    def write_tail(self, storage_key: str, name: str, data: bytes) -> Segment:
        return self.staging.put_piece(storage_key, f"{name}.tail", data)

    def read_tail(self, storage_key: str, tail: Segment) -> bytes:
        answer = self.client.call("GET", staged_key(storage_key, tail.name), accepts=("NoSuchKey",))
        if answer.status == NOT_FOUND or len(answer.data) != tail.stored_bytes:
            found = "is missing" if answer.status == NOT_FOUND else f"has {len(answer.data)} bytes"
            raise BlobDamaged(storage_key, f"{tail.name} {found}, not {tail.stored_bytes} bytes")
        return answer.data

    def remove_piece(self, storage_key: str, name: str) -> None:
        if not name.endswith(PART_SUFFIX):
            self.client.call("DELETE", staged_key(storage_key, name), accepts=(NOT_FOUND,))

    # ── publishing ───────────────────────────────────────────────────────────────────────────

    def hold(self, storage_key: str) -> S3Hold | None:
        with self._held_lock:
            if storage_key in self._held:
                return None
            self._held.add(storage_key)
        return S3Hold(partial(self._let_go, storage_key))

    def _let_go(self, storage_key: str) -> None:
        with self._held_lock:
            self._held.discard(storage_key)

    def publish(self, location: Location, segments: Sequence[Segment], tail: Segment | None, ledger: Ledger) -> bool:
        """Join what fills no part, then complete the multipart upload; without parts, put the object at once.

        A multipart upload can be completed once only, whoever tries: so one that was slow changes nothing.
        """
        key = location.storage_key
        parts = [piece for piece in segments if is_part(piece)]
        rest = [*(piece for piece in segments if not is_part(piece)), *([tail] if tail else [])]
        file = self.spool.file()
        try:
            end = 0
            for piece in rest:
                self.staging.fetch(key, piece, file, end)
                end += piece.stored_bytes
            region = Region(file, 0, end)
            if parts:
                return self._complete(key, parts, region, ledger)
            ledger.reserve(0)
            self.staging.put(object_key(key), region, PUBLISH_SECONDS)
        finally:
            file.close()
        return True

    def _complete(self, storage_key: str, parts: list[Segment], rest: Region, ledger: Ledger) -> bool:
        reserved = ledger.reserve(1 if rest.size_bytes else 0)
        if reserved.multipart is None:
            raise BlobDamaged(storage_key, "its row names parts and no multipart upload")
        try:
            if rest.size_bytes:
                check_part_number(reserved.first_part)
                parts = [*parts, self.staging.send_part(storage_key, reserved.multipart, reserved.first_part, rest)]
        except StagingGone:
            return self._found(storage_key, sum(piece.stored_bytes for piece in parts) + rest.size_bytes)
        answer = self._call_complete(storage_key, reserved.multipart, parts)
        if answer.code == "NoSuchUpload":
            return self._found(storage_key, sum(piece.stored_bytes for piece in parts))
        if answer.code:
            raise BlobDamaged(storage_key, f"S3 lacks a part: {answer.code} {answer.text('Message')}")
        return self._found(storage_key, sum(piece.stored_bytes for piece in parts), multipart_etag(parts))

    def _call_complete(self, storage_key: str, multipart: str, parts: list[Segment]) -> Answer:
        return self.client.call(
            "POST",
            object_key(storage_key),
            {"uploadId": multipart},
            {"Content-Type": "application/xml"},
            complete_body((int(piece.name.removesuffix(PART_SUFFIX)), piece.etag or "") for piece in parts),
            accepts=("NoSuchUpload", "InvalidPart", "InvalidPartOrder"),
        )

    def _found(self, storage_key: str, stored_bytes: int, etag: str | None = None) -> bool:
        """Whether the object that is there is known to be made of our parts.

        Some servers say of an upload that another attempt has completed that it is done, whatever they are given now.
        """
        answer = self.client.call("HEAD", object_key(storage_key), accepts=(NOT_FOUND,))
        if answer.status == NOT_FOUND or int(answer.headers.get("Content-Length", "0")) != stored_bytes:
            raise BlobDamaged(storage_key, "the multipart upload is gone, and what it made is not these pieces")
        return etag is not None and answer.headers.get("ETag", "").strip('"') == etag

    def make(self, location: Location, data: bytes) -> bool:
        self.staging.put(object_key(location.storage_key), data, PUBLISH_SECONDS)
        return True

    # ── objects ──────────────────────────────────────────────────────────────────────────────

    def open(self, location: Location, size_bytes: int) -> S3Reader:
        key = location.storage_key
        return S3Reader(self.client, object_key(key), key, location.stored_bytes(size_bytes))

    def look(self, location: Location, size_bytes: int) -> None:
        key, expected_bytes = location.storage_key, location.stored_bytes(size_bytes)
        found = self._size_of(object_key(key))
        if found != expected_bytes:
            is_there = found >= 0
            said = f"has {found} stored bytes, not {expected_bytes}" if is_there else "is missing"
            raise BlobDamaged(key, f"the object {said}")

    def discard(self, staging: Staging) -> None:
        key = staging.storage_key
        names = [append_name(number) for number in range(1, staging.appends + 1)]
        delete_objects(
            self.client, [staged_key(key, f"{name}.{kind}") for name in names for kind in ("segment", "tail")]
        )
        if staging.has_parts:
            abort_uploads(self.client, object_key(key))

    def delete(self, staging: Staging) -> None:
        self.client.call("DELETE", object_key(staging.storage_key), accepts=(NOT_FOUND,))
        self.discard(staging)

    # ── the place ────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Use everything that is needed of the bucket once, so that what is missing or refused shows at the start.

        Raises:
            StorageUnavailable
        """
        key = f"check/{uuid.uuid4().hex}"
        self.client.call("GET", key, accepts=("NoSuchKey",), within=CHECK_SECONDS)
        self.staging.put(key, b"entrepot", CHECK_SECONDS)
        abort_uploads(self.client, key)
        self.client.call("DELETE", key)

    def find_id(self) -> str:
        """Which store this is among all; empty while it has no id."""
        answer = self.client.call("GET", ID_KEY, accepts=("NoSuchKey",), within=CHECK_SECONDS)
        return "" if answer.code else answer.data.decode("utf-8", "replace").strip()

    def put_id(self, store_id: str) -> None:
        """Name the store."""
        self.staging.put(ID_KEY, f"{store_id}\n".encode())

    def list_objects(self) -> Iterator[StoredObject]:
        return list_stored(self.client)

    def set_aside(self, storage_key: str) -> str | None:
        prefix = staged_key(storage_key, "")
        staged = [key for key, _ in list_keys(self.client, prefix)]
        moved = [key for key in (object_key(storage_key), *staged) if move(self.client, key, f"quarantine/{key}")]
        abort_uploads(self.client, object_key(storage_key))
        return ", ".join(f"quarantine/{key}" for key in moved) or None

    def presign(self, location: Location, seconds: int, headers: Mapping[str, str]) -> str:
        query = {f"response-{name.lower()}": value for name, value in headers.items()}
        return self.client.presign(object_key(location.storage_key), query, seconds)

    def _size_of(self, key: str) -> int:
        """Stored bytes of an object; -1 when it is not there."""
        answer = self.client.call("HEAD", key, accepts=(NOT_FOUND,))
        return -1 if answer.status == NOT_FOUND else int(answer.headers.get("Content-Length", "0"))


class S3Hold:
    """A key that no other thread of this process publishes."""

    def __init__(self, let_go: partial[None]) -> None:
        self._let_go: partial[None] | None = let_go

    def release(self) -> None:
        if self._let_go is not None:
            self._let_go()
        self._let_go = None
