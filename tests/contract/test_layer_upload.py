"""Uploads by UploadLayerPart and CompleteLayerUpload, on both database engines.

Spec: ECR API, UploadLayerPart and CompleteLayerUpload; ECR service quotas, layer parts.
"""

from __future__ import annotations

import pytest

from entrepot.domain.error import (
    EmptyUpload,
    InvalidLayerPart,
    LayerAlreadyExists,
    LayerDigestMismatch,
    LayerPartTooSmall,
    LimitExceeded,
    RepositoryNotFound,
    UploadNotFound,
)
from entrepot.domain.limit import LAYER_PART_BYTES_MAX
from entrepot.domain.repository import RepositoryName
from entrepot.domain.upload import UploadKind
from entrepot.service import upload as service
from entrepot.service.upload import append as appending
from tests.support.bytes import APP, Worker, digest_of
from tests.support.service import ACCOUNT, REGISTRY

SMALLEST = 1000
PARTS_MAX = 3


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules, with numbers that are quick to reach."""
    monkeypatch.setattr(appending, "LAYER_PART_BYTES_MIN", SMALLEST)
    monkeypatch.setattr(service, "LAYER_PARTS_MAX", PARTS_MAX)


async def start(worker: Worker) -> str:
    return await worker.start(UploadKind.ECR)


async def part(worker: Worker, upload_id: str, first: int, data: bytes, last: int | None = None) -> int:
    end = first + len(data) - 1 if last is None else last
    return await worker.uploads.append_part(REGISTRY, APP, ACCOUNT, upload_id, first, end, data)


async def complete(worker: Worker, upload_id: str, *wholes: bytes) -> None:
    digests = [digest_of(data) for data in wholes]
    assert await worker.uploads.complete_layer(REGISTRY, APP, ACCOUNT, upload_id, digests) == digests[0]


async def test_parts_become_a_layer(worker: Worker) -> None:
    data = bytes(range(256)) * 10
    upload_id = await start(worker)
    assert await part(worker, upload_id, 0, data[:1000]) == 999
    assert await part(worker, upload_id, 1000, data[1000:2000]) == 1999
    assert await part(worker, upload_id, 2000, data[2000:]) == len(data) - 1
    await complete(worker, upload_id, data)
    assert await worker.pull(data) == data


@pytest.mark.parametrize(
    ("first", "data", "last"),
    [
        (0, b"x", 0),  # sent before
        (5, b"x", 5),  # a gap
        (3, b"xx", 3),  # more bytes than said
        (3, b"x", 4),  # fewer
        (3, b"", 2),  # none
        (3, b"x" * (LAYER_PART_BYTES_MAX + 1), 3 + LAYER_PART_BYTES_MAX),
    ],
)
async def test_part_that_does_not_go_on(worker: Worker, first: int, data: bytes, last: int) -> None:
    upload_id = await start(worker)
    await part(worker, upload_id, 0, b"abc")
    with pytest.raises(InvalidLayerPart) as refused:
        await part(worker, upload_id, first, data, last)
    assert refused.value.received_bytes == 3


async def test_more_parts_than_an_upload_can_have(worker: Worker) -> None:
    upload_id = await start(worker)
    for number in range(PARTS_MAX):
        await part(worker, upload_id, number, b"x")
    with pytest.raises(LimitExceeded):
        await part(worker, upload_id, PARTS_MAX, b"x")


async def test_last_part_may_be_small_and_no_other(worker: Worker) -> None:
    large, small = b"x" * SMALLEST, b"y" * (SMALLEST - 1)
    upload_id = await start(worker)
    await part(worker, upload_id, 0, large)
    await part(worker, upload_id, SMALLEST, small)
    await complete(worker, upload_id, large + small)
    upload_id = await start(worker)
    await part(worker, upload_id, 0, small)
    await part(worker, upload_id, len(small), large)
    with pytest.raises(LayerPartTooSmall):
        await complete(worker, upload_id, small + large)
    with pytest.raises(LayerPartTooSmall):
        await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(small + large))


async def test_small_chunks_are_fine_on_the_other_plane(worker: Worker) -> None:
    upload_id = await worker.start(UploadKind.OCI)
    for number in range(5):
        assert await worker.append(upload_id, b"x") == number + 1
    await worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(b"xxxxx"))


async def test_empty_upload(worker: Worker) -> None:
    upload_id = await start(worker)
    with pytest.raises(EmptyUpload):
        await complete(worker, upload_id, b"")


async def test_all_digests_must_be_right(worker: Worker) -> None:
    upload_id = await start(worker)
    await part(worker, upload_id, 0, b"abc")
    with pytest.raises(LayerDigestMismatch):
        await complete(worker, upload_id, b"abc", b"other")
    both = [digest_of(b"abc"), digest_of(b"abc", "sha512")]
    with pytest.raises(LayerDigestMismatch):
        await worker.uploads.complete_layer(REGISTRY, APP, ACCOUNT, upload_id, [both[0], digest_of(b"other", "sha512")])
    assert await worker.uploads.complete_layer(REGISTRY, APP, ACCOUNT, upload_id, both) == both[0]


async def test_layer_that_the_repository_holds(worker: Worker) -> None:
    await worker.push(b"abc")
    upload_id = await start(worker)
    await part(worker, upload_id, 0, b"abc")
    with pytest.raises(LayerDigestMismatch):
        await complete(worker, upload_id, b"other")
    with pytest.raises(LayerAlreadyExists):
        await complete(worker, upload_id, b"abc")
    with pytest.raises(UploadNotFound):
        await part(worker, upload_id, 3, b"d")
    assert await worker.pull(b"abc") == b"abc"


async def test_upload_goes_on_over_the_other_plane(workers: tuple[Worker, Worker]) -> None:
    upload_id = await start(workers[0])
    await part(workers[0], upload_id, 0, b"x" * SMALLEST)
    await workers[1].append(upload_id, b"yz")
    await workers[1].uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(b"x" * SMALLEST + b"yz"))
    assert await workers[0].pull(b"x" * SMALLEST + b"yz") == b"x" * SMALLEST + b"yz"


async def test_missing_repository_comes_before_the_upload(worker: Worker) -> None:
    missing = RepositoryName("no/such")
    with pytest.raises(RepositoryNotFound):
        await worker.uploads.append_part(REGISTRY, missing, ACCOUNT, "0" * 36, 0, 0, b"x")
    with pytest.raises(RepositoryNotFound):
        await worker.uploads.complete_layer(REGISTRY, missing, ACCOUNT, "0" * 36, [digest_of(b"x")])
    with pytest.raises(UploadNotFound):
        await worker.uploads.append_part(REGISTRY, APP, ACCOUNT, "0" * 36, 0, 0, b"x")
