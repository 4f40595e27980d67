"""Download URLs: layers for whoever holds the URL, until it expires or the layer is gone."""

import pytest
from sqlalchemy import update

from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageStatus
from entrepot.domain.repository import RepositoryName
from entrepot.store.metadata.schema import manifest
from tests.support.registry import RunningRegistry
from tests.support.wire import digest_of, image_manifest

CONTENT = bytes(range(256)) * 8
DIGEST = digest_of(CONTENT)


@pytest.fixture
async def path(registry: RunningRegistry) -> str:
    """A URL's path and query for a layer of an image."""
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1", CONTENT)
    return await registry.services.blob.sign_download(registry.home, RepositoryName("app"), Digest.parse(DIGEST))


async def test_whole_and_in_part(registry: RunningRegistry, path: str) -> None:
    assert path.startswith(f"/layers/{registry.home.account_id}/{registry.home.region}/{DIGEST}?")
    whole = await registry.client.send("GET", path, {"Authorization": ""})
    assert (whole.status, whole.body) == (200, CONTENT)
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Content-Disposition"] == "attachment"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    head = await registry.client.send("HEAD", path, {"Authorization": ""})
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "2048", b"")
    part = await registry.client.send("GET", path, {"Authorization": "", "Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, CONTENT[10:20])


async def test_authorization_is_nobodys_business(registry: RunningRegistry, path: str) -> None:
    for authorization in ("Basic eA==", "Bearer x", "AWS4-HMAC-SHA256 Credential=x"):
        assert (await registry.client.send("GET", path, {"Authorization": authorization})).status == 200


async def test_expiry(registry: RunningRegistry, path: str) -> None:
    registry.clock.advance(3590)
    assert (await registry.client.send("GET", path)).status == 200
    registry.clock.advance(20)
    answer = await registry.client.send("GET", path)
    assert (answer.status, answer.codes) == (403, ["DENIED"])


async def test_alterations(registry: RunningRegistry, path: str) -> None:
    location, _, query = path.partition("?")
    altered = [
        location,
        f"{location}?",
        f"{location}?{query}&{query}",
        f"{location}?{query[:-1]}",
        f"{location}?{query.replace('repository=app', 'repository=other')}",
        f"{location}?{query.replace('expires=', 'expires=9')}",
        f"{location.replace(DIGEST, digest_of(b'{}'))}?{query}",
        f"{location.replace('us-east-1', 'eu-west-1')}?{query}",
        "/layers/x?a=b",
        "/layers/",
        f"{location}?%ff&signature=%ff",
    ]
    for target in altered:
        answer = await registry.client.send("GET", target)
        assert (answer.status, answer.codes) == (403, ["DENIED"]), target
        assert answer.json()["errors"][0]["message"] == "The URL is not valid"


async def test_layers_of_archived_images_stay(registry: RunningRegistry, path: str) -> None:
    async def archive(status: ImageStatus, **which: str) -> None:
        rows = [manifest.c[name] == value for name, value in which.items()]
        await registry.database.write(
            lambda connection: connection.execute(update(manifest).where(*rows).values(status=status))
        )

    digest = (await registry.client.send("HEAD", "/v2/app/manifests/v1")).headers["Docker-Content-Digest"]
    await archive(ImageStatus.ARCHIVED)
    answer = await registry.client.send("GET", path)
    assert (answer.status, answer.codes) == (404, ["BLOB_UNKNOWN"])
    await registry.client.put_manifest(
        "app", "v2", image_manifest((digest_of(b"{}"), 2), [(DIGEST, len(CONTENT))], annotations={"another": "image"})
    )
    assert (await registry.client.send("GET", path)).status == 200
    await archive(ImageStatus.ARCHIVED)
    assert (await registry.client.send("HEAD", path)).status == 404
    await archive(ImageStatus.ACTIVE, digest=digest)
    assert (await registry.client.send("GET", path)).status == 200


async def test_methods(registry: RunningRegistry, path: str) -> None:
    answer = await registry.client.send("PUT", path, body=b"x")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_the_layer_is_looked_up_at_each_use(registry: RunningRegistry, path: str) -> None:
    assert (await registry.client.send("DELETE", "/v2/app/manifests/v1")).status == 202
    assert (await registry.client.send("DELETE", f"/v2/app/blobs/{DIGEST}")).status == 202
    answer = await registry.client.send("GET", path)
    assert (answer.status, answer.codes) == (404, ["BLOB_UNKNOWN"])
    await registry.services.repository.delete(registry.home, RepositoryName("app"), True)
    assert (await registry.client.send("GET", path)).status == 404
