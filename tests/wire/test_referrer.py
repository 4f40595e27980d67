"""Referrers on /v2/."""

from tests.support.registry import RunningRegistry
from tests.support.wire import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, descriptor, image_manifest, index_manifest

MISSING = "sha256:" + "0" * 64
EMPTY = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


async def test_none(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    answer = await registry.client.send("GET", f"/v2/app/referrers/{MISSING}")
    assert (answer.status, answer.headers["Content-Type"], answer.json()) == (200, OCI_INDEX, EMPTY)
    assert "OCI-Filters-Applied" not in answer.headers


async def test_none_in_a_repository_that_does_not_exist(registry: RunningRegistry) -> None:
    """A 404 would tell clients that there is no such API."""
    for query in ("", "?artifactType=application/a"):
        answer = await registry.client.send("GET", f"/v2/none/referrers/{MISSING}{query}")
        assert (answer.status, answer.headers["Content-Type"], answer.json()) == (200, OCI_INDEX, EMPTY)


async def test_refusals(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    for path, status, codes in (
        ("/v2/NONE/referrers/" + MISSING, 400, ["NAME_INVALID"]),
        ("/v2/app/referrers/sha256:" + "A" * 64, 400, ["DIGEST_INVALID"]),
        ("/v2/app/referrers/latest", 400, ["DIGEST_INVALID"]),
        (f"/v2/app/referrers/{MISSING}?next=%00", 400, ["UNSUPPORTED"]),
        (f"/v2/app/referrers/{MISSING}?artifactType=%00", 400, ["UNSUPPORTED"]),
        (f"/v2/app/referrers/{MISSING}?next=W1tdXQ==", 400, ["UNSUPPORTED"]),
        (f"/v2/app/referrers/{MISSING}?next=W10=", 400, ["UNSUPPORTED"]),  # []
        (f"/v2/app/referrers/{MISSING}?next=W3RydWVd", 400, ["UNSUPPORTED"]),  # [true]
        (f"/v2/app/referrers/{MISSING}?next=WzEsMl0=", 400, ["UNSUPPORTED"]),  # [1,2]
    ):
        answer = await registry.client.send("GET", path)
        assert (answer.status, answer.codes) == (status, codes)


async def test_listed_with_everything_they_say(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    client = registry.client
    config = await client.put_blob("app", b"{}")
    subject = descriptor(OCI_MANIFEST, await client.put_image("app", "v1"), 5)
    documents = [
        image_manifest((config, 2), [], subject=subject),
        image_manifest((config, 2), [], subject=subject, artifactType="application/a", annotations={"k": "v"}),
        index_manifest([], subject=subject, artifactType="application/b"),
    ]
    digests = [await client.put_manifest("app", f"r{n}", document) for n, document in enumerate(documents)]
    answer = await client.send("GET", f"/v2/app/referrers/{subject['digest']}")
    found = {item["digest"]: item for item in answer.json()["manifests"]}
    assert set(found) == set(digests)
    assert found[digests[0]]["artifactType"] == "application/vnd.oci.image.config.v1+json"
    assert "annotations" not in found[digests[0]]
    second = found[digests[1]]
    assert (second["artifactType"], second["annotations"]) == ("application/a", {"k": "v"})
    assert (found[digests[2]]["mediaType"], found[digests[2]]["artifactType"]) == (OCI_INDEX, "application/b")
    filtered = await client.send("GET", f"/v2/app/referrers/{subject['digest']}?artifactType=application/a")
    assert [item["digest"] for item in filtered.json()["manifests"]] == [digests[1]]
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    suffix = "application/vnd.oci.image.config.v1+json"
    for sent in (suffix, suffix.replace("+", "%2B")):
        plain = await client.send("GET", f"/v2/app/referrers/{subject['digest']}?artifactType={sent}")
        assert [item["digest"] for item in plain.json()["manifests"]] == [digests[0]]
    nothing = await client.send("GET", f"/v2/app/referrers/{subject['digest']}?artifactType=application/none")
    assert (nothing.json(), nothing.headers["OCI-Filters-Applied"]) == (EMPTY, "artifactType")


async def test_pages(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    client = registry.client
    config = await client.put_blob("app", b"{}")
    subject = descriptor(OCI_MANIFEST, MISSING, 5)
    digests = {
        await client.put_manifest(
            "app", f"r{n}", image_manifest((config, 2), [], subject=subject, annotations={"n": str(n)})
        )
        for n in range(5)
    }
    kinds = "&".join(f"artifactType={kind}" for kind in ("application/other", OCI_CONFIG))
    for query in ("", f"&{kinds}"):
        path, seen = f"/v2/app/referrers/{MISSING}?n=2{query}", []
        while path:
            answer = await client.send("GET", path)
            seen += [item["digest"] for item in answer.json()["manifests"]]
            path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
        assert (len(seen), set(seen)) == (5, digests)
