"""What AWS's own policies are enough for: a pull, a push, and nothing else.

Spec: ECR user guide, "AWS managed policies for Amazon Elastic Container Registry".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.aws import AwsWorld, aws_world
from tests.support.database import SqliteAddress
from tests.support.iam_rows import attach, document
from tests.support.person import Person, change, log_in, make_user
from tests.support.wire import OCI_MANIFEST, Client, digest_of, encode, image_manifest

POLICIES = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistry"
CONFIG, LAYER = digest_of(b"{}"), digest_of(b"layer")


@pytest.fixture
async def world(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[AwsWorld]:
    async with aws_world(sqlite_address, tmp_path / "data") as made:
        for name in ("app", "base"):
            await made.create(name)
            await made.registry.client.put_image(name, "v1")
        yield made


async def attach_only(person: Person, name: str) -> Client:
    """Let one policy of AWS be all that a user has, and log in with it."""
    await change(person.world, lambda connection: attach(connection, person.entity, POLICIES + name))
    return await log_in(person.world, person.aws)


async def pull(client: Client) -> list[int]:
    """What docker asks for, and the statuses."""
    paths = ["/v2/", "/v2/app/manifests/v1", f"/v2/app/blobs/{CONFIG}", f"/v2/app/blobs/{LAYER}"]
    head = await client.send("HEAD", "/v2/app/manifests/v1")
    return [head.status, *[(await client.send("GET", path)).status for path in paths]]


async def push(client: Client, content: bytes) -> list[int]:
    """What docker asks for, one layer mounted and one uploaded in a chunk, and the statuses."""
    digest = digest_of(content)
    asked = [await client.send("HEAD", f"/v2/app/blobs/{digest}")]
    asked.append(await client.send("POST", f"/v2/app/blobs/uploads/?mount={LAYER}&from=base"))
    asked.append(await client.send("POST", "/v2/app/blobs/uploads/"))
    place = asked[-1].headers.get("Location", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000")
    asked.append(await client.send("PATCH", place, body=content))
    asked.append(await client.send("PUT", f"{place}?digest={digest}"))
    manifest = encode(image_manifest((CONFIG, 2), [(digest, len(content))]))
    asked.append(await client.send("PUT", "/v2/app/manifests/v2", {"Content-Type": OCI_MANIFEST}, manifest))
    return [answer.status for answer in asked]


async def test_pull_only_is_enough_to_pull(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    client = await attach_only(ana, "PullOnly")

    assert await pull(client) == [200] * 5
    assert await push(client, b"more") == [404, 403, 403, 403, 403, 403]
    assert (await client.send("GET", "/v2/app/tags/list")).status == 403
    assert (await ana.aws.ecr("DescribeRepositories")).code == "AccessDeniedException"


async def test_power_user_is_enough_to_push_and_not_to_delete(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    client = await attach_only(ana, "PowerUser")

    assert await push(client, b"more") == [404, 201, 202, 202, 201, 201]
    assert await pull(client) == [200] * 5
    for path in ("manifests/v2", f"blobs/{digest_of(b'more')}"):
        assert (await client.send("DELETE", f"/v2/app/{path}")).status == 403
    assert (await ana.aws.ecr("CreateRepository", repositoryName="mine")).code == "AccessDeniedException"


async def test_full_access_is_everything_of_ecr_and_nothing_else(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    client = await attach_only(ana, "FullAccess")

    assert (await ana.aws.ecr("CreateRepository", repositoryName="mine")).status == 200
    assert (await client.send("DELETE", "/v2/app/manifests/v1")).status == 202
    assert (await ana.aws.iam("ListUsers")).code == "AccessDenied"


async def test_one_team_one_part_of_the_registry(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    everywhere = document("ecr:GetAuthorizationToken")
    of_app = document("ecr:*", Resource="arn:aws:ecr:us-east-1:123456789012:repository/app")
    await ana.have(everywhere, of_app)
    client = await log_in(world, ana.aws)

    assert await pull(client) == [200] * 5
    assert (await client.send("GET", "/v2/base/manifests/v1")).status == 403
    mounted = await client.send("POST", f"/v2/app/blobs/uploads/?mount={digest_of(b'x')}&from=base")
    assert mounted.status == 202, "who may not read base learns nothing of it"
