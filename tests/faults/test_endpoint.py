"""Private endpoints of a real server with two workers: opened and closed while it runs, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.command import json_of, run_command
from tests.support.poll import wait_until
from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server, free_port

VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"


@pytest.fixture
def server(sqlite_server: Server) -> Server:
    """On SQLite: the engine has no part in it."""
    return sqlite_server


def client(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20),
    )


def bind(server: Server, *addresses: str, cidr: str = "127.0.0.0/8") -> None:
    options = [word for one in addresses for word in ("--address", one)]
    run = run_command(server, "admin", "network", "bind", SUBNET, "--vpc", VPC, "--cidr", cidr, *options, "--json")
    assert [one["address"] for one in json_of(run)["addresses"]] == list(addresses)


def create(ec2: Any, service: str = "ecr.dkr") -> str:
    made = ec2.create_vpc_endpoint(
        VpcId=VPC,
        ServiceName=f"com.amazonaws.{REGION}.{service}",
        VpcEndpointType="Interface",
        SubnetIds=[SUBNET],
    )
    endpoint_id: str = made["VpcEndpoint"]["VpcEndpointId"]
    return endpoint_id


def state(ec2: Any, endpoint_id: str) -> str | None:
    try:
        (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
    except ec2.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "InvalidVpcEndpointId.NotFound":
            raise
        return None
    return str(found["State"])


def wait_for(ec2: Any, endpoint_id: str, wanted: str | None) -> None:
    wait_until(lambda: state(ec2, endpoint_id) == wanted, what=f"{endpoint_id} being {wanted}")


def address() -> str:
    return f"http://127.0.0.1:{free_port()}"


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def is_open(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port_of(url)), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_from_pending_to_gone(server: Server) -> None:
    ec2, url = client(server.url, "ec2"), address()
    bind(server, url)
    endpoint_id = create(ec2)
    wait_for(ec2, endpoint_id, "available")
    inside = client(url, "ecr")
    assert inside.describe_repositories()["repositories"] == []

    statement = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps({"Statement": [statement]}))
    for _ in range(8):  # each worker, on new connections and kept ones
        for ecr in (inside, client(url, "ecr")):
            with pytest.raises(ClientError, match="AccessDenied"):
                ecr.describe_repositories()
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, ResetPolicy=True)
    assert inside.describe_repositories()["repositories"] == []

    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    wait_for(ec2, endpoint_id, None)
    assert not is_open(url)
    other = create(ec2)  # the address is free again
    wait_for(ec2, other, "available")
    assert client(url, "ecr").describe_repositories()["repositories"] == []


def has_replaced(server: Server, pid: int) -> bool:
    workers = server.worker_pids()
    return pid not in workers and len(workers) == 2


def test_workers_die_and_the_server_starts_again(server: Server) -> None:
    ec2, url = client(server.url, "ec2"), address()
    bind(server, url)
    endpoint_id = create(ec2)
    wait_for(ec2, endpoint_id, "available")
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
        wait_until(partial(has_replaced, server, pid), what="another worker")
        assert client(url, "ecr").describe_repositories()["repositories"] == []
    assert server.process
    before = set(server.worker_pids())
    os.kill(server.process.pid, signal.SIGHUP)
    wait_until(lambda: not before & set(server.worker_pids()), seconds=60, what="other workers")
    assert client(url, "ecr").describe_repositories()["repositories"] == []
    client(server.url, "ec2").delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    wait_for(client(server.url, "ec2"), endpoint_id, None)
    assert not is_open(url)

    second = create(client(server.url, "ec2"))
    wait_for(client(server.url, "ec2"), second, "available")
    server.kill()
    wait_until(lambda: not is_open(url), what="the end of the workers")
    server.start()
    wait_for(client(server.url, "ec2"), second, "available")
    assert client(url, "ecr").describe_repositories()["repositories"] == []


def test_an_address_that_is_taken(server: Server) -> None:
    ec2 = client(server.url, "ec2")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        bind(server, url)
        endpoint_id = create(ec2)
        wait_for(ec2, endpoint_id, "failed")
        (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
        assert "another program listens there" in found["LastError"]["Message"]
        with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
            create(ec2, "ecr.api")
        ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
        wait_for(ec2, endpoint_id, None)
        endpoint_id = create(ec2)
        wait_for(ec2, endpoint_id, "failed")
    wait_for(ec2, endpoint_id, "available")
    bind(server, url, second := address())
    other = create(ec2, "ecr.api")
    wait_for(ec2, other, "available")
    listed = json_of(run_command(server, "admin", "network", "list", "--json"))
    assert [one["endpoint"] for one in listed[0]["addresses"]] == [endpoint_id, other]
    zone = run_command(server, "admin", "network", "dns", "--format", "zone").stdout
    assert f"*.dkr.ecr.{REGION}.amazonaws.com. 60 IN A 127.0.0.1" in zone
    hosts = run_command(server, "admin", "network", "dns").stdout
    assert f"123456789012.dkr.ecr.{REGION}.amazonaws.com" in hosts
    bind(server, url)  # one address less: the second endpoint has none any more
    wait_until(lambda: not is_open(second), what="the end of the second address")
    assert is_open(url)


V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def asks(url: str, *preface: bytes) -> int | None:
    """Status of the answer to a request that comes after other bytes; None when the connection is closed."""
    with socket.create_connection(("127.0.0.1", port_of(url)), 10) as opened:
        opened.sendall(b"".join(preface) + b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n")
        try:
            line = opened.recv(64)
        except ConnectionResetError:
            return None
    return int(line.split(b" ")[1]) if line else None


def v2(client_address: str, command: int = 0x21) -> bytes:
    block = socket.inet_aton(client_address) + socket.inet_aton("10.1.0.1") + b"\x00\x50\x01\xbb"
    return V2_SIGNATURE + bytes([command, 0x11]) + len(block).to_bytes(2, "big") + block


def test_who_is_in_the_networks(server: Server) -> None:
    ec2, url = client(server.url, "ec2"), address()
    bind(server, url, cidr="10.0.0.0/8")
    endpoint_id = create(ec2)
    wait_for(ec2, endpoint_id, "available")
    # Nobody here is in 10.0.0.0/8, and what is said of another address is not believed of anybody.
    for preface in (b"", b"PROXY TCP4 10.1.2.3 10.1.0.1 5 443\r\n", v2("10.1.2.3"), v2("10.1.2.3", 0x20)):
        assert asks(url, preface) is None


def test_what_trusted_proxies_say(server: Server) -> None:
    server.stop()
    server.environment = {**server.environment, "ENTREPOT_TRUSTED_PROXIES": "127.0.0.1"}
    server.start()
    ec2, url = client(server.url, "ec2"), address()
    bind(server, url, cidr="10.0.0.0/8")
    endpoint_id = create(ec2)
    wait_for(ec2, endpoint_id, "available")
    for preface in (b"PROXY TCP4 10.1.2.3 10.1.0.1 5 443\r\n", v2("10.1.2.3")):
        assert asks(url, preface) == 401  # nobody has logged in, but the endpoint let them in
    refused = [
        b"",  # a proxy must say for whom it speaks
        b"PROXY UNKNOWN\r\n",
        b"PROXY TCP4 192.0.2.7 10.1.0.1 5 443\r\n",
        b"PROXY TCP6 10.1.2.3 10.1.0.1 5 443\r\n",
        b"PROXY TCP4 x 10.1.0.1 5 443\r\n",
        b"PROXY " + b"x" * 200,
        v2("192.0.2.7"),
        v2("10.1.2.3", 0x20),  # LOCAL: the proxy itself, which is not in 10.0.0.0/8
        V2_SIGNATURE + b"\x21\x11\xff\xff",
    ]
    for preface in refused:
        assert asks(url, preface) is None, preface
