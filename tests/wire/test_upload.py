"""Uploads on /v2/: whole, in chunks, resumed, cancelled, mounted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from entrepot.domain.account_setting import DISABLED, ENABLED, Setting
from entrepot.store.metadata.schema import upload
from tests.support.database import DatabaseAddress
from tests.support.registry import RunningRegistry, running_registry
from tests.support.wire import Answer, digest_of

CONTENT = bytes(range(256)) * 1200
DIGEST = digest_of(CONTENT)
MISSING = "sha256:" + "0" * 64
UNKNOWN = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000"


async def start(registry: RunningRegistry, query: str = "") -> str:
    """Begin a session; its path."""
    answer = await registry.client.send("POST", f"/v2/app/blobs/uploads/{query}")
    assert (answer.status, answer.headers["Range"], answer.headers["Content-Length"]) == (202, "0-0", "0")
    location = answer.headers["Location"]
    assert location == f"/v2/app/blobs/uploads/{answer.headers['Docker-Upload-UUID']}"
    return location


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 10_000):
        yield content[at : at + 10_000]


async def finish(registry: RunningRegistry, path: str, digest: str = DIGEST, body: bytes | None = None) -> Answer:
    answer = await registry.client.send("PUT", f"{path}?digest={digest}", body=body)
    assert (answer.status, answer.codes) == (201, [])
    assert answer.headers["Location"] == f"/v2/app/blobs/{digest}"
    assert answer.headers["Docker-Content-Digest"] == digest
    return answer


async def stored(registry: RunningRegistry, digest: str = DIGEST) -> bytes:
    return (await registry.client.send("GET", f"/v2/app/blobs/{digest}")).body


@pytest.fixture
async def app(registry: RunningRegistry) -> RunningRegistry:
    await registry.create_repository("app")
    return registry


async def test_one_post(app: RunningRegistry) -> None:
    answer = await app.client.send("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}", body=CONTENT)
    assert (answer.status, answer.headers["Location"]) == (201, f"/v2/app/blobs/{DIGEST}")
    assert await stored(app) == CONTENT


async def test_one_post_with_another_digest(app: RunningRegistry) -> None:
    answer = await app.client.send("POST", f"/v2/app/blobs/uploads/?digest={MISSING}", body=CONTENT)
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
    assert (await app.client.send("HEAD", f"/v2/app/blobs/{MISSING}")).status == 404


async def test_one_post_that_breaks_off_leaves_no_session(app: RunningRegistry) -> None:
    """Nobody knows its id, so it would only count among the caller's open uploads for a day."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(app.url.rpartition(":")[2]))
    lines = [f"POST /v2/app/blobs/uploads/?digest={DIGEST} HTTP/1.1", "Host: h", "Content-Length: 300000"]
    writer.write("\r\n".join([*lines, f"Authorization: {app.client.authorization}"]).encode() + b"\r\n\r\nx")
    await open_uploads_become(app, 1)
    writer.close()
    await open_uploads_become(app, 0)


async def open_uploads_become(registry: RunningRegistry, wanted: int) -> None:
    count = select(func.count()).select_from(upload)
    for _ in range(1000):
        if (seen := await registry.database.read(lambda connection: connection.scalar(count))) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{seen} open uploads instead of {wanted}")


async def test_post_then_put(app: RunningRegistry) -> None:
    await finish(app, await start(app), body=CONTENT)
    assert await stored(app) == CONTENT


async def test_put_of_a_stream(app: RunningRegistry) -> None:
    path = await start(app)
    answer = await app.client.send("PUT", f"{path}?digest={DIGEST}", body=in_pieces(CONTENT))
    assert answer.status == 201
    assert await stored(app) == CONTENT


async def test_patch_of_a_stream(app: RunningRegistry) -> None:
    path = await start(app)
    answer = await app.client.send("PATCH", path, body=in_pieces(CONTENT))
    assert (answer.status, answer.headers["Range"]) == (202, f"0-{len(CONTENT) - 1}")
    await finish(app, answer.headers["Location"])
    assert await stored(app) == CONTENT


@pytest.mark.parametrize("size", [1, 65_536, 262_144])
async def test_chunks_with_ranges(app: RunningRegistry, size: int) -> None:
    content = CONTENT[: size * 3 - (size > 1)]
    path = await start(app)
    for at in range(0, len(content), size):
        part = content[at : at + size]
        last = at + len(part) - 1
        answer = await app.client.send("PATCH", path, {"Content-Range": f"{at}-{last}"}, part)
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{last}")
        path = answer.headers["Location"]
        status = await app.client.send("GET", path)
        assert (status.status, status.headers["Range"], status.headers["Location"]) == (204, f"0-{last}", path)
    digest = digest_of(content)
    await finish(app, path, digest)
    assert await stored(app, digest) == content


async def test_last_chunk_in_the_put(app: RunningRegistry) -> None:
    path = await start(app)
    await app.client.send("PATCH", path, {"Content-Range": "0-99999"}, CONTENT[:100_000])
    answer = await app.client.send(
        "PUT", f"{path}?digest={DIGEST}", {"Content-Range": f"100000-{len(CONTENT) - 1}"}, CONTENT[100_000:]
    )
    assert answer.status == 201
    assert await stored(app) == CONTENT


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_chunks_out_of_order(app: RunningRegistry, method: str) -> None:
    path = await start(app)
    await app.client.send("PATCH", path, {"Content-Range": "0-149"}, CONTENT[:150])
    query = f"?digest={DIGEST}" if method == "PUT" else ""
    for header in ("0-99", "5-104", "200-299", "x", "99-0"):
        refused = await app.client.send(method, path + query, {"Content-Range": header}, CONTENT[:100])
        assert (refused.status, refused.codes) == (416, ["BLOB_UPLOAD_INVALID"])
        assert (refused.headers["Range"], refused.headers["Location"]) == ("0-149", path)
    await app.client.send("PATCH", path, {"Content-Range": f"150-{len(CONTENT) - 1}"}, CONTENT[150:])
    await finish(app, path)
    assert await stored(app) == CONTENT


async def test_a_range_of_another_size(app: RunningRegistry) -> None:
    path = await start(app)
    query = f"?digest={DIGEST}"
    for header in ("0-149", "0-49"):
        for body in (CONTENT[:100], in_pieces(CONTENT[:100])):
            for method, target in (("PATCH", path), ("PUT", path + query)):
                answer = await app.client.send(method, target, {"Content-Range": header}, body)
                assert (answer.status, answer.codes) == (400, ["SIZE_INVALID"])
    assert (await app.client.send("GET", path)).headers["Range"] == "0-0"
    await finish(app, path, body=CONTENT)  # nothing of it was kept


async def test_a_wrong_digest_at_the_end(app: RunningRegistry) -> None:
    path = await start(app)
    await app.client.send("PATCH", path, body=CONTENT)
    answer = await app.client.send("PUT", f"{path}?digest={MISSING}")
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
    assert (await app.client.send("HEAD", f"/v2/app/blobs/{MISSING}")).status == 404


async def test_no_digest_at_the_end(app: RunningRegistry) -> None:
    for query in ("", "?digest=", "?digest=sha256:x", f"?digest={DIGEST.upper()}"):
        answer = await app.client.send("PUT", await start(app) + query, body=CONTENT)
        assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


async def test_nothing(app: RunningRegistry) -> None:
    await finish(app, await start(app), digest_of(b""))
    assert await stored(app, digest_of(b"")) == b""


@pytest.mark.parametrize("query", ["", "?digest-algorithm=sha512"])
async def test_sha512(app: RunningRegistry, query: str) -> None:
    path = await start(app, query)
    await app.client.send("PATCH", path, body=CONTENT)
    digest = digest_of(CONTENT, "sha512")
    await finish(app, path, digest)
    assert await stored(app, digest) == CONTENT


async def test_unknown_algorithm(app: RunningRegistry) -> None:
    answer = await app.client.send("POST", "/v2/app/blobs/uploads/?digest-algorithm=md5")
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


async def test_cancel(app: RunningRegistry) -> None:
    path = await start(app)
    await app.client.send("PATCH", path, body=CONTENT)
    cancelled = await app.client.send("DELETE", path)
    assert (cancelled.status, cancelled.body) == (204, b"")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        query = f"?digest={DIGEST}" if method == "PUT" else ""
        answer = await app.client.send(method, path + query, body=b"x" if method != "GET" else None)
        assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


async def test_a_session_belongs_to_its_repository(app: RunningRegistry) -> None:
    await app.create_repository("other")
    path = await start(app)
    elsewhere = path.replace("/app/", "/other/")
    answer = await app.client.send("PATCH", elsewhere, body=CONTENT)
    assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


async def test_unknown_sessions(app: RunningRegistry) -> None:
    for upload_id in ("x", "00000000-0000-4000-8000-000000000000", "%3Cscript%3E", "a" * 5000):
        answer = await app.client.send("PATCH", f"/v2/app/blobs/uploads/{upload_id}", body=b"x")
        assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


async def test_no_repository(registry: RunningRegistry) -> None:
    for method, path in (
        ("POST", "/v2/app/blobs/uploads/"),
        ("POST", f"/v2/app/blobs/uploads/?digest={DIGEST}"),
        ("POST", f"/v2/app/blobs/uploads/?mount={DIGEST}&from=b"),
        ("PATCH", UNKNOWN),
        ("PUT", f"{UNKNOWN}?digest={DIGEST}"),
    ):
        answer = await registry.client.send(method, path, body=b"x")
        assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])


async def test_methods(app: RunningRegistry) -> None:
    answer = await app.client.send("GET", "/v2/app/blobs/uploads/")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    answer = await app.client.send("POST", UNKNOWN)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PATCH, PUT, DELETE")


async def test_the_status_has_the_same_headers_with_head(app: RunningRegistry) -> None:
    path = await start(app)
    await app.client.send("PATCH", path, body=CONTENT)
    got, head = [await app.client.send(method, path) for method in ("GET", "HEAD")]
    assert (got.status, head.status, head.headers["Range"]) == (204, 204, f"0-{len(CONTENT) - 1}")
    assert {*got.headers} == {*head.headers}


async def test_mount(app: RunningRegistry) -> None:
    await app.create_repository("source")
    await app.client.put_blob("source", CONTENT)
    answer = await app.client.send("POST", f"/v2/app/blobs/uploads/?mount={DIGEST}&from=source")
    assert (answer.status, answer.headers["Location"]) == (201, f"/v2/app/blobs/{DIGEST}")
    assert await stored(app) == CONTENT


async def test_aws_defaults_make_every_mount_an_upload(database_address: DatabaseAddress, tmp_path: Path) -> None:
    async with running_registry(database_address, tmp_path, aws_defaults=True) as app:
        for name in ("app", "source"):
            await app.create_repository(name)
        await app.client.put_blob("source", CONTENT)
        await finish(app, await start(app, f"?mount={DIGEST}&from=source"), DIGEST, CONTENT)


async def test_the_account_setting_decides_about_mounts(app: RunningRegistry) -> None:
    await app.create_repository("source")
    await app.client.put_blob("source", CONTENT)
    mount = f"?mount={DIGEST}&from=source"
    await app.services.account_setting.put(app.home, Setting.BLOB_MOUNTING, DISABLED)
    path = await start(app, mount)
    await app.services.account_setting.put(app.home, Setting.BLOB_MOUNTING, ENABLED)
    assert (await app.client.send("POST", f"/v2/app/blobs/uploads/{mount}")).status == 201
    await finish(app, path, DIGEST, CONTENT)


async def test_mounts_that_fail_are_uploads(app: RunningRegistry) -> None:
    await app.create_repository("source")
    for number, source in enumerate(
        ["", "&from=", "&from=source", "&from=none", "&from=UPPER", "&from=../x", "&from=app"]
    ):
        content = f"content {number}".encode()
        path = await start(app, f"?mount={digest_of(content)}{source}")
        await finish(app, path, digest_of(content), content)


async def test_mount_without_a_source_is_an_upload_even_if_others_have_it(app: RunningRegistry) -> None:
    await app.create_repository("source")
    await app.client.put_blob("source", CONTENT)
    await start(app, f"?mount={DIGEST}")


async def test_mount_of_no_digest(app: RunningRegistry) -> None:
    answer = await app.client.send("POST", "/v2/app/blobs/uploads/?mount=sha256:x&from=source")
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


async def test_same_blob_again(app: RunningRegistry) -> None:
    for _ in range(2):
        await finish(app, await start(app), body=CONTENT)
