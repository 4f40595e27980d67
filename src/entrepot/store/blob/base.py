"""The interface of a blob store: bytes under random keys, staged in segments, then published as one object.

An upload stages bytes: every append writes a segment of its own and, where a store keeps whole frames only, a tail
with the rest. Rows say which segments and which tail count; a store never decides that. Publishing makes one object
of them, deleting removes it. Names and keys are random, chosen by the service, and safe in a path.

All methods block and are called in pool threads, in parallel for different names, except `Reader.read_into` with
`wait=False`. A store that is reached over a network raises StorageUnavailable from any of them. Drivers pass
tests/contract/test_blob_store.py. Wrappers (encrypting) are stores around a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

FRAME_BYTES = 262_144
"""Plain bytes of a whole frame: small enough to decrypt on the way, large enough that the tag costs nothing."""

FRAME_OVERHEAD_BYTES = 12 + 16
"""Nonce and tag of every frame."""


class Format(IntEnum):
    """How the bytes of an object are written; every row says its own. See docs/design/blob.md."""

    PLAIN = 0
    FRAMES = 1
    DOUBLE_FRAMES = 2
    """Each frame encrypted twice, under two keys."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an object is and how to read it."""

    storage_key: str
    format: Format = Format.PLAIN
    frame_bytes: int = FRAME_BYTES
    data_key: bytes | None = field(default=None, repr=False)
    outer_key: bytes | None = field(default=None, repr=False)
    """Of the second layer of double frames."""

    @property
    def frame_overhead_bytes(self) -> int:
        """What a frame takes beside its plain bytes."""
        return FRAME_OVERHEAD_BYTES * self.format

    def stored_bytes(self, size_bytes: int) -> int:
        """How many bytes an object of `size_bytes` plain bytes takes in the store."""
        return size_bytes + -(-size_bytes // self.frame_bytes) * self.frame_overhead_bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A staged piece of an object as it is stored; `etag` is the S3 part's."""

    name: str
    stored_bytes: int
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What one append has staged: its own segments in order, and the tail that now counts."""

    segments: tuple[Segment, ...]
    tail: Segment | None
    size_bytes: int
    """Plain bytes of the object with this append."""
    replaced: tuple[Segment, ...] = ()
    """The last segments that counted before, if the first of `segments` holds their bytes now."""


@dataclass(frozen=True, slots=True)
class Staging:
    """What may be staged under a key, as its row knows: enough to remove it without listing a store."""

    storage_key: str
    appends: int = 0
    """Appends that ever began; each names its pieces by its number."""
    has_parts: bool = False
    """Whether numbers of parts were ever reserved."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What an upload's row gave: part numbers from `first_part` on, and the multipart upload that they are for."""

    first_part: int
    multipart: str | None


class Ledger(Protocol):
    """The row of the upload that is appended to or published, for stores that need more of it than names."""

    def segments(self) -> list[Segment]:
        """The acknowledged segments in order."""

    def reserve(self, parts: int, multipart: str | None = None) -> Reserved:
        """Take `parts` numbers that nobody else gets, and have the row name `multipart` unless it names one already.

        Raises:
            RangeInvalid, UploadNotFound: the writer lost its lease, or the upload ended: nothing it stages counts.
        """


def append_name(number: int) -> str:
    """How the append with that number names its pieces."""
    return f"{number:08d}"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Something that lies in a store, whether or not a row names it."""

    storage_key: str
    is_staged: bool
    """Whether it is what was staged under the key, rather than the published object."""
    stored_bytes: int
    changed_at: float
    """Seconds since 1970."""


class Writer(Protocol):
    """One append. Used by one thread at a time."""

    def write(self, data: memoryview) -> None:
        """Take some bytes; the memory may be used again after return.

        Raises:
            StorageFull: no room above the reserve; what this append wrote is worth nothing.
            StagingGone: the upload ended meanwhile.
        """

    def finish(self) -> Appended:
        """Stage the rest. What this returns survives the death of the process, not yet a loss of power.

        Raises:
            StorageFull, StagingGone: as `write`.
        """

    def close(self) -> None:
        """Let go of the append, finished or not; may be called again. Removes nothing."""


class Reader(Protocol):
    """A published object, open. It stays readable until closed, even if a local object is deleted meanwhile."""

    def read_into(self, start: int, buffer: memoryview, *, wait: bool) -> bool:
        """Fill `buffer` with the plain bytes from `start`, which must exist.

        With `wait=False` it returns False rather than wait for a disk or network; the buffer is then undefined.

        Raises:
            BlobDamaged: fewer bytes than the row says, or a frame that fails its tag.
        """

    def close(self) -> None:
        """Release the object; may be called again."""


class Hold(Protocol):
    """The exclusive right to publish an upload."""

    def release(self) -> None:
        """Give it back; may be called again."""


class BlobStore(Protocol):
    """Bytes under storage keys."""

    name: str
    """What rows call this store: `filesystem`, `memory`, `s3`."""

    is_shared: bool
    """Whether several machines may use it, so that a hold of this machine alone does not do."""

    def check_room(self) -> None:
        """Refuse before bytes arrive that there is no room for. Cheap enough for the event loop.

        Raises:
            StorageFull: free space is below the reserve.
        """

    def append(self, location: Location, size_bytes: int, tail: Segment | None, name: str, ledger: Ledger) -> Writer:
        """Go on after the first `size_bytes` plain bytes, of which the last ones are in `tail`.

        Stores themselves never make tails; a wrapper that keeps whole frames does, and takes them in here.

        `name` is used for nothing else: writers with other names change nothing of this one, nor of what was
        staged before.

        Raises:
            BlobDamaged: the tail is not what the row says.
            StagingGone: the upload ended meanwhile.
        """

    def is_whole(self, storage_key: str, pieces: Iterable[Segment]) -> bool:
        """Whether all staged pieces are there with at least their stored bytes."""

    def write_tail(self, storage_key: str, name: str, data: bytes) -> Segment:
        """Stage the stored bytes of a partial frame as an object of its own.

        Raises:
            StorageFull, StagingGone: as `Writer.write`.
        """

    def read_tail(self, storage_key: str, tail: Segment) -> bytes:
        """The stored bytes of a tail.

        Raises:
            BlobDamaged: it is missing or has another length.
        """

    def remove_piece(self, storage_key: str, name: str) -> None:
        """Remove a tail or segment that no row names any more, if it is there."""

    def hold(self, storage_key: str) -> Hold | None:
        """Take the exclusive right to publish this key; None while another one has it.

        It is exclusive over all processes (of a shared store: over the threads of this one) and ends with the process.
        """

    def publish(self, location: Location, segments: Sequence[Segment], tail: Segment | None, ledger: Ledger) -> bool:
        """Make one object of the pieces in order; durable on return.

        Called under `hold`. May be repeated, also with more pieces, until a row counts on the object. False when an
        object of that length was there already and its bytes may be those of another attempt: the caller reads them.

        Raises:
            BlobDamaged: a piece is missing or too short, or was used up by an attempt with fewer pieces.
            StorageFull: no room to join them.
        """

    def make(self, location: Location, data: bytes) -> bool:
        """Make an object of some plain bytes, unless there is one under the key; durable on return.

        False when there is one: then it is published, which may replace it. A shared store cannot tell and replaces
        it: there the caller has the right to publish.

        Raises:
            StorageFull: no room.
        """

    def open(self, location: Location, size_bytes: int) -> Reader:
        """Open a published object of `size_bytes` plain bytes. Cheap enough for the event loop.

        Raises:
            BlobDamaged: it is not there, or has another length than its row says. A store that is reached over a
                network says so when something is read.
        """

    def presign(self, location: Location, seconds: int, headers: Mapping[str, str]) -> str | None:
        """A URL from which anybody can GET a plain object for a time, answered with `headers`; None: there is none."""

    def look(self, location: Location, size_bytes: int) -> None:
        """Make sure that a published object is there in its length, which `open` may leave to the first read. Blocks.

        Raises:
            BlobDamaged: it is not.
        """

    def discard(self, staging: Staging) -> None:
        """Remove everything staged under the key; a published object stays.

        Raises:
            OSError: the store would not; what is left can be removed later.
        """

    def delete(self, staging: Staging) -> None:
        """Remove the object and everything staged under the key, if there; durable on return.

        Raises:
            OSError: as `discard`.
        """

    def list_objects(self) -> Iterator[StoredObject]:
        """Everything that lies in the store, in no order. Only verification ever asks."""

    def set_aside(self, storage_key: str) -> str | None:
        """Move the object and everything staged under the key out of the way, where no row finds it; durable.

        Returns where it is now, for people; None when there was nothing.
        """


class StagingGone(Exception):
    """What was staged under the key was removed while somebody appended: the upload has ended."""

    def __init__(self, storage_key: str) -> None:
        super().__init__(storage_key)
        self.storage_key = storage_key
