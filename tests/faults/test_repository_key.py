"""A repository under a KMS key on a real server: every worker closes and opens at once, commands of operators go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.faults.test_backup import restored
from tests.support.command import json_of, run_command
from tests.support.registry_client import OCTETS, RegistryClient, digest_of
from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

LAYER = b"layer " * 60_000
PATHS = ("/v2/faults/manifests/v1", f"/v2/faults/blobs/{digest_of(LAYER)}")


class Owner:
    """Has the key, and a connection to every worker."""

    def __init__(self, server: Server, encryption_type: str) -> None:
        self.server, self.client = server, RegistryClient(server)
        self.kms = boto3.client(
            "kms",
            endpoint_url=server.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )
        self.key: str = self.kms.create_key()["KeyMetadata"]["Arn"]
        configuration = {"encryptionType": encryption_type, "kmsKey": self.key}
        self.client.ecr.create_repository(repositoryName="faults", encryptionConfiguration=configuration)
        self.client.push_image("faults", "v1", [LAYER])
        self.connections = [self.client.connect(worker) for worker in server.worker_pids()]

    def hears(self) -> set[int]:
        """Every status that any worker answers with, to pulls and to the begin of a push."""
        heard = set()
        for connection in self.connections:
            heard |= {self.client.request("GET", path, connection=connection).status for path in PATHS}
            begun = self.client.request("POST", "/v2/faults/blobs/uploads/", b"", connection=connection)
            heard.add(200 if begun.status == 202 else begun.status)
        return heard


@pytest.fixture(params=["KMS", "KMS_DSSE"])
def owner(request: pytest.FixtureRequest, sqlite_server: Server) -> Iterator[Owner]:
    made = Owner(sqlite_server, request.param)
    yield made
    for connection in made.connections:
        connection.close()


def test_every_worker_closes_and_opens_with_the_next_request(owner: Owner) -> None:
    for _ in range(10):
        assert owner.hears() == {200}
        owner.kms.disable_key(KeyId=owner.key)
        assert owner.hears() == {403}
        owner.kms.enable_key(KeyId=owner.key)
    owner.kms.schedule_key_deletion(KeyId=owner.key, PendingWindowInDays=7)
    assert owner.hears() == {403}
    owner.kms.cancel_key_deletion(KeyId=owner.key)
    assert owner.hears() == {403}, "it is disabled then"
    owner.kms.enable_key(KeyId=owner.key)
    assert owner.hears() == {200}
    (grant,) = owner.kms.list_grants(KeyId=owner.key)["Grants"]
    owner.kms.revoke_grant(KeyId=owner.key, GrantId=grant["GrantId"])
    assert owner.hears() == {403}


def test_an_upload_goes_on_when_the_key_is_back(owner: Owner) -> None:
    client, data = owner.client, LAYER * 3
    location = client.request("POST", "/v2/faults/blobs/uploads/", b"").expect(202).location
    location = client.request("PATCH", location, data[:500_001], OCTETS).expect(202).location
    owner.kms.disable_key(KeyId=owner.key)
    client.request("PATCH", location, data[500_001:], OCTETS).expect(403)
    client.request("PUT", f"{location}?digest={digest_of(data)}", b"").expect(403)
    owner.kms.enable_key(KeyId=owner.key)
    location = client.request("PATCH", location, data[500_001:], OCTETS).expect(202).location
    client.request("PUT", f"{location}?digest={digest_of(data)}", b"").expect(201)
    assert client.request("GET", f"/v2/faults/blobs/{digest_of(data)}").expect(200).body == data


def test_rotation_of_both_keys_backup_and_restore(owner: Owner, tmp_path: Path) -> None:
    server = owner.server
    owner.kms.rotate_key_on_demand(KeyId=owner.key)
    assert run_command(server, "keys", "rotate").returncode == 0
    assert owner.hears() == {200}
    owner.client.push_image("faults", "v2", [b"after the rotation"])
    usage = json_of(run_command(server, "keys", "usage", owner.key, "--json"))
    assert [one["name"] for one in usage["repositories"]] == ["faults"]
    assert usage["blobs"] == 4
    assert json_of(run_command(server, "verify", "--digests", "--json"))["findings"] == []
    assert run_command(server, "backup", tmp_path / "backup", "--with-key").returncode == 0
    copy = restored(tmp_path / "backup", tmp_path)
    copy.start()
    try:
        assert RegistryClient(copy).request("GET", PATHS[1]).expect(200).body == LAYER
    finally:
        copy.stop()
