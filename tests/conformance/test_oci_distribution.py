"""The requirements of OCI Distribution 1.1, asked over HTTP of any registry: pull, push, discovery, management.

Each test names the section it stands for. What a registry may choose is accepted either way.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.conftest import Subject
from tests.support.wire import (
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Answer,
    descriptor,
    digest_of,
    encode,
    image_manifest,
    index_manifest,
)

ALGORITHMS = ["sha256", "sha512"]
ACCEPT = {"Accept": f"{OCI_INDEX}, {OCI_MANIFEST}"}


def some_bytes(size: int = 512) -> bytes:
    return secrets.token_bytes(size)


def some_tag() -> str:
    return f"tag-{secrets.token_hex(6)}"


def at(location: str, query: str = "") -> str:
    """A Location, absolute or not, with one more query field."""
    parts = urlsplit(location)
    path = location if parts.scheme else parts.path + (f"?{parts.query}" if parts.query else "")
    return path + (("&" if "?" in path else "?") + query if query else "")


async def begin(subject: Subject, query: str = "") -> str:
    answer = await subject.client.send("POST", f"/v2/{subject.repository}/blobs/uploads/{query}")
    assert answer.status == 202
    return answer.headers["Location"]


async def is_published(subject: Subject, answer: Answer, digest: str, content: bytes) -> None:
    """201, and the blob is where Location says."""
    assert answer.status == 201, answer
    assert answer.headers.get("Docker-Content-Digest", digest) == digest
    found = await subject.client.send("GET", at(answer.headers["Location"]))
    assert (found.status, found.body) == (200, content)
    head = await subject.client.send("HEAD", f"/v2/{subject.repository}/blobs/{digest}")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(len(content)), b"")


async def push(subject: Subject, content: bytes, algorithm: str = "sha256") -> str:
    digest = digest_of(content, algorithm)
    answer = await subject.client.send("PUT", at(await begin(subject), f"digest={digest}"), body=content)
    assert answer.status == 201
    return digest


async def push_manifest(subject: Subject, reference: str, document: dict[str, Any]) -> Answer:
    return await subject.client.send(
        "PUT",
        f"/v2/{subject.repository}/manifests/{reference}",
        {"Content-Type": document["mediaType"]},
        encode(document),
    )


async def some_image(judged: Subject, algorithm: str = "sha256", **members: Any) -> dict[str, Any]:
    """A manifest whose blobs are pushed."""
    config, layer = some_bytes(), some_bytes()
    return image_manifest(
        (await push(judged, config, algorithm), len(config)),
        [(await push(judged, layer, algorithm), len(layer))],
        **members,
    )


async def is_pulled(subject: Subject, reference: str, document: dict[str, Any], digest: str) -> None:
    raw = encode(document)
    for method, body in (("GET", raw), ("HEAD", b"")):
        answer = await subject.client.send(method, f"/v2/{subject.repository}/manifests/{reference}", ACCEPT)
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["Content-Type"] == document["mediaType"]
        assert answer.headers["Content-Length"] == str(len(raw))
        assert answer.headers.get("Docker-Content-Digest", digest) == digest


# ── determining support ──────────────────────────────────────────────────────────────────────


async def test_base(subject: Subject) -> None:
    assert (await subject.client.send("GET", "/v2/")).status == 200


# ── pull ─────────────────────────────────────────────────────────────────────────────────────


async def test_missing_content_is_404(subject: Subject) -> None:
    missing = digest_of(some_bytes())
    for method in ("GET", "HEAD"):
        for path in (f"manifests/{some_tag()}", f"manifests/{missing}", f"blobs/{missing}"):
            answer = await subject.client.send(method, f"/v2/{subject.repository}/{path}", ACCEPT)
            assert answer.status == 404
            if method == "GET" and answer.body:
                assert {"code", "message"} <= set(answer.json()["errors"][0]) | {"message"}


async def test_malformed_digests_are_refused(subject: Subject) -> None:
    for path in ("manifests/sha256:baddigeststring", "blobs/sha256:totallywrong"):
        assert (await subject.client.send("GET", f"/v2/{subject.repository}/{path}")).status in (400, 404)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_ranges(subject: Subject, algorithm: str) -> None:
    content = some_bytes(2048)
    path = f"/v2/{subject.repository}/blobs/{await push(subject, content, algorithm)}"
    for header, start, end in (
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, 2048),
        ("bytes=-500", 1548, 2048),
        ("bytes=2000-5000", 2000, 2048),
    ):
        answer = await subject.client.send("GET", path, {"Range": header})
        assert (answer.status, answer.body) == (206, content[start:end])
        assert answer.headers["Content-Length"] == str(end - start)
        assert answer.headers["Content-Range"] in (f"bytes {start}-{end - 1}/2048", f"bytes {start}-{end - 1}/*")
    for header in ("bytes=500-0", "bytes=5000-10000"):
        assert (await subject.client.send("GET", path, {"Range": header})).status == 416


# ── push: blobs ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("content", [b"", b"{}", some_bytes(100_000)], ids=["empty", "json", "large"])
async def test_post_then_put(subject: Subject, algorithm: str, content: bytes) -> None:
    digest = digest_of(content, algorithm)
    answer = await subject.client.send("PUT", at(await begin(subject), f"digest={digest}"), body=content)
    await is_published(subject, answer, digest, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_single_post(subject: Subject, algorithm: str) -> None:
    content = some_bytes()
    digest = digest_of(content, algorithm)
    path = f"/v2/{subject.repository}/blobs/uploads/?digest={digest}"
    answer = await subject.client.send("POST", path, {"Content-Type": "application/octet-stream"}, content)
    assert answer.status in (201, 202)
    if answer.status == 201:
        await is_published(subject, answer, digest, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("last_in_put", [False, True])
@pytest.mark.parametrize("asks", [False, True], ids=["", "algorithm asked for"])
async def test_chunks(subject: Subject, algorithm: str, last_in_put: bool, asks: bool) -> None:
    content, size = some_bytes(3 * 65_536 - 5), 65_536
    digest = digest_of(content, algorithm)
    path = at(await begin(subject, f"?digest-algorithm={algorithm}" if asks else ""))
    for start in range(0, len(content), size):
        part = content[start : start + size]
        header = {"Content-Range": f"{start}-{start + len(part) - 1}", "Content-Type": "application/octet-stream"}
        if last_in_put and start + len(part) == len(content):
            return await is_published(
                subject, await subject.client.send("PUT", at(path, f"digest={digest}"), header, part), digest, content
            )
        answer = await subject.client.send("PATCH", path, header, part)
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{start + len(part) - 1}")
        path = at(answer.headers["Location"])
    await is_published(subject, await subject.client.send("PUT", at(path, f"digest={digest}")), digest, content)
    return None


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_chunks_out_of_order(subject: Subject, method: str) -> None:
    content = some_bytes(1000)
    digest = digest_of(content)
    path = at(await begin(subject))
    for start, end in ((0, 400), (400, 1000)):
        wrong = at(path, f"digest={digest}") if method == "PUT" else path
        refused = await subject.client.send(
            method, wrong, {"Content-Range": f"{start + 100}-{end + 99}"}, content[start:end]
        )
        assert refused.status == 416
        status = await subject.client.send("GET", path)
        assert status.status == 204
        assert status.headers["Range"].startswith("0-")
        if start:
            assert status.headers["Range"] == f"0-{start - 1}"
        path = at(status.headers["Location"])
        answer = await subject.client.send("PATCH", path, {"Content-Range": f"{start}-{end - 1}"}, content[start:end])
        assert answer.status == 202
        path = at(answer.headers["Location"])
    await is_published(subject, await subject.client.send("PUT", at(path, f"digest={digest}")), digest, content)


async def test_stream(subject: Subject) -> None:
    content = some_bytes(100_000)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 7_000):
            yield content[start : start + 7_000]

    answer = await subject.client.send("PATCH", at(await begin(subject)), body=pieces())
    assert answer.status == 202
    digest = digest_of(content)
    done = await subject.client.send("PUT", at(answer.headers["Location"], f"digest={digest}"))
    await is_published(subject, done, digest, content)


@pytest.mark.parametrize("way", ["post", "put", "patch", "put chunk"])
async def test_wrong_digests(subject: Subject, way: str) -> None:
    content, digest = some_bytes(), digest_of(some_bytes())
    if way == "post":
        answer = await subject.client.send(
            "POST", f"/v2/{subject.repository}/blobs/uploads/?digest={digest}", body=content
        )
        assert answer.status in (400, 202)
        return
    path = at(await begin(subject))
    if way in ("patch", "put chunk"):
        answer = await subject.client.send("PATCH", path, {"Content-Range": "0-99"}, content[:100])
        path = at(answer.headers["Location"])
    rest: bytes | None = {"put": content, "patch": None, "put chunk": content[100:]}[way]
    headers = {"Content-Range": f"100-{len(content) - 1}"} if way == "put chunk" else {}
    assert (await subject.client.send("PUT", at(path, f"digest={digest}"), headers, rest)).status == 400
    assert (await subject.client.send("HEAD", f"/v2/{subject.repository}/blobs/{digest}")).status == 404


async def test_cancel(subject: Subject) -> None:
    path = at(await begin(subject))
    assert (await subject.client.send("DELETE", path)).status == 204
    assert (await subject.client.send("GET", path)).status == 404


async def test_mount(subject: Subject) -> None:
    content = some_bytes()
    digest = digest_of(content)
    started = await subject.client.send("POST", f"/v2/{subject.other_repository}/blobs/uploads/")
    await subject.client.send("PUT", at(started.headers["Location"], f"digest={digest}"), body=content)
    answer = await subject.client.send(
        "POST", f"/v2/{subject.repository}/blobs/uploads/?mount={digest}&from={subject.other_repository}"
    )
    assert answer.status in (201, 202)
    if answer.status == 201:
        await is_published(subject, answer, digest, content)


@pytest.mark.parametrize("source", ["", "&from={other}"])
async def test_mount_of_what_is_not_there(subject: Subject, source: str) -> None:
    digest = digest_of(some_bytes())
    query = f"?mount={digest}{source.format(other=subject.other_repository)}"
    answer = await subject.client.send("POST", f"/v2/{subject.repository}/blobs/uploads/{query}")
    assert (answer.status, bool(answer.headers["Location"])) == (202, True)


# ── push: manifests ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_manifest_by_digest(subject: Subject, algorithm: str) -> None:
    document = await some_image(subject, algorithm)
    digest = digest_of(encode(document), algorithm)
    answer = await push_manifest(subject, digest, document)
    assert answer.status == 201
    found = await subject.client.send("GET", at(answer.headers["Location"]), ACCEPT)
    assert found.body == encode(document)
    await is_pulled(subject, digest, document, digest)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_tags_beside_a_digest(subject: Subject, algorithm: str) -> None:
    document, tags = await some_image(subject, algorithm), [some_tag(), some_tag()]
    digest = digest_of(encode(document), algorithm)
    answer = await push_manifest(subject, f"{digest}?tag={tags[0]}&tag={tags[1]}", document)
    assert answer.status == 201
    assert {tag.strip() for tag in answer.headers["OCI-Tag"].split(",")} == set(tags)
    for tag in tags:
        await is_pulled(subject, tag, document, digest)


async def test_manifest_by_tag(subject: Subject) -> None:
    document, tag = await some_image(subject), some_tag()
    assert (await push_manifest(subject, tag, document)).status == 201
    await is_pulled(subject, tag, document, digest_of(encode(document)))
    other = await some_image(subject)
    assert (await push_manifest(subject, tag, other)).status == 201
    await is_pulled(subject, tag, other, digest_of(encode(other)))


async def test_kinds_of_manifest(subject: Subject) -> None:
    image = await some_image(subject)
    raw = encode(image)
    child = digest_of(raw)
    assert (await push_manifest(subject, child, image)).status == 201
    config = (await push(subject, b"{}"), 2)
    index = index_manifest([(child, len(raw))])
    empty = descriptor(OCI_EMPTY, digest_of(b"{}"), 2)
    documents = {
        "index": index,
        "empty index": index_manifest([]),
        "no layers": image_manifest(config, []),
        "artifact": {
            **image_manifest(config, []),
            "artifactType": "application/x",
            "config": empty,
            "layers": [empty],
        },
        "data field": {**image_manifest(config, []), "config": {**descriptor(OCI_EMPTY, *config), "data": "e30="}},
        "custom fields": {**image, "org.example.custom": {"anything": [1, None]}},
        "foreign layers": {
            **image_manifest(config, []),
            "layers": [
                {
                    **descriptor(OCI_LAYER.replace("layer", "layer.nondistributable"), digest_of(some_bytes()), 123),
                    "urls": ["https://example.com/x"],
                }
            ],
        },
        "large": image_manifest(config, [], annotations={f"a{n}": "A" * 10_000 for n in range(390)}),
    }
    for name, document in documents.items():
        tag = some_tag()
        answer = await push_manifest(subject, tag, document)
        assert answer.status == 201, (name, answer)
        await is_pulled(subject, tag, document, digest_of(encode(document)))
    nested = index_manifest([])
    nested["manifests"] = [descriptor(OCI_INDEX, digest_of(encode(index)), len(encode(index)))]
    tag = some_tag()
    assert (await push_manifest(subject, tag, nested)).status == 201
    await is_pulled(subject, tag, nested, digest_of(encode(nested)))


async def test_refused_manifests(subject: Subject) -> None:
    document = await some_image(subject)
    for reference in (digest_of(some_bytes()), "sha256:baddigeststring"):
        assert (await push_manifest(subject, reference, document)).status == 400
    answer = await subject.client.send(
        "PUT", f"/v2/{subject.repository}/manifests/{some_tag()}", {"Content-Type": OCI_MANIFEST}, b"blablabla"
    )
    assert answer.status == 400
    assert answer.codes


# ── content discovery ────────────────────────────────────────────────────────────────────────


async def test_tags(subject: Subject) -> None:
    document = await some_image(subject)
    tags = sorted(some_tag() for _ in range(4))
    for tag in tags:
        assert (await push_manifest(subject, tag, document)).status == 201
    listed = await subject.client.send("GET", f"/v2/{subject.repository}/tags/list")
    everything = listed.json()["tags"]
    assert listed.status == 200
    assert set(tags) <= set(everything)
    assert everything == sorted(everything, key=str.lower)
    two = await subject.client.send("GET", f"/v2/{subject.repository}/tags/list?n=2")
    assert two.json()["tags"] == everything[:2]
    after = await subject.client.send("GET", f"/v2/{subject.repository}/tags/list?n=1&last={tags[0]}")
    assert after.json()["tags"] == [everything[everything.index(tags[0]) + 1]]
    none = await subject.client.send("GET", f"/v2/{subject.repository}/tags/list?n=0")
    assert (none.json()["tags"], "Link" in none.headers) == ([], False)


async def test_no_referrers(subject: Subject) -> None:
    answer = await subject.client.send("GET", f"/v2/{subject.repository}/referrers/{digest_of(some_bytes())}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, OCI_INDEX)
    assert (answer.json()["schemaVersion"], answer.json()["mediaType"]) == (2, OCI_INDEX)
    assert answer.json()["manifests"] == []


@pytest.mark.parametrize("exists", [True, False])
async def test_referrers(subject: Subject, exists: bool) -> None:
    document = await some_image(subject)
    raw = encode(document)
    about = descriptor(OCI_MANIFEST, digest_of(raw), len(raw))
    kinds = {"application/x-one": "1", "application/x-two": "2"}
    pushed: dict[str, dict[str, Any]] = {}
    for kind, note in kinds.items():
        referrer = await some_image(subject, subject=about, artifactType=kind, annotations={"note": note})
        answer = await push_manifest(subject, digest_of(encode(referrer)), referrer)
        assert (answer.status, answer.headers["OCI-Subject"]) == (201, about["digest"])
        pushed[kind] = {
            **descriptor(OCI_MANIFEST, digest_of(encode(referrer)), len(encode(referrer))),
            "artifactType": kind,
            "annotations": {"note": note},
        }
    if exists:
        assert (await push_manifest(subject, about["digest"], document)).status == 201
    path = f"/v2/{subject.repository}/referrers/{about['digest']}"
    listed = (await subject.client.send("GET", path)).json()["manifests"]
    assert sorted(listed, key=lambda item: item["artifactType"]) == list(pushed.values())
    for kind, entry in pushed.items():
        filtered = await subject.client.send("GET", f"{path}?artifactType={kind}")
        assert filtered.json()["manifests"] == [entry]
        assert filtered.headers["OCI-Filters-Applied"] == "artifactType"


# ── content management ───────────────────────────────────────────────────────────────────────


async def test_deletion(subject: Subject) -> None:
    document, tag = await some_image(subject), some_tag()
    digest = digest_of(encode(document))
    assert (await push_manifest(subject, tag, document)).status == 201
    assert (await push_manifest(subject, f"{tag}-2", document)).status == 201
    by_tag = await subject.client.send("DELETE", f"/v2/{subject.repository}/manifests/{tag}")
    assert by_tag.status == 202
    assert (await subject.client.send("HEAD", f"/v2/{subject.repository}/manifests/{tag}")).status == 404
    by_digest = await subject.client.send("DELETE", f"/v2/{subject.repository}/manifests/{digest}")
    assert by_digest.status == 202
    for reference in (digest, f"{tag}-2"):
        assert (await subject.client.send("HEAD", f"/v2/{subject.repository}/manifests/{reference}")).status == 404
    listed = (await subject.client.send("GET", f"/v2/{subject.repository}/tags/list")).json()["tags"]
    assert not {tag, f"{tag}-2"} & set(listed)
    for blob in (document["config"], *document["layers"]):
        path = f"/v2/{subject.repository}/blobs/{blob['digest']}"
        assert (await subject.client.send("DELETE", path)).status in (202, 405)
        assert (
            await subject.client.send("DELETE", f"/v2/{subject.repository}/blobs/{digest_of(some_bytes())}")
        ).status in (
            404,
            405,
        )


async def test_every_tag_of_an_index_and_its_children_can_go(subject: Subject) -> None:
    image = await some_image(subject)
    raw, tags = encode(image), [some_tag(), some_tag()]
    assert (await push_manifest(subject, tags[0], image)).status == 201
    assert (await push_manifest(subject, tags[1], index_manifest([(digest_of(raw), len(raw))]))).status == 201
    for tag in tags:
        assert (await subject.client.send("DELETE", f"/v2/{subject.repository}/manifests/{tag}")).status == 202
        assert (await subject.client.send("HEAD", f"/v2/{subject.repository}/manifests/{tag}")).status == 404
