"""Whole servers over S3: two of them, each with a data directory of its own, on one PostgreSQL and one bucket."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.faults.conftest import running
from tests.support.command import json_of, run_command
from tests.support.database import PostgresAddress
from tests.support.faulty_s3 import Fault, FaultyS3, faulty
from tests.support.registry_client import OCTETS, RegistryClient, digest_of, with_digest
from tests.support.s3 import ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY, S3Server
from tests.support.server import PROGRAM, ROOT_ENVIRONMENT, Server

MASTER_KEY = "07" * 32
MIB = 1024 * 1024
NAME = "team/app"


def settings(s3: S3Server, endpoint: str | None = None) -> dict[str, str]:
    return {
        "ENTREPOT_BLOB_URL": f"s3://{BUCKET}/{s3.prefix}",
        "ENTREPOT_S3_ENDPOINT_URL": endpoint or s3.endpoint,
        "ENTREPOT_S3_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "ENTREPOT_S3_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "ENTREPOT_MASTER_KEY": MASTER_KEY,
    }


@pytest.fixture
def hosts(tmp_path: Path, postgres_address: PostgresAddress, s3: S3Server) -> Iterator[tuple[Server, Server]]:
    """Two servers that share a database and a bucket, and no disk."""
    environment = settings(s3) | {"ENTREPOT_DATABASE_URL": postgres_address.url}
    first = Server(tmp_path / "one", tmp_path / "home-one", workers=1, environment=environment)
    second = Server(tmp_path / "two", tmp_path / "home-two", workers=1, environment=environment)
    with running(first), running(second):
        yield first, second


def pull(client: RegistryClient, data: bytes) -> None:
    answer = client.request("GET", f"/v2/{NAME}/blobs/{digest_of(data)}").expect(200)
    assert answer.body == data


def test_two_hosts_push_one_layer_in_turn(
    hosts: tuple[Server, Server], s3: S3Server, data: Callable[[int], bytes]
) -> None:
    clients = [RegistryClient(server) for server in hosts]
    clients[0].create(NAME)
    layer = data(21 * MIB + 11)
    place = clients[0].request("POST", f"/v2/{NAME}/blobs/uploads/").expect(202).location
    cuts = [0, 3 * MIB + 1, 3 * MIB + 2, 14 * MIB, 20 * MIB, len(layer)]
    for turn, (start, end) in enumerate(pairwise(cuts)):
        headers = {**OCTETS, "Content-Range": f"{start}-{end - 1}"}
        place = clients[turn % 2].request("PATCH", place, layer[start:end], headers).expect(202).location
    clients[1].request("PUT", with_digest(place, digest_of(layer))).expect(201)
    for client in clients:
        pull(client, layer)
    small = [data(size) for size in (0, 1, 1000, 300_000)]
    for turn, blob in enumerate(small):
        start_at = clients[turn % 2].request("POST", f"/v2/{NAME}/blobs/uploads/").expect(202).location
        clients[turn % 2].request("PUT", with_digest(start_at, digest_of(blob)), blob, OCTETS).expect(201)
        pull(clients[1 - turn % 2], blob)
    assert not s3.multiparts()
    assert [key for key in s3.object_keys() if key.startswith("staging/")] == []
    assert len([key for key in s3.object_keys() if key.startswith("blobs/")]) == 1 + len(small)
    for server in hosts:
        assert not [path for path in (server.data_dir / "spool").rglob("*") if path.is_file()]


def test_layers_by_redirect(tmp_path: Path, s3: S3Server, data: Callable[[int], bytes]) -> None:
    environment = settings(s3) | {"ENTREPOT_STORAGE_ENCRYPTION": "bucket", "ENTREPOT_REDIRECT_DOWNLOADS": "true"}
    with running(Server(tmp_path / "data", tmp_path / "home", workers=1, environment=environment)) as server:
        client, layer = RegistryClient(server), data(9 * MIB)
        client.create(NAME)
        place = client.request("POST", f"/v2/{NAME}/blobs/uploads/").expect(202).location
        client.request("PUT", with_digest(place, digest_of(layer)), layer, OCTETS).expect(201)
        path = f"/v2/{NAME}/blobs/{digest_of(layer)}"
        assert client.request("HEAD", path).expect(200).headers["content-length"] == str(len(layer))
        sent = client.request("GET", path).expect(307)
        assert sent.headers["cache-control"] == "no-store"
        with urlopen(sent.location, timeout=30) as answer:  # noqa: S310 - of the server under test
            assert answer.read() == layer
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"] == "attachment"


def test_a_store_that_fails_is_503_on_both_planes(tmp_path: Path, s3: S3Server, data: Callable[[int], bytes]) -> None:
    with faulty(s3.endpoint) as proxy:
        environment = settings(s3, proxy.endpoint)
        with running(Server(tmp_path / "data", tmp_path / "home", workers=1, environment=environment)) as server:
            _check_unavailable(RegistryClient(server), proxy, data(MIB))


def _check_unavailable(client: RegistryClient, proxy: FaultyS3, layer: bytes) -> None:
    client.create(NAME)
    place = client.request("POST", f"/v2/{NAME}/blobs/uploads/").expect(202).location
    client.request("PUT", with_digest(place, digest_of(layer)), layer, OCTETS).expect(201)
    proxy.do(Fault.DENIED, 1000)
    refused = client.request("GET", f"/v2/{NAME}/blobs/{digest_of(layer)}").expect(503)
    assert "storage" in refused.body.decode()
    assert "AccessDenied" not in refused.body.decode(), "what S3 says is for the log"
    place = client.request("POST", f"/v2/{NAME}/blobs/uploads/").expect(202).location
    client.request("PATCH", place, layer, OCTETS).expect(503)
    started = client.ecr.initiate_layer_upload(repositoryName=NAME)
    with pytest.raises(client.ecr.exceptions.ClientError) as error:
        client.ecr.upload_layer_part(
            repositoryName=NAME, uploadId=started["uploadId"], partFirstByte=0, partLastByte=2, layerPartBlob=b"abc"
        )
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    proxy.do(Fault.DENIED, 0)
    client.request("PATCH", place, layer, OCTETS).expect(202)


def refusal(tmp_path: Path, environment: Mapping[str, str]) -> str:
    """The one line by which a server says why it does not start."""
    done = subprocess.run(
        [PROGRAM, "serve", "--data-dir", str(tmp_path / "data"), "--port", "0", "--workers", "1"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]} | ROOT_ENVIRONMENT | dict(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("entrepot:")]
    return line


def test_what_is_wrong_is_named_at_the_start(tmp_path: Path, s3: S3Server) -> None:
    good = settings(s3)
    missing = refusal(tmp_path, good | {"ENTREPOT_BLOB_URL": "s3://no-such-bucket/x"})
    assert "the bucket of blob_url cannot be used" in missing
    assert "404 NoSuchBucket" in missing
    refused = refusal(tmp_path, good | {"ENTREPOT_S3_SECRET_ACCESS_KEY": "wrong"})
    assert "403 SignatureDoesNotMatch" in refused
    assert "wrong" not in refused.replace("SignatureDoesNotMatch", "")


def test_another_bucket_than_the_database_counts_on(tmp_path: Path, s3: S3Server) -> None:
    with running(Server(tmp_path / "data", tmp_path / "home", workers=1, environment=settings(s3))):
        pass
    other = refusal(tmp_path, settings(s3.at(f"{s3.prefix}other/")))
    assert "keeps its blobs in another place" in other
    local = refusal(tmp_path, {"ENTREPOT_MASTER_KEY": MASTER_KEY})
    assert "keeps its blobs in another directory" in local


def test_verify_and_backup_of_blobs_in_a_bucket(tmp_path: Path, s3: S3Server) -> None:
    server = Server(tmp_path / "data", tmp_path / "home", workers=1, environment=settings(s3))
    with running(server):
        client = RegistryClient(server)
        client.create(NAME)
        client.push_image(NAME, "v1", [b"layer", b"x" * 300_000])
        said = json_of(run_command(server, "verify", "--digests", "--orphans", "--json"))
        assert (said["findings"], said["blobs"]) == ([], 3)
        done = run_command(server, "backup", tmp_path / "backup")
        assert done.returncode == 0
        assert "3 blobs are in the bucket and NOT in this backup" in done.stderr
    copy = Server(tmp_path / "copy", tmp_path / "home-copy", workers=1, environment=settings(s3))
    said = json_of(run_command(copy, "restore", tmp_path / "backup", "--digests", "--json"))
    assert (said["findings"], said["images"]) == ([], 1)
    with running(copy):
        RegistryClient(copy).request("GET", f"/v2/{NAME}/manifests/v1").expect(200)
        lost = next(key for key in s3.object_keys() if key.startswith("blobs/"))
        s3.client().call("DELETE", lost)
        (finding,) = json_of(run_command(copy, "verify", "--json"), 1)["findings"]
        assert (finding["invariant"], finding["push_again"][0]["tags"]) == ("blob-bytes", ["v1"])
