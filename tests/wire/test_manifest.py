"""Manifests on /v2/: pull, push and delete by image tag and digest."""

import json

import pytest
from multidict import CIMultiDict

from tests.support.registry import RunningRegistry
from tests.support.wire import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Row,
    descriptor,
    digest_of,
    encode,
    image_manifest,
    index_manifest,
)
from tests.support.wire_rows import row_tests

MISSING = "sha256:" + "0" * 64
RAW = encode(image_manifest((digest_of(b"{}"), 2), [(digest_of(b"layer"), 5)]))
DIGEST = digest_of(RAW)
PULL = {
    "Content-Type": OCI_MANIFEST,
    "Content-Length": str(len(RAW)),
    "Docker-Content-Digest": DIGEST,
    "ETag": f'"{DIGEST}"',
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
}


def beside(count: int, separator: str = "") -> str:
    """That many tags, as a query or as the header that names them."""
    tags = [f"{number:0128}" for number in range(count)]
    return separator.join(tags) if separator else "&".join(f"tag={tag}" for tag in tags)


READS = [
    Row("by tag", "GET /v2/app/manifests/v1", 200, answer=PULL, answer_body=RAW),
    Row("by digest", f"GET /v2/app/manifests/{DIGEST}", 200, answer=PULL, answer_body=RAW),
    Row("encoded digest", f"GET /v2/app/manifests/{DIGEST.replace(':', '%3A')}", 200, answer=PULL),
    Row("head by tag", "HEAD /v2/app/manifests/v1", 200, answer=PULL, answer_body=b""),
    Row("head by digest", f"HEAD /v2/app/manifests/{DIGEST}", 200, answer=PULL, answer_body=b""),
    Row("unknown query", "GET /v2/app/manifests/v1?ns=example.com&x=%00", 200, answer=PULL),
    Row("accept anything", "GET /v2/app/manifests/v1", 200, {"Accept": "*/*"}),
    Row("accept a lone star", "GET /v2/app/manifests/v1", 200, {"Accept": "text/html, *; q=.2"}),
    Row("accept list", "GET /v2/app/manifests/v1", 200, {"Accept": f"{DOCKER_MANIFEST}, {OCI_MANIFEST};q=0.5"}),
    Row(
        "accept lines",
        "GET /v2/app/manifests/v1",
        200,
        CIMultiDict([("Accept", DOCKER_MANIFEST), ("Accept", OCI_MANIFEST)]),
    ),
    Row("accept other", "GET /v2/app/manifests/v1", 404, {"Accept": DOCKER_MANIFEST}, codes=("MANIFEST_UNKNOWN",)),
    Row("unchanged", "GET /v2/app/manifests/v1", 304, {"If-None-Match": f'W/"x", "{DIGEST}"'}, answer_body=b""),
    Row("changed", "GET /v2/app/manifests/v1", 200, {"If-None-Match": '"x"'}, answer_body=RAW),
    Row("no such tag", "GET /v2/app/manifests/v2", 404, codes=("MANIFEST_UNKNOWN",)),
    Row("no such digest", f"GET /v2/app/manifests/{MISSING}", 404, codes=("MANIFEST_UNKNOWN",)),
    Row("no such repository", "GET /v2/other/manifests/v1", 404, codes=("NAME_UNKNOWN",)),
    Row("head without repository", "HEAD /v2/other/manifests/v1", 404, answer_body=b""),
    Row("no digest", "GET /v2/app/manifests/sha256:baddigeststring", 400, codes=("DIGEST_INVALID",)),
    Row("upper-case digest", f"GET /v2/app/manifests/{DIGEST.upper()}", 400, codes=("DIGEST_INVALID",)),
    Row("md5", "GET /v2/app/manifests/md5:" + "0" * 32, 400, codes=("DIGEST_INVALID",)),
    Row("no tag", "GET /v2/app/manifests/-v1", 400, codes=("TAG_INVALID",)),
    Row("long tag", "GET /v2/app/manifests/" + "v" * 129, 400, codes=("TAG_INVALID",)),
    Row("no name", "GET /v2/App/manifests/v1", 400, codes=("NAME_INVALID",)),
    Row("encoded name", "GET /v2/%61pp/manifests/v1", 400, codes=("NAME_INVALID",)),
    Row("long name", f"GET /v2/{'a' * 300}/manifests/v1", 400, codes=("NAME_INVALID",)),
    Row("method", "POST /v2/app/manifests/v1", 405, codes=("UNSUPPORTED",), answer={"Allow": "GET, HEAD, PUT, DELETE"}),
]


async def fill(registry: RunningRegistry) -> None:
    """A repository with the blobs of the image."""
    await registry.create_repository("app")
    await registry.client.put_blob("app", b"{}")
    await registry.client.put_blob("app", b"layer")


async def fill_with_image(registry: RunningRegistry) -> None:
    """The same, with the image under the tag `v1`."""
    await fill(registry)
    await registry.client.put_manifest("app", "v1", RAW)


test_read, test_reads_on_postgresql = row_tests(READS, fill_with_image)


OCI = {"Content-Type": OCI_MANIFEST}
NO_LAYER = encode(image_manifest((digest_of(b"{}"), 2), [(MISSING, 5)]))
NO_CHILD = encode(index_manifest([(MISSING, 5)]))

PUSHES = [
    Row(
        "by tag",
        "PUT /v2/app/manifests/v1",
        201,
        OCI,
        RAW,
        answer={"Location": f"/v2/app/manifests/{DIGEST}", "Docker-Content-Digest": DIGEST, "OCI-Subject": None},
    ),
    Row("by digest", f"PUT /v2/app/manifests/{DIGEST}", 201, OCI, RAW, answer={"OCI-Tag": None}),
    Row("with tags", f"PUT /v2/app/manifests/{DIGEST}?tag=a&tag=b", 201, OCI, RAW, answer={"OCI-Tag": "a, b"}),
    Row("one tag twice", f"PUT /v2/app/manifests/{DIGEST}?tag=a&tag=a", 201, OCI, RAW, answer={"OCI-Tag": "a"}),
    Row(
        "many tags", f"PUT /v2/app/manifests/{DIGEST}?{beside(50)}", 201, OCI, RAW, answer={"OCI-Tag": beside(50, ", ")}
    ),
    Row("too many tags", f"PUT /v2/app/manifests/{DIGEST}?{beside(51)}", 414, OCI, RAW, codes=("UNSUPPORTED",)),
    Row("tags beside a tag", "PUT /v2/app/manifests/v1?tag=a", 201, OCI, RAW, answer={"OCI-Tag": None}),
    Row("parameters", "PUT /v2/app/manifests/v1", 201, {"Content-Type": OCI_MANIFEST + "; charset=utf-8"}, RAW),
    Row("no type", "PUT /v2/app/manifests/v1", 201, {}, RAW),
    Row("another digest", f"PUT /v2/app/manifests/{MISSING}", 400, OCI, RAW, codes=("DIGEST_INVALID",)),
    Row("no digest", "PUT /v2/app/manifests/sha256:bad", 400, OCI, RAW, codes=("DIGEST_INVALID",)),
    Row("no tag", "PUT /v2/app/manifests/.x", 400, OCI, RAW, codes=("TAG_INVALID",)),
    Row("no tag in query", f"PUT /v2/app/manifests/{DIGEST}?tag=-", 400, OCI, RAW, codes=("TAG_INVALID",)),
    Row("another type", "PUT /v2/app/manifests/v1", 400, {"Content-Type": OCI_INDEX}, RAW, codes=("MANIFEST_INVALID",)),
    Row(
        "unknown type",
        "PUT /v2/app/manifests/v1",
        400,
        {"Content-Type": "text/html"},
        b"{}",
        codes=("MANIFEST_INVALID",),
    ),
    Row("no JSON", "PUT /v2/app/manifests/v1", 400, OCI, b"<html>", codes=("MANIFEST_INVALID",)),
    Row("no body", "PUT /v2/app/manifests/v1", 400, OCI, b"", codes=("MANIFEST_INVALID",)),
    Row("deep JSON", "PUT /v2/app/manifests/v1", 400, OCI, b"[" * 100_000, codes=("MANIFEST_INVALID",)),
    Row("list", "PUT /v2/app/manifests/v1", 400, OCI, b"[]", codes=("MANIFEST_INVALID",)),
    Row("too large", "PUT /v2/app/manifests/v1", 413, OCI, b" " * (4 << 20) + b"1", codes=("MANIFEST_INVALID",)),
    Row("layer missing", "PUT /v2/app/manifests/v1", 404, OCI, NO_LAYER, codes=("MANIFEST_BLOB_UNKNOWN",)),
    Row("child missing", "PUT /v2/app/manifests/v1", 404, {}, NO_CHILD, codes=("MANIFEST_BLOB_UNKNOWN",)),
    Row("repository missing", "PUT /v2/other/manifests/v1", 404, OCI, RAW, codes=("NAME_UNKNOWN",)),
    Row("no name", "PUT /v2/a__-b/manifests/v1", 400, OCI, RAW, codes=("NAME_INVALID",)),
]


@pytest.mark.parametrize("row", PUSHES, ids=lambda row: row.what)
async def test_pushes(sqlite_registry: RunningRegistry, row: Row) -> None:
    await fill(sqlite_registry)
    await check_push(sqlite_registry, row)


async def test_pushes_on_postgresql(postgres_registry: RunningRegistry) -> None:
    await fill(postgres_registry)
    for row in PUSHES:
        await check_push(postgres_registry, row)


async def check_push(registry: RunningRegistry, row: Row) -> None:
    answer = await row.check(registry.client)
    if row.status == 201:
        assert (await registry.client.send("GET", answer.headers["Location"])).body == RAW


async def test_missing_layers_are_named(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    config = await registry.client.put_blob("app", b"{}")
    raw = encode(image_manifest((config, 2), [(MISSING, 1), (digest_of(b"x"), 1)]))
    answer = await registry.client.send("PUT", "/v2/app/manifests/v1", OCI, raw)
    assert [item["detail"]["digest"] for item in answer.json()["errors"]] == [MISSING, digest_of(b"x")]


async def test_subject(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    config = await registry.client.put_blob("app", b"{}")
    raw = encode(image_manifest((config, 2), [], subject=descriptor(OCI_MANIFEST, MISSING, 5)))
    answer = await registry.client.send("PUT", "/v2/app/manifests/v1", OCI, raw)
    assert (answer.status, answer.headers["OCI-Subject"]) == (201, MISSING)


async def test_sha512(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    config = await registry.client.put_blob("app", b"{}", "sha512")
    raw = encode(image_manifest((config, 2), []))
    digest = digest_of(raw, "sha512")
    pushed = await registry.client.send("PUT", f"/v2/app/manifests/{digest}?tag=v1", OCI, raw)
    assert (pushed.status, pushed.headers["Docker-Content-Digest"]) == (201, digest)
    pulled = await registry.client.send("GET", "/v2/app/manifests/v1")
    assert (pulled.body, pulled.headers["Docker-Content-Digest"]) == (raw, digest)


async def test_moving_a_tag(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1", b"one")
    two = await registry.client.put_image("app", "v1", b"two")
    assert (await registry.client.send("HEAD", "/v2/app/manifests/v1")).headers["Docker-Content-Digest"] == two


async def test_immutable_tags(registry: RunningRegistry) -> None:
    await registry.create_repository("app", mutability="IMMUTABLE")
    one = await registry.client.put_image("app", "v1", b"one")
    assert await registry.client.put_image("app", "v1", b"one") == one
    two = await registry.client.put_image("app", "v2", b"two")
    raw = (await registry.client.send("GET", f"/v2/app/manifests/{two}")).body
    refused = await registry.client.send("PUT", "/v2/app/manifests/v1", OCI, raw)
    assert (refused.status, refused.codes) == (400, ["TAG_INVALID"])
    assert "immutable" in refused.json()["errors"][0]["message"]
    assert (await registry.client.send("PUT", f"/v2/app/manifests/{two}", OCI, raw)).status == 201


async def test_tags_beside_a_digest_are_set_all_or_none(registry: RunningRegistry) -> None:
    await registry.create_repository("app", mutability="IMMUTABLE")
    await registry.client.put_image("app", "fixed", b"one")
    raw = encode(image_manifest((digest_of(b"{}"), 2), []))
    path = f"/v2/app/manifests/{digest_of(raw)}"
    refused = await registry.client.send("PUT", f"{path}?tag=before&tag=fixed&tag=other", OCI, raw)
    assert (refused.status, refused.codes) == (400, ["TAG_INVALID"])
    assert (await registry.client.send("GET", "/v2/app/tags/list")).json()["tags"] == ["fixed"]
    assert (await registry.client.send("GET", path)).status == 404


async def test_deletion_by_digest(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    digest = await registry.client.put_image("app", "v1")
    deleted = await registry.client.send("DELETE", f"/v2/app/manifests/{digest}")
    assert (deleted.status, deleted.body) == (202, b"")
    for reference in ("v1", digest):
        assert (await registry.client.send("GET", f"/v2/app/manifests/{reference}")).status == 404
        again = await registry.client.send("DELETE", f"/v2/app/manifests/{reference}")
        assert (again.status, again.codes) == (404, ["MANIFEST_UNKNOWN"])


async def test_deletion_by_tag_takes_the_image_with_the_last_one(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    digest = await registry.client.put_image("app", "v1")
    await registry.client.put_image("app", "v2")
    assert (await registry.client.send("DELETE", "/v2/app/manifests/v1")).status == 202
    assert (await registry.client.send("HEAD", "/v2/app/manifests/v1")).status == 404
    assert (await registry.client.send("HEAD", f"/v2/app/manifests/{digest}")).status == 200
    assert (await registry.client.send("DELETE", "/v2/app/manifests/v2")).status == 202
    assert (await registry.client.send("HEAD", f"/v2/app/manifests/{digest}")).status == 404


async def test_the_child_of_an_index_stays(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    child = await registry.client.put_image("app", "child")
    index = await registry.client.put_manifest("app", "v1", index_manifest([(child, 5)]))
    refused = await registry.client.send("DELETE", f"/v2/app/manifests/{child}")
    assert (refused.status, refused.codes) == (405, ["UNSUPPORTED"])
    assert (await registry.client.send("DELETE", f"/v2/app/manifests/{index}")).status == 202
    assert (await registry.client.send("DELETE", f"/v2/app/manifests/{child}")).status == 202


async def test_deletion_without_repository(registry: RunningRegistry) -> None:
    answer = await registry.client.send("DELETE", "/v2/app/manifests/v1")
    assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])


async def test_a_large_manifest(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    config = await registry.client.put_blob("app", b"{}")
    annotations = {f"large-{number}": "A" * 10_000 for number in range(390)}
    raw = json.dumps(image_manifest((config, 2), [], annotations=annotations)).encode()
    await registry.client.put_manifest("app", "v1", raw)
    assert (await registry.client.send("GET", "/v2/app/manifests/v1")).body == raw
