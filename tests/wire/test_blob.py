"""Blobs on /v2/: look up, download with ranges, delete."""

import pytest

from tests.support.registry import RunningRegistry
from tests.support.wire import Row, digest_of
from tests.support.wire_rows import row_tests

CONTENT = bytes(range(256)) * 8
DIGEST = digest_of(CONTENT)
EMPTY = digest_of(b"")
MISSING = "sha256:" + "0" * 64
PATH = f"/v2/app/blobs/{DIGEST}"
WHOLE = {
    "Content-Length": "2048",
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
    "Docker-Content-Digest": DIGEST,
    "Accept-Ranges": "bytes",
    "ETag": f'"{DIGEST}"',
    "Docker-Distribution-Api-Version": "registry/2.0",
}


def part(start: int, end: int) -> dict[str, str | None]:
    return {**WHOLE, "Content-Length": str(end - start), "Content-Range": f"bytes {start}-{end - 1}/2048"}


ROWS = [
    Row("whole", f"GET {PATH}", 200, answer={**WHOLE, "Content-Range": None}, answer_body=CONTENT),
    Row("head", f"HEAD {PATH}", 200, answer=WHOLE, answer_body=b""),
    Row("head with range", f"HEAD {PATH}", 200, {"Range": "bytes=0-1"}, answer=WHOLE, answer_body=b""),
    Row("encoded digest", f"GET {PATH.replace(':', '%3a')}?ns=x", 200, answer_body=CONTENT),
    Row("range", f"GET {PATH}", 206, {"Range": "bytes=500-1499"}, None, (), part(500, 1500), CONTENT[500:1500]),
    Row("open range", f"GET {PATH}", 206, {"Range": "bytes=500-"}, None, (), part(500, 2048), CONTENT[500:]),
    Row("suffix", f"GET {PATH}", 206, {"Range": "bytes=-500"}, None, (), part(1548, 2048), CONTENT[-500:]),
    Row("beyond", f"GET {PATH}", 206, {"Range": "bytes=2000-5000"}, None, (), part(2000, 2048), CONTENT[2000:]),
    Row("backwards", f"GET {PATH}", 416, {"Range": "bytes=500-0"}, answer={"Content-Range": "bytes */2048"}),
    Row("outside", f"GET {PATH}", 416, {"Range": "bytes=5000-"}, answer={"Content-Range": "bytes */2048"}),
    Row("several ranges", f"GET {PATH}", 200, {"Range": "bytes=0-1,5-6"}, answer_body=CONTENT),
    Row("other unit", f"GET {PATH}", 200, {"Range": "pages=1-2"}, answer_body=CONTENT),
    Row("if range", f"GET {PATH}", 206, {"Range": "bytes=0-0", "If-Range": f'"{DIGEST}"'}, answer_body=CONTENT[:1]),
    Row("if range changed", f"GET {PATH}", 200, {"Range": "bytes=0-0", "If-Range": '"x"'}, answer_body=CONTENT),
    Row("unchanged", f"GET {PATH}", 304, {"If-None-Match": f'"{DIGEST}"'}, answer_body=b""),
    Row("empty", f"GET /v2/app/blobs/{EMPTY}", 200, answer={"Content-Length": "0"}, answer_body=b""),
    Row("empty range", f"GET /v2/app/blobs/{EMPTY}", 416, {"Range": "bytes=0-"}),
    Row("missing", f"GET /v2/app/blobs/{MISSING}", 404, codes=("BLOB_UNKNOWN",)),
    Row("missing head", f"HEAD /v2/app/blobs/{MISSING}", 404, answer_body=b""),
    Row("of another repository", f"GET /v2/other/blobs/{DIGEST}", 404, codes=("BLOB_UNKNOWN",)),
    Row("no repository", f"GET /v2/none/blobs/{DIGEST}", 404, codes=("NAME_UNKNOWN",)),
    Row("no digest", "GET /v2/app/blobs/sha256:x", 400, codes=("DIGEST_INVALID",)),
    Row("no name", f"GET /v2/A/blobs/{DIGEST}", 400, codes=("NAME_INVALID",)),
    Row("method", f"PUT {PATH}", 405, codes=("UNSUPPORTED",), answer={"Allow": "GET, HEAD, DELETE"}),
    Row("delete missing", f"DELETE /v2/app/blobs/{MISSING}", 404, codes=("BLOB_UNKNOWN",)),
    Row("delete without repository", f"DELETE /v2/none/blobs/{DIGEST}", 404, codes=("NAME_UNKNOWN",)),
    Row("delete", f"DELETE {PATH}", 202, answer_body=b""),
]


async def fill(registry: RunningRegistry) -> None:
    """Two repositories, one of them with blobs."""
    await registry.create_repository("app")
    await registry.create_repository("other")
    await registry.client.put_blob("app", CONTENT)
    await registry.client.put_blob("app", b"")


test_row, test_rows_on_postgresql = row_tests(ROWS, fill)


async def test_deletion_waits_for_the_images(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    image = await registry.client.put_image("app", "v1", CONTENT)
    refused = await registry.client.send("DELETE", PATH)
    assert (refused.status, refused.codes) == (405, ["UNSUPPORTED"])
    assert (await registry.client.send("DELETE", f"/v2/app/manifests/{image}")).status == 202
    assert (await registry.client.send("DELETE", PATH)).status == 202
    assert (await registry.client.send("HEAD", PATH)).status == 404


@pytest.mark.parametrize("size", [262_144, 262_145, 3_000_001])
async def test_streams(registry: RunningRegistry, size: int) -> None:
    content = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    content = content[:size]
    await registry.create_repository("app")
    digest = await registry.client.put_blob("app", content)
    got = await registry.client.send("GET", f"/v2/app/blobs/{digest}")
    assert got.body == content
    middle = await registry.client.send("GET", f"/v2/app/blobs/{digest}", {"Range": f"bytes=100-{size - 100}"})
    assert (middle.status, middle.body) == (206, content[100 : size - 99])
