"""Whole lives of content on any registry: pushed, listed, looked up, pulled, queried, deleted, and gone at once.

Spec: OCI Distribution 1.1, and what comes after it for other digest algorithms and tags beside a digest.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.conformance.conftest import Subject
from tests.conformance.content import KINDS, Content, make
from tests.conformance.test_oci_distribution import ALGORITHMS, at, begin, is_published, some_bytes
from tests.support.wire import OCI_INDEX, Answer, digest_of, encode

ACCEPT = {"Accept": f"{OCI_INDEX}, application/vnd.oci.image.manifest.v1+json"}
OCTETS = {"Content-Type": "application/octet-stream"}


class Registry:
    """One repository of the registry under judgement, and what may be asked of it."""

    def __init__(self, subject: Subject, repository: str) -> None:
        self.subject = subject
        self.repository = repository
        self._ways = itertools.cycle([self._post_put, self._post, self._stream, self._chunks])

    async def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """A request below the repository."""
        return await self.subject.client.send(method, f"/v2/{self.repository}/{path}", headers, body)

    async def push_blob(self, digest: str, content: bytes) -> None:
        """Push in the next of the four ways; the Location leads to the blob."""
        await is_published(self.subject, await next(self._ways)(digest, content), digest, content)

    async def _post_put(self, digest: str, content: bytes) -> Answer:
        location = at(await begin(self.subject), f"digest={digest}")
        return await self.subject.client.send("PUT", location, OCTETS, content)

    async def _post(self, digest: str, content: bytes) -> Answer:
        answer = await self.send("POST", f"blobs/uploads/?digest={digest}", OCTETS, content)
        if answer.status != 202:
            return answer
        location = at(answer.headers["Location"], f"digest={digest}")
        return await self.subject.client.send("PUT", location, OCTETS, content)

    async def _stream(self, digest: str, content: bytes) -> Answer:
        answer = await self.subject.client.send("PATCH", at(await begin(self.subject)), OCTETS, content)
        assert answer.status == 202
        return await self.subject.client.send("PUT", at(answer.headers["Location"], f"digest={digest}"), OCTETS)

    async def _chunks(self, digest: str, content: bytes) -> Answer:
        location = await begin(self.subject)
        for start, part in chunks_of(content):
            header = {**OCTETS, "Content-Range": f"{start}-{start + len(part) - 1}"}
            answer = await self.subject.client.send("PATCH", at(location), header, part)
            assert (answer.status, answer.headers["Range"]) == (202, f"0-{start + len(part) - 1}")
            location = answer.headers["Location"]
        return await self.subject.client.send("PUT", at(location, f"digest={digest}"), OCTETS)

    async def push_manifest(self, reference: str, digest: str, raw: bytes, tags: list[str]) -> None:
        """Push by tag or digest, perhaps with tags beside it; the Location leads to the manifest."""
        document = json.loads(raw)
        query = "?" + "&".join(f"tag={tag}" for tag in tags) if tags else ""
        headers = {"Content-Type": document["mediaType"]}
        answer = await self.send("PUT", f"manifests/{reference}{query}", headers, raw)
        assert (answer.status, answer.headers.get("Docker-Content-Digest", digest)) == (201, digest), answer
        if subject := document.get("subject"):
            assert answer.headers["OCI-Subject"] == subject["digest"]
        named = ",".join(answer.headers.getall("OCI-Tag", ())).replace(" ", "").split(",")  # in one header or several
        assert set(tags) <= set(named)
        found = await self.subject.client.send("GET", at(answer.headers["Location"]), ACCEPT)
        assert (found.status, found.body) == (200, raw)

    async def is_gone(self, path: str) -> None:
        """Deleted, or deleted before with something else; in any case not there any more."""
        assert (await self.send("DELETE", path)).status in (202, 404)
        for method in ("HEAD", "GET"):
            assert (await self.send(method, path, ACCEPT)).status == 404, path


def chunks_of(content: bytes, parts: int = 3) -> Iterator[tuple[int, bytes]]:
    """Where each piece begins, and the piece."""
    size = len(content) // parts + 1
    for start in range(0, len(content), size):
        yield start, content[start : start + size]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", KINDS)
async def test_life(subject: Subject, kind: str, algorithm: str) -> None:
    content, registry = make(kind, algorithm), Registry(subject, subject.repository)
    await pushed(registry, content)
    await listed(registry, content)
    await looked_up(registry, content)
    await queried(registry, content)
    await deleted(registry, content)


async def pushed(registry: Registry, content: Content) -> None:
    for digest, data in content.blobs.items():
        await registry.push_blob(digest, data)
    for digest, raw in content.manifests.items():
        tags = [tag for tag, target in content.tags.items() if target == digest]
        await registry.push_manifest(digest, digest, raw, tags if content.has_tag_parameters else [])
        for tag in [] if content.has_tag_parameters else tags:
            await registry.push_manifest(tag, digest, raw, [])


async def listed(registry: Registry, content: Content) -> None:
    everything = (await registry.send("GET", "tags/list")).json()["tags"]
    assert set(content.tags) <= set(everything)
    if len(everything) > 1:
        known = sorted(everything)
        middle = len(known) // 2
        rest = (await registry.send("GET", f"tags/list?last={known[middle - 1]}")).json()["tags"]
        assert set(rest) == set(known[middle:])


async def looked_up(registry: Registry, content: Content) -> None:
    manifests = {**content.manifests, **{tag: content.manifests[digest] for tag, digest in content.tags.items()}}
    for reference, raw in manifests.items():
        kind, digest = json.loads(raw)["mediaType"], content.tags.get(reference, reference)
        await is_found(registry, f"manifests/{reference}", raw, {"Content-Type": kind, "Docker-Content-Digest": digest})
    for digest, data in content.blobs.items():
        await is_found(registry, f"blobs/{digest}", data, {"Docker-Content-Digest": digest})


async def is_found(registry: Registry, path: str, body: bytes, headers: dict[str, str]) -> None:
    """GET has the bytes, HEAD none, and their headers are the same."""
    got, head = [await registry.send(method, path, ACCEPT) for method in ("GET", "HEAD")]
    assert (got.status, got.body, head.status, head.body) == (200, body, 200, b"")
    for answer in (got, head):
        assert {name: answer.headers[name] for name in headers} == headers
        assert answer.headers["Content-Length"] == str(len(body))
    passing = {"Date", "X-Request-Id"}
    assert {**got.headers}.keys() - passing == {**head.headers}.keys() - passing


async def queried(registry: Registry, content: Content) -> None:
    for about, wanted in content.referrers.items():
        answer = await registry.send("GET", f"referrers/{about}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, OCI_INDEX)
        shown = {item["digest"]: item for item in answer.json()["manifests"]}
        assert [shown.get(item["digest"]) for item in wanted] == wanted
        for kind in {item["artifactType"] for item in wanted if "artifactType" in item}:
            filtered = await registry.send("GET", f"referrers/{about}?artifactType={quote(kind)}")
            assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
            kept = {item["digest"] for item in filtered.json()["manifests"]}
            assert kept == {item["digest"] for item in shown.values() if item.get("artifactType") == kind}


async def deleted(registry: Registry, content: Content) -> None:
    tags = list(content.tags)
    secrets.SystemRandom().shuffle(tags)
    for tag in tags:
        await registry.is_gone(f"manifests/{tag}")
    for digest in reversed(content.manifests):
        await registry.is_gone(f"manifests/{digest}")
    for digest, data in content.blobs.items():
        # What other content of the repository names as well may have to stay.
        if data != b"{}" or (await registry.send("DELETE", f"blobs/{digest}")).status != 405:
            await registry.is_gone(f"blobs/{digest}")
    assert not set(tags) & set((await registry.send("GET", "tags/list")).json()["tags"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("last_in_put", [False, True])
async def test_chunks_out_of_order_on_the_way(subject: Subject, algorithm: str, last_in_put: bool) -> None:
    """Before each right chunk a wrong one: 416, and the session still stands where it stood."""
    content, client = some_bytes(3067), subject.client
    digest = digest_of(content, algorithm)
    location = at(await begin(subject))
    parts = list(chunks_of(content))
    for number, (start, part) in enumerate(parts):
        is_last = last_in_put and number == len(parts) - 1
        wrong_start, wrong = parts[number + 1] if number + 1 < len(parts) else parts[0]
        for method, path in (("PATCH", location), ("PUT", at(location, f"digest={digest}"))):
            header = {**OCTETS, "Content-Range": f"{wrong_start}-{wrong_start + len(wrong) - 1}"}
            assert (await client.send(method, path, header, wrong)).status == 416
        status = await client.send("GET", location)
        assert (status.status, status.headers["Range"]) == (204, f"0-{max(0, start - 1)}")
        location = at(status.headers["Location"])
        header = {**OCTETS, "Content-Range": f"{start}-{start + len(part) - 1}"}
        path = at(location, f"digest={digest}") if is_last else location
        answer = await client.send("PUT" if is_last else "PATCH", path, header, part)
        if is_last:
            return await is_published(subject, answer, digest, content)
        assert answer.status == 202
        location = at(answer.headers["Location"])
    answer = await client.send("PUT", at(location, f"digest={digest}"))
    return await is_published(subject, answer, digest, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_mounted_blobs_live_on_their_own(subject: Subject, algorithm: str) -> None:
    content = some_bytes()
    digest = digest_of(content, algorithm)
    here, there = Registry(subject, subject.repository), Registry(subject, subject.other_repository)
    started = await there.send("POST", "blobs/uploads/")
    await subject.client.send("PUT", at(started.headers["Location"], f"digest={digest}"), OCTETS, content)
    mounted = await here.send("POST", f"blobs/uploads/?mount={digest}&from={there.repository}")
    if mounted.status == 202:
        mounted = await subject.client.send("PUT", at(mounted.headers["Location"], f"digest={digest}"), OCTETS, content)
    await is_published(subject, mounted, digest, content)
    await there.is_gone(f"blobs/{digest}")
    await is_found(here, f"blobs/{digest}", content, {"Docker-Content-Digest": digest})
    await here.is_gone(f"blobs/{digest}")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("source", ["", "&from={}"])
async def test_a_mount_of_nothing_goes_on_as_an_upload(subject: Subject, algorithm: str, source: str) -> None:
    content = some_bytes()
    digest = digest_of(content, algorithm)
    here = Registry(subject, subject.repository)
    answer = await here.send("POST", f"blobs/uploads/?mount={digest}{source.format(subject.other_repository)}")
    assert answer.status == 202
    answer = await subject.client.send("PUT", at(answer.headers["Location"], f"digest={digest}"), OCTETS, content)
    await is_published(subject, answer, digest, content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_manifest_that_is_not_its_digest(subject: Subject, algorithm: str) -> None:
    content, registry = make("untagged", algorithm), Registry(subject, subject.repository)
    for digest, data in content.blobs.items():
        await registry.push_blob(digest, data)
    digest, raw = next(iter(content.manifests.items()))
    for reference in (digest, f"{algorithm}:baddigeststring"):
        kind = {"Content-Type": json.loads(raw)["mediaType"]}
        answer = await registry.send("PUT", f"manifests/{reference}", kind, raw + b"  ")
        assert (answer.status, bool(answer.codes)) == (400, True)
    assert (await registry.send("GET", f"manifests/{digest}")).status == 404


async def test_lists_of_an_empty_repository(subject: Subject) -> None:
    registry = Registry(subject, subject.other_repository)
    answer = await registry.send("GET", "tags/list")
    assert answer.status in (200, 404)
    for digest in (digest_of(some_bytes()), digest_of(some_bytes(), "sha512")):
        answer = await registry.send("GET", f"referrers/{digest}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, OCI_INDEX)
        assert answer.json()["manifests"] == []
    assert (await registry.send("GET", "referrers/sha256:baddigeststring")).status == 400


async def test_referrers_are_never_404(subject: Subject) -> None:
    """A 404 would say that there is no such API."""
    registry = Registry(subject, f"{subject.repository}-{secrets.token_hex(4)}")
    answer = await registry.send("GET", f"referrers/{digest_of(some_bytes())}")
    assert (answer.status, answer.json()["manifests"]) == (200, [])


async def test_lists_under_fallback_tags(subject: Subject) -> None:
    """Clients that know no referrers API keep an index under `sha256-<hex>`."""
    registry, content = Registry(subject, subject.repository), Content()
    about = content.image()
    referrer = content.image()
    content.index([referrer], about["digest"].replace(":", "-"))
    await pushed(registry, content)
    await looked_up(registry, content)
    await deleted(registry, content)


async def test_what_is_not_there_cannot_be_deleted(subject: Subject) -> None:
    registry = Registry(subject, subject.repository)
    for path in (f"manifests/{digest_of(some_bytes())}", f"blobs/{digest_of(some_bytes())}", "manifests/no-such-tag"):
        assert (await registry.send("DELETE", path)).status == 404


async def test_names_and_tags_of_the_greatest_length(subject: Subject) -> None:
    registry, content = Registry(subject, subject.repository), Content()
    content.image("_" + "A1.-" * 31 + "abc")
    await pushed(registry, content)
    await looked_up(registry, content)
    raw = next(iter(content.manifests.values()))
    kind = {"Content-Type": json.loads(raw)["mediaType"]}
    assert (await registry.send("PUT", f"manifests/{'t' * 129}", kind, raw)).status in (400, 404)
    await deleted(registry, content)


async def test_media_types_with_parameters(subject: Subject) -> None:
    content, registry = make("image", "sha256"), Registry(subject, subject.repository)
    for digest, data in content.blobs.items():
        await registry.push_blob(digest, data)
    (digest, raw), kind = next(iter(content.manifests.items())), "application/vnd.oci.image.manifest.v1+json"
    pushed_as = await registry.send("PUT", f"manifests/{digest}", {"Content-Type": f"{kind}; charset=utf-8"}, raw)
    assert pushed_as.status == 201
    for accept in ({}, {"Accept": "*/*"}, {"Accept": f"{kind};q=0.5, text/html"}):
        found = await registry.send("GET", f"manifests/{digest}", accept)
        assert (found.status, found.headers["Content-Type"], found.body) == (200, kind, raw)


async def test_uploads_at_once_do_not_meet(subject: Subject) -> None:
    first, second = some_bytes(), some_bytes()
    paths = [at(await begin(subject)) for _ in range(2)]
    assert paths[0] != paths[1]
    for path, content in zip(paths, (first, second), strict=True):
        assert (await subject.client.send("PATCH", path, OCTETS, content)).status == 202
    for path, content in zip(paths, (first, second), strict=True):
        digest = digest_of(content)
        await is_published(subject, await subject.client.send("PUT", at(path, f"digest={digest}")), digest, content)


async def test_a_manifest_names_what_it_misses(subject: Subject) -> None:
    """If a registry refuses it, then with MANIFEST_BLOB_UNKNOWN."""
    content, registry = make("image", "sha256"), Registry(subject, subject.repository)
    raw = next(iter(content.manifests.values()))
    answer = await registry.send("PUT", "manifests/incomplete", {"Content-Type": json.loads(raw)["mediaType"]}, raw)
    assert answer.status == 201 or "MANIFEST_BLOB_UNKNOWN" in answer.codes, encode(answer.json())
