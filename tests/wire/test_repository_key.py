"""Repositories under a KMS key, over both planes: what is refused while the key is off, and in which words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import Connection, update

from entrepot.domain.kms import KmsKey
from entrepot.service.kms.key import begin_change
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import to_micros
from tests.support.aws import AwsWorld, Reply
from tests.support.kms import make_key
from tests.support.wire import digest_of

LAYER = b"layer " * 50_000
URI = "/v2/app"


@pytest.fixture
async def key(sqlite_aws: AwsWorld) -> KmsKey:
    """A key that protects the repository `app`, which holds an image."""
    registry = sqlite_aws.registry
    services = registry.services
    made = await registry.database.write(lambda c: make_key(c, services.context, services.key, registry.home))
    await sqlite_aws.create("app", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": made.id})
    await registry.client.put_image("app", "v1", LAYER)
    return made


def refusal(reply: Reply) -> tuple[str, str]:
    """Code, and what KMS said."""
    document = json.loads(reply.response.body)
    return document["__type"], document.get("kmsError", "")


async def set_state(world: AwsWorld, key: KmsKey, state: str, deletes_in: int | None = None) -> None:
    """Switch the key, as another process would."""
    deletes_at = None if deletes_in is None else to_micros(world.registry.clock.now()) + deletes_in * 1_000_000

    def change(connection: Connection) -> None:
        begin_change(connection, key.place.account_id)
        statement = update(schema.kms_key).where(schema.kms_key.c.id == key.id)
        connection.execute(statement.values(state=state, deletes_at=deletes_at))

    await world.registry.database.write(change)


async def test_the_key_is_shown_by_its_arn(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    shown = await sqlite_aws.client.ecr("DescribeRepositories", repositoryNames=["app"])
    assert shown["repositories"][0]["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key.arn}


async def test_data_plane_while_the_key_is_off(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    client = sqlite_aws.registry.client
    layer, paths = digest_of(LAYER), [f"{URI}/manifests/v1", f"{URI}/blobs/{digest_of(LAYER)}"]
    manifest = await client.send("GET", paths[0])
    assert [(await client.send("GET", path)).status for path in paths] == [200, 200]
    await set_state(sqlite_aws, key, "Disabled")
    for path in paths:
        for method in ("GET", "HEAD"):
            assert (await client.send(method, path)).status == 403, (method, path)
        answer = await client.send("GET", path)
        assert answer.codes == ["DENIED"]
        said = answer.json()["errors"][0]["message"]
        assert said == f"The key {key.arn} cannot be used: DisabledException: {key.arn} is disabled."
        unchanged = {"If-None-Match": f'"{manifest.headers["Docker-Content-Digest"]}"'}
        assert (await client.send("GET", path, unchanged)).status == 403
    media_type = {"Content-Type": manifest.headers["Content-Type"]}
    refused = [
        await client.send("POST", f"{URI}/blobs/uploads/"),
        await client.send("POST", f"{URI}/blobs/uploads/?digest={layer}", body=LAYER),
        await client.send("PUT", f"{URI}/manifests/v2", media_type, manifest.body),
    ]
    assert [answer.status for answer in refused] == [403, 403, 403]
    assert (await client.send("GET", f"{URI}/tags/list")).json()["tags"] == ["v1"]
    await set_state(sqlite_aws, key, "Enabled")
    assert [(await client.send("GET", path)).status for path in paths] == [200, 200]
    assert (await client.send("GET", paths[1])).body == LAYER


async def test_what_is_there_already_is_not_mounted_while_the_key_is_off(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    client, path = sqlite_aws.registry.client, f"{URI}/blobs/uploads/?mount={digest_of(LAYER)}&from=base"
    await sqlite_aws.create("base", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key.id})
    await client.put_image("base", "v1", LAYER)
    assert (await client.send("POST", path)).status == 201
    await set_state(sqlite_aws, key, "Disabled")
    refused = await client.send("POST", path)
    assert (refused.status, refused.codes) == (403, ["DENIED"])
    await set_state(sqlite_aws, key, "Enabled")
    assert (await client.send("POST", path)).status == 201


async def test_layer_urls_that_were_given_before(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    client = sqlite_aws.registry.client
    given = {"repositoryName": "app", "layerDigest": digest_of(LAYER)}
    url = (await sqlite_aws.client.ecr("GetDownloadUrlForLayer", **given))["downloadUrl"]
    path = url.removeprefix("http://127.0.0.1:5000")
    assert (await client.send("GET", path)).body == LAYER
    await set_state(sqlite_aws, key, "Disabled")
    answer = await client.send("GET", path)
    assert (answer.status, answer.codes) == (403, ["DENIED"])
    assert (await sqlite_aws.client.ecr("GetDownloadUrlForLayer", **given)).code == "KmsException"
    await set_state(sqlite_aws, key, "Enabled")
    assert (await client.send("GET", path)).body == LAYER


async def test_api_while_the_key_is_off(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    ecr = sqlite_aws.client.ecr
    upload = (await ecr("InitiateLayerUpload", repositoryName="app"))["uploadId"]
    manifest = (await ecr("BatchGetImage", repositoryName="app", imageIds=[{"imageTag": "v1"}]))["images"][0]
    await set_state(sqlite_aws, key, "Disabled")
    part = {"partFirstByte": 0, "partLastByte": 0, "layerPartBlob": base64.b64encode(b"x").decode()}
    refused: list[tuple[str, dict[str, Any]]] = [
        ("InitiateLayerUpload", {}),
        ("UploadLayerPart", {"uploadId": upload, **part}),
        ("PutImage", {"imageManifest": manifest["imageManifest"], "imageTag": "v2"}),
    ]
    for operation, given in refused:
        reply = await ecr(operation, repositoryName="app", **given)
        assert refusal(reply) == ("KmsException", "DisabledException"), operation
    found = await ecr("BatchGetImage", repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    assert found["images"] == []
    assert {one["failureCode"] for one in found["failures"]} == {"KmsError", "ImageNotFound"}
    reply = await ecr(
        "CreateRepository", repositoryName="bb", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key.arn}
    )
    assert refusal(reply) == ("KmsException", "DisabledException")
    assert (await ecr("DescribeImages", repositoryName="app"))["imageDetails"]
    gone = await ecr("BatchDeleteImage", repositoryName="app", imageIds=[{"imageTag": "v1"}])
    assert gone["imageIds"], "what cannot be read can be deleted"
    assert (await ecr("DeleteRepository", repositoryName="app", force=True)).status == 200


async def test_pending_deletion_says_what_is_lost(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    ecr = sqlite_aws.client.ecr
    await sqlite_aws.create("plain")
    await set_state(sqlite_aws, key, "PendingDeletion", deletes_in=7 * 86_400)
    reply = await ecr("DescribeRepositories", repositoryNames=["plain", "app"])
    assert refusal(reply) == ("KmsException", "KMSInvalidStateException")
    size = len(LAYER) + 2
    for words in (f"1 images with {size} bytes in arn:aws:ecr:us-east-1:123456789012:repository/app", "CancelKeyDel"):
        assert words in (reply.message or "")
    assert len((await ecr("DescribeRepositories"))["repositories"]) == 2, "the list can always be read"
    assert (await ecr("DescribeRepositories", repositoryNames=["plain"])).status == 200
    pulled = await sqlite_aws.registry.client.send("GET", f"{URI}/manifests/v1")
    assert (pulled.status, pulled.codes) == (403, ["DENIED"])


async def test_the_grant_comes_and_goes_with_the_repository(sqlite_aws: AwsWorld, key: KmsKey) -> None:
    statement = schema.kms_grant.select()
    database = sqlite_aws.registry.database
    (grant,) = await database.read(lambda c: c.execute(statement).all())
    assert (grant.key_id, grant.grantee) == (key.id, "ecr.us-east-1.amazonaws.com")
    assert '"aws:ecr:arn": "arn:aws:ecr:us-east-1:123456789012:repository/app"' in grant.constraints
    again = {"encryptionType": "KMS", "kmsKey": key.id}
    taken = await sqlite_aws.client.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=again)
    assert taken.code == "RepositoryAlreadyExistsException"
    assert len(await database.read(lambda c: c.execute(statement).all())) == 1
    await sqlite_aws.client.ecr("DeleteRepository", repositoryName="app", force=True)
    assert not await database.read(lambda c: c.execute(statement).all())


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("alias/none", "NotFoundException"),
        ("11111111-1111-1111-1111-111111111111", "NotFoundException"),
        ("arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111", "NotFoundException"),
        ("arn:aws:s3:::bucket", "NotFoundException"),
        ("nonsense", "NotFoundException"),
    ],
)
async def test_keys_that_are_none(sqlite_aws: AwsWorld, named: str, code: str) -> None:
    configuration = {"encryptionType": "KMS", "kmsKey": named}
    reply = await sqlite_aws.client.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=configuration)
    assert refusal(reply) == ("KmsException", code)
