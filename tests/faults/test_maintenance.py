"""`entrepot maintenance` beside a running server: the next change on every worker is refused, on both planes."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.command import json_of, run_command
from tests.support.registry_client import RegistryClient
from tests.support.server import Server


def test_every_worker_refuses_the_next_change(server: Server) -> None:
    client = RegistryClient(server)
    client.create("faults")
    digest = client.push_image("faults", "v1", [b"layer"])
    assert run_command(server, "maintenance", "on", "--reason", "new disks").returncode == 0
    for worker in server.worker_pids():
        answer = client.request("POST", "/v2/faults/blobs/uploads/", b"", worker=worker).expect(503)
        assert b"new disks" in answer.body
        client.request("GET", "/v2/faults/manifests/v1", worker=worker).expect(200)
    with pytest.raises(ClientError, match=r"ServiceUnavailable.*takes no changes: new disks"):
        client.ecr.create_repository(repositoryName="late")
    assert client.ecr.describe_images(repositoryName="faults")["imageDetails"][0]["imageDigest"] == digest
    RegistryClient(server)  # logs in
    said = json_of(run_command(server, "maintenance", "status", "--json"))
    assert (said["on"], said["reason"]) == (True, "new disks")
    assert run_command(server, "maintenance", "off").stdout == "maintenance is off\n"
    client.push_image("faults", "v2", [b"layer"])
    assert run_command(server, "maintenance", "status").stdout == "off\n"
    assert run_command(server, "maintenance", "off").stdout == "maintenance was not on\n"
