"""The S3 store when its server fails: what heals, what is said when it does not, and what is left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.domain.error import StorageUnavailable
from entrepot.store.blob.base import Format, Location, Staging, append_name
from entrepot.store.blob.encrypting import EncryptingBlobStore
from entrepot.store.blob.s3 import client as s3_client
from entrepot.store.blob.s3.client import S3Client
from entrepot.store.blob.s3.spool import Spool
from entrepot.store.blob.s3.store import S3BlobStore
from tests.support.faulty_s3 import Fault, FaultyS3, faulty
from tests.support.ledger import MemoryLedger
from tests.support.s3 import S3Server

MIB = 1024 * 1024
KEY = "0123456789abcdef0123456789abcdef"
TRANSIENT = [Fault.ERROR_500, Fault.SLOW_DOWN, Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.HANG]


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultyS3]:
    with faulty(s3.endpoint) as plan:
        yield plan


@pytest.fixture
def inner(s3: S3Server, proxy: FaultyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3BlobStore:
    monkeypatch.setattr(s3_client, "PAUSE_SECONDS", 0.001)
    return s3.store(tmp_path / "spool", proxy.endpoint, read_seconds=1.0)


@pytest.fixture
def store(inner: S3BlobStore) -> EncryptingBlobStore:
    return EncryptingBlobStore(inner)


@pytest.fixture
def location() -> Location:
    return Location(KEY, Format.FRAMES, data_key=os.urandom(32))


def push(store: EncryptingBlobStore, location: Location, data: bytes, ledger: MemoryLedger) -> bool:
    """One append of everything, then the object; what `publish` says."""
    with closing(store.append(location, 0, None, append_name(1), ledger)) as writer:
        for start in range(0, len(data), MIB):
            writer.write(memoryview(data)[start : start + MIB])
        appended = writer.finish()
    ledger.acknowledged = list(appended.segments)
    return store.publish(location, appended.segments, appended.tail, ledger)


def read(store: EncryptingBlobStore, location: Location, size: int) -> bytes:
    buffer = bytearray(size)
    reader = store.open(location, size)
    for start in range(0, size, MIB):
        reader.read_into(start, memoryview(buffer)[start : start + MIB], wait=True)
    reader.close()
    return bytes(buffer)


def is_complete(method: str, path: str) -> bool:
    return method == "POST" and "uploadId=" in path


def is_part(method: str, path: str) -> bool:
    return method == "PUT" and "partNumber=" in path


def is_begin(method: str, path: str) -> bool:
    return method == "POST" and "uploads" in path


def is_put(method: str, path: str) -> bool:
    return method == "PUT" and "partNumber=" not in path


@pytest.mark.parametrize("fault", TRANSIENT)
@pytest.mark.parametrize("step", [is_begin, is_part, is_put, is_complete])
def test_an_upload_heals(
    s3: S3Server,
    proxy: FaultyS3,
    store: EncryptingBlobStore,
    location: Location,
    fault: Fault,
    step: Callable[[str, str], bool],
) -> None:
    data, ledger = os.urandom(17 * MIB + 5), MemoryLedger()
    proxy.do(fault, 1 if fault is Fault.HANG else 2, step)
    push(store, location, data, ledger)
    assert proxy.done
    assert read(store, location, len(data)) == data
    store.discard(Staging(KEY, 1, has_parts=True))
    assert s3.object_keys() == [f"blobs/01/{KEY}"]
    assert s3.multiparts() == []


@pytest.mark.parametrize("fault", [*TRANSIENT, Fault.CUT_BODY])
def test_a_download_heals(proxy: FaultyS3, store: EncryptingBlobStore, location: Location, fault: Fault) -> None:
    data = os.urandom(9 * MIB)
    push(store, location, data, MemoryLedger())
    proxy.do(fault, 1 if fault is Fault.HANG else 3, lambda method, _: method == "GET")
    assert read(store, location, len(data)) == data
    assert proxy.done


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.CUT_BEFORE, Fault.DENIED])
def test_what_does_not_heal_is_said(
    s3: S3Server, proxy: FaultyS3, store: EncryptingBlobStore, location: Location, fault: Fault
) -> None:
    data = os.urandom(9 * MIB)
    proxy.do(fault, 1000, is_part)
    with pytest.raises(StorageUnavailable, match=f"PUT blobs/{s3.prefix}blobs/01/{KEY} at {proxy.endpoint}: "):
        push(store, location, data, MemoryLedger())
    assert proxy.done == (1 if fault is Fault.DENIED else s3_client.ATTEMPTS)
    proxy.do(fault, 0)
    store.discard(Staging(KEY, 1, has_parts=True))
    assert (s3.object_keys(), s3.multiparts()) == ([], [])
    push(store, location, data, MemoryLedger())
    proxy.do(fault, 1000)
    with pytest.raises(StorageUnavailable, match="GET "):
        read(store, location, len(data))


def test_a_multipart_upload_whose_id_was_lost_is_swept(
    s3: S3Server, proxy: FaultyS3, store: EncryptingBlobStore, location: Location
) -> None:
    proxy.do(Fault.CUT_AFTER, 1000, is_begin)
    ledger = MemoryLedger()
    with pytest.raises(StorageUnavailable):
        push(store, location, os.urandom(9 * MIB), ledger)
    assert ledger.multipart is None
    assert len(s3.multiparts()) == s3_client.ATTEMPTS
    proxy.do(Fault.CUT_AFTER, 0)
    store.delete(Staging(KEY, 1, has_parts=ledger.parts > 0))
    assert (s3.object_keys(), s3.multiparts()) == ([], [])


def test_pauses_grow_and_end(s3: S3Server, proxy: FaultyS3, tmp_path: Path) -> None:
    pauses: list[float] = []
    bucket = s3.client(proxy.endpoint).bucket
    client = S3Client(bucket, s3.client()._credentials, pause=pauses.append)
    proxy.do(Fault.SLOW_DOWN, 1000)
    with pytest.raises(StorageUnavailable, match=f"503 SlowDown, {s3_client.ATTEMPTS} times"):
        S3BlobStore(client, Spool(tmp_path / "spool", 0)).write_tail(KEY, append_name(1), b"x")
    limits = [s3_client.PAUSE_SECONDS * 2**attempt for attempt in range(1, s3_client.ATTEMPTS)]
    assert len(pauses) == len(limits)
    assert all(0 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))


def test_a_bucket_that_is_missing_or_refuses_is_named(s3: S3Server, proxy: FaultyS3, inner: S3BlobStore) -> None:
    inner.check()
    proxy.do(Fault.DENIED, 1, lambda method, _: method == "PUT")
    with pytest.raises(StorageUnavailable, match="403 AccessDenied"):
        inner.check()
    missing = S3Client(
        s3_client.Bucket(s3.endpoint, "no-such-bucket", "", "us-east-1", is_virtual=False), s3.client()._credentials
    )
    with pytest.raises(StorageUnavailable, match="404 NoSuchBucket"):
        S3BlobStore(missing, inner.spool).check()
    assert s3.object_keys() == []
