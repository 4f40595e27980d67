"""Uploads on both database engines and both formats, by one and by two workers."""

from __future__ import annotations

import os

import pytest

from entrepot.domain.error import LayerDigestMismatch, RangeInvalid, SizeInvalid, UploadNotFound
from tests.support.bytes import APP, Worker, body, digest_of
from tests.support.service import ACCOUNT, REGISTRY


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 1_500_000])
async def test_docker_pushes_a_layer(worker: Worker, size: int) -> None:
    data = os.urandom(size)
    await worker.push(data)
    assert await worker.pull(data) == data
    assert await worker.pull(data, size // 3, size // 2) == data[size // 3 : size // 2]
