"""Repositories that the keys of a KMS elsewhere protect: moto plays it, then another entrepot does."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.remote.kms import KEPT_SECONDS, RemoteKms
from tests.support.aws import AwsWorld, aws_world
from tests.support.database import SqliteAddress
from tests.support.moto_kms import CREDENTIALS, MotoKms, moto_kms
from tests.support.person import make_user
from tests.support.wire import digest_of

LAYER = b"layer " * 50_000


@dataclass
class Elsewhere:
    """A registry and the KMS that its repositories count on."""

    world: AwsWorld
    kms: MotoKms
    seconds: float = 0.0

    @property
    def remote(self) -> RemoteKms:
        remote = self.world.registry.application.protectors.remote
        assert remote is not None
        return remote

    async def create(self, name: str, key: str, **given: Any) -> Any:
        configuration = {"encryptionType": "KMS", "kmsKey": key, **given}
        return await self.world.client.ecr(
            "CreateRepository", repositoryName=name, encryptionConfiguration=configuration
        )

    async def pull(self, name: str = "app") -> list[int]:
        client = self.world.registry.client
        paths = (f"/v2/{name}/manifests/v1", f"/v2/{name}/blobs/{digest_of(LAYER)}")
        return [(await client.send("GET", path)).status for path in paths]


@pytest.fixture(scope="module")
def kms() -> Iterator[MotoKms]:
    with moto_kms() as running:
        yield running


@pytest.fixture
async def elsewhere(
    kms: MotoKms, sqlite_address: SqliteAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Elsewhere]:
    """Its clock of what is kept is moved by hand."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
    async with aws_world(sqlite_address, tmp_path / "data", kms_endpoint=kms.url) as world:
        made = Elsewhere(world, kms)
        monkeypatch.setattr(made.remote, "_monotonic", lambda: made.seconds)
        yield made


async def test_push_pull_and_mount(elsewhere: Elsewhere) -> None:
    key = elsewhere.kms.create_key()
    elsewhere.kms.client.create_alias(AliasName="alias/build", TargetKeyId=key)
    for name, named in {"app": key, "web": "alias/build"}.items():
        made = await elsewhere.create(name, named)
        assert made["repository"]["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    client = elsewhere.world.registry.client
    await client.put_image("app", "v1", LAYER)
    assert await elsewhere.pull() == [200, 200]
    layer = digest_of(LAYER)
    assert (await client.send("POST", f"/v2/web/blobs/uploads/?mount={layer}&from=app")).status == 201
    await elsewhere.world.client.ecr("DeleteRepository", repositoryName="app", force=True)
    assert (await client.send("GET", f"/v2/web/blobs/{layer}")).body == LAYER


async def test_a_key_that_is_disabled_there_protects_nothing_new(elsewhere: Elsewhere) -> None:
    key = elsewhere.kms.create_key()
    elsewhere.kms.client.disable_key(KeyId=key.rpartition("/")[2])
    assert (await elsewhere.create("app", key)).code == "KmsException"
    elsewhere.kms.client.enable_key(KeyId=key.rpartition("/")[2])
    assert (await elsewhere.create("app", key)).status == 200


async def test_an_outage_is_said_and_pulls_come_back_by_themselves(elsewhere: Elsewhere) -> None:
    key = elsewhere.kms.create_key()
    await elsewhere.create("app", key)
    client = elsewhere.world.registry.client
    await client.put_image("app", "v1", LAYER)
    upload = (await client.send("POST", "/v2/app/blobs/uploads/")).headers["Location"]
    elsewhere.kms.go_away()
    try:
        assert await elsewhere.pull() == [200, 200], "what was opened just now serves for a minute"
        elsewhere.seconds += KEPT_SECONDS + 1
        answer = await client.send("GET", "/v2/app/manifests/v1")
        assert (answer.status, answer.codes) == (503, ["UNAVAILABLE"])
        assert (await client.send("PATCH", upload, body=LAYER)).status == 503
        refused = await elsewhere.create("other", key)
        assert (refused.code, refused.message) == ("KmsException", "The KMS that has the key is away: try again")
    finally:
        elsewhere.kms.come_back()
    elsewhere.seconds += 3
    assert await elsewhere.pull() == [200, 200]
    assert (await client.send("PATCH", upload, body=LAYER)).status == 202
    assert (await client.send("PUT", f"{upload}?digest={digest_of(LAYER)}")).status == 201


async def test_keys_that_are_none(elsewhere: Elsewhere) -> None:
    signing = elsewhere.kms.client.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    for named in ("alias/none", signing):
        assert (await elsewhere.create("app", named)).code == "KmsException"
    listed = await elsewhere.world.client.ecr("DescribeRepositories")
    assert listed["repositories"] == []


@pytest.fixture
async def other_entrepot(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AwsWorld]:
    """The KMS of another server, whose root is who the first one asks as."""
    file = tmp_path / "elsewhere.db"
    shutil.copyfile(sqlite_template, file)
    async with aws_world(SqliteAddress(file), tmp_path / "elsewhere") as world:
        root = world.registry.root_keys[world.registry.home.account_id]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", root.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", root.secret)
        yield world


async def test_another_entrepot_has_the_key(
    other_entrepot: AwsWorld, sqlite_address: SqliteAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kms, url = other_entrepot.client.kms, other_entrepot.registry.url
    key = (await kms("CreateKey"))["KeyMetadata"]["Arn"]
    seconds = [0.0]
    async with aws_world(sqlite_address, tmp_path / "data", kms_endpoint=url) as world:
        remote = world.registry.application.protectors.remote
        monkeypatch.setattr(remote, "_monotonic", lambda: seconds[0])
        client, paths = world.registry.client, ["/v2/app/manifests/v1", f"/v2/app/blobs/{digest_of(LAYER)}"]

        async def pull() -> list[int]:
            seconds[0] += KEPT_SECONDS + 1
            return [(await client.send("GET", path)).status for path in paths]

        for kind, name in {"KMS": "app", "KMS_DSSE": "twice"}.items():
            given = {"encryptionType": kind, "kmsKey": key}
            made = await world.client.ecr("CreateRepository", repositoryName=name, encryptionConfiguration=given)
            assert made["repository"]["encryptionConfiguration"] == given
            await client.put_image(name, "v1", LAYER)
        assert await pull() == [200, 200]
        assert (await kms("ListGrants", KeyId=key))["Grants"] == []
        await kms("DisableKey", KeyId=key)
        assert await pull() == [403, 403]
        said = (await client.send("GET", paths[0])).json()["errors"][0]["message"]
        assert said == f"The key {key} cannot be used: DisabledException: {key} is disabled."
        found = await world.client.ecr("BatchGetImage", repositoryName="app", imageIds=[{"imageTag": "v1"}])
        assert [one["failureCode"] for one in found["failures"]] == ["KmsError"]
        await kms("EnableKey", KeyId=key)
        await kms("RotateKeyOnDemand", KeyId=key)
        assert await pull() == [200, 200], "what was sealed before a rotation opens"
        await kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
        assert await pull() == [403, 403]
        await kms("CancelKeyDeletion", KeyId=key)
        await kms("EnableKey", KeyId=key)
        assert await pull() == [200, 200]


async def test_who_may_use_a_key_elsewhere_the_callers_own_policies_say(elsewhere: Elsewhere) -> None:
    key = elsewhere.kms.create_key()
    ana = await make_user(elsewhere.world, "ana")
    await ana.allow("ecr:*")
    given = {"encryptionType": "KMS", "kmsKey": key}
    refused = await ana.aws.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=given)
    assert refused.code == "KmsException"
    assert "is not authorized to perform: kms:DescribeKey" in (refused.message or "")
    await ana.allow("ecr:*", "kms:DescribeKey", "kms:CreateGrant")
    made = await ana.aws.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=given)
    assert made.status == 200
