"""Any way of cutting bytes into appends over two workers gives exactly these bytes, and ranges are slices of them."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.service import storage
from tests.support.bytes import APP, Worker, body, digest_of
from tests.support.service import ACCOUNT, REGISTRY

FRAME = 64

appends = st.lists(
    st.tuples(st.booleans(), st.lists(st.one_of(st.just(FRAME), st.integers(0, 3 * FRAME)), max_size=3)), max_size=6
)
ranges = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=5)


@given(appends=appends, last=st.one_of(st.none(), st.integers(0, 2 * FRAME)), ranges=ranges, by_second=st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_appends(
    workers: tuple[Worker, Worker],
    monkeypatch: pytest.MonkeyPatch,
    appends: list[tuple[bool, list[int]]],
    last: int | None,
    ranges: list[tuple[float, float]],
    by_second: bool,
) -> None:
    monkeypatch.setattr(storage, "FRAME_BYTES", FRAME)
    data = b""
    upload_id = await workers[0].start()
    for is_second, sizes in appends:
        chunks = [os.urandom(size) for size in sizes]
        data += b"".join(chunks)
        assert await workers[is_second].append(upload_id, *chunks) == len(data)
    end = os.urandom(last or 0)
    data += end
    digest = digest_of(data)
    await workers[by_second].uploads.complete(
        REGISTRY, APP, ACCOUNT, upload_id, digest, None if last is None else body([end])
    )
    assert await workers[not by_second].pull(data) == data
    for one, two in ranges:
        low, high = sorted((int(one * len(data)), int(two * len(data))))
        assert await workers[by_second].pull(data, low, high) == data[low:high]
