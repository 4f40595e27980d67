"""Policies that speak of image tags, by the key `ecr:ImageTag`: an extension that holds on both planes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.aws import AwsWorld, aws_world
from tests.support.database import SqliteAddress
from tests.support.iam_rows import document
from tests.support.person import Person, make_user
from tests.support.wire import OCI_MANIFEST, digest_of, encode, image_manifest

MANIFEST = encode(image_manifest((digest_of(b"{}"), 2), [(digest_of(b"layer"), 5)]))
RELEASES = {"StringNotLike": {"ecr:ImageTag": "v*"}, "Null": {"ecr:ImageTag": "false"}}
"""What holds for requests that name image tags, and other ones than releases."""


@pytest.fixture
async def world(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[AwsWorld]:
    async with aws_world(sqlite_address, tmp_path / "data") as made:
        await made.create("app")
        for tag in ("v1", "main"):
            await made.registry.client.put_image("app", tag)
        yield made


@pytest.fixture
async def person(world: AwsWorld) -> Person:
    """Somebody who may do everything but name tags that do not begin with v."""
    ana = await make_user(world, "ana")
    await ana.have(document("ecr:*"), document("ecr:*", "Deny", Condition=RELEASES))
    return ana


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /v2/app/manifests/v1", 200),
        ("HEAD /v2/app/manifests/v1", 200),
        ("PUT /v2/app/manifests/v2", 201),
        ("DELETE /v2/app/manifests/v1", 202),
        ("GET /v2/app/manifests/main", 403),
        ("HEAD /v2/app/manifests/main", 403),
        ("PUT /v2/app/manifests/latest", 403),
        ("DELETE /v2/app/manifests/main", 403),
        (f"GET /v2/app/manifests/{digest_of(MANIFEST)}", 200),
        (f"PUT /v2/app/manifests/{digest_of(MANIFEST)}?tag=v3&tag=v4", 201),
        (f"PUT /v2/app/manifests/{digest_of(MANIFEST)}?tag=latest", 403),
        ("GET /v2/app/tags/list", 200),
    ],
)
async def test_on_the_data_plane(person: Person, request_line: str, status: int) -> None:
    method, _, path = request_line.partition(" ")
    body = MANIFEST if method == "PUT" else None
    headers = {"Content-Type": OCI_MANIFEST} if body else {}

    assert (await person.oci.send(method, path, headers, body)).status == status


async def test_on_the_api(person: Person) -> None:
    async def refused(operation: str, **parameters: object) -> bool:
        reply = await person.aws.ecr(operation, repositoryName="app", **parameters)
        return reply.code == "AccessDeniedException"

    for name, is_refused in (("v1", False), ("main", True)):
        ids = [{"imageTag": name}]
        assert await refused("BatchGetImage", imageIds=ids) is is_refused
        assert await refused("DescribeImages", imageIds=ids) is is_refused
        assert await refused("PutImage", imageManifest=MANIFEST.decode(), imageTag=name) is is_refused
        assert await refused("BatchDeleteImage", imageIds=ids) is is_refused
    assert not await refused("ListImages")


async def test_several_tags_are_all_looked_at(person: Person) -> None:
    """A negated operator wants none of several values to match: one release among them is enough to pass it."""
    every = {"ForAnyValue:StringNotLike": {"ecr:ImageTag": "v*"}}
    await person.have(document("ecr:*"), document("ecr:*", "Deny", Condition=every))

    mixed = await person.aws.ecr(
        "BatchGetImage", repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "main"}]
    )
    both = await person.aws.ecr("BatchGetImage", repositoryName="app", imageIds=[{"imageTag": "v1"}])

    assert (mixed.code, both.status) == ("AccessDeniedException", 200)
