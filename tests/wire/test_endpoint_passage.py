"""What comes through a private endpoint: its condition keys, its policy, its download URLs, on both planes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.aws import AwsWorld
from tests.support.endpoint import SUBNET, OpenEndpoint, modified, open_endpoint
from tests.support.person import make_user
from tests.support.registry import HOME

PULL = "/v2/team/app/manifests/v1"
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


@pytest.fixture
async def endpoint(aws: AwsWorld) -> AsyncIterator[OpenEndpoint]:
    await aws.create("team/app")
    await aws.registry.client.put_image("team/app", "v1")
    async with open_endpoint(aws) as opened:
        yield opened


async def only_if(aws: AwsWorld, condition: dict[str, Any]) -> None:
    """Deny everything of the repository unless the condition holds."""
    statements = [{"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage", "Condition": condition}]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    reply = await aws.client.ecr("SetRepositoryPolicy", repositoryName="team/app", policyText=text, force=True)
    assert reply.status == 200


async def pulls(aws: AwsWorld, endpoint: OpenEndpoint) -> tuple[bool, bool, bool, bool]:
    """Whether an image can be pulled: API and `/v2/` from outside, API and `/v2/` through the endpoint."""
    given = {"repositoryName": "team/app", "imageIds": [{"imageTag": "v1"}]}
    outside, inside = [await client.ecr("BatchGetImage", **given) for client in (aws.client, endpoint.aws)]
    first, second = await aws.registry.client.send("GET", PULL), await endpoint.oci.send("GET", PULL)
    for answer in (first, second):
        assert answer.status in (200, 403)
    return outside.status == 200, first.status == 200, inside.status == 200, second.status == 200


OUTSIDE_ONLY, INSIDE_ONLY, BOTH = (True, True, False, False), (False, False, True, True), (True,) * 4


async def test_a_policy_that_demands_the_endpoint(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    assert await pulls(aws, endpoint) == BOTH
    await only_if(aws, {"StringNotEquals": {"aws:SourceVpce": endpoint.id}})
    for _ in range(2):  # what is remembered of one way says nothing of the other
        assert await pulls(aws, endpoint) == INSIDE_ONLY
    await only_if(aws, {"StringEquals": {"aws:SourceVpce": endpoint.id}})
    assert await pulls(aws, endpoint) == OUTSIDE_ONLY


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringNotEquals": {"aws:SourceVpc": "vpc-0123456789abcdef0"}}, INSIDE_ONLY),
        ({"NotIpAddress": {"aws:VpcSourceIp": "127.0.0.0/8"}}, INSIDE_ONLY),
        ({"Null": {"aws:SourceIp": "false"}}, INSIDE_ONLY),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.1"}}, INSIDE_ONLY),
        ({"IpAddress": {"aws:VpcSourceIp": "127.0.0.1"}}, OUTSIDE_ONLY),
    ],
)
async def test_its_condition_keys(
    aws: AwsWorld, endpoint: OpenEndpoint, condition: dict[str, Any], expected: tuple[bool, ...]
) -> None:
    await only_if(aws, condition)
    assert await pulls(aws, endpoint) == expected


async def test_its_policy_must_allow(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    assert await pulls(aws, endpoint) == BOTH
    other = {**ALLOW, "Resource": HOME.repository_arn("team/other")}
    await endpoint.allow(aws, [other])
    assert await pulls(aws, endpoint) == OUTSIDE_ONLY
    denied = await endpoint.aws.ecr("DescribeRepositories", repositoryNames=["team/app"])
    assert denied.message.endswith("because no VPC endpoint policy allows the ecr:DescribeRepositories action")
    await endpoint.allow(aws, [other, {**ALLOW, "Resource": HOME.repository_arn("team/app")}])
    assert await pulls(aws, endpoint) == BOTH
    await endpoint.allow(aws, [ALLOW, {**ALLOW, "Effect": "Deny", "Action": "ecr:BatchGetImage"}])
    assert await pulls(aws, endpoint) == OUTSIDE_ONLY
    await modified(aws, endpoint.id, ResetPolicy=True)
    assert await pulls(aws, endpoint) == BOTH


async def test_its_policy_names_users(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    ana = await make_user(aws, "ana")
    await ana.allow("ecr:*")
    given = {"repositoryName": "team/app", "imageIds": [{"imageTag": "v1"}]}
    through = replace(ana.aws, gate=endpoint.gate)
    await endpoint.allow(aws, [{**ALLOW, "Principal": {"AWS": ana.entity.arn}}])
    assert (await through.ecr("BatchGetImage", **given)).status == 200
    assert (await endpoint.aws.ecr("BatchGetImage", **given)).code == "AccessDeniedException"


async def test_nobody_else_comes_in(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    given = {"repositoryNames": ["team/app"]}
    foreign = replace(endpoint.aws, address="192.0.2.7")
    refused = await foreign.ecr("DescribeRepositories", **given)
    assert (refused.code, refused.message) == (
        "AccessDeniedException",
        f"The VPC endpoint {endpoint.id} is closed to this address",
    )
    assert (await foreign.ec2("DescribeVpcs")).code == "UnauthorizedOperation"
    elsewhere = replace(endpoint.aws, gate=replace(endpoint.gate, address="http://127.0.0.1:1"))
    assert (await elsewhere.ecr("DescribeRepositories", **given)).code == "AccessDeniedException"
    await aws.client.ec2("DeleteVpcEndpoints", VpcEndpointIds=[endpoint.id])
    assert (await endpoint.aws.ecr("DescribeRepositories", **given)).code == "AccessDeniedException"
    closed = await endpoint.oci.send("GET", PULL)
    assert (closed.status, closed.codes) == (403, ["DENIED"])


async def test_other_networks_hold_at_once(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    network = aws.registry.services.vpc_network
    (subnet,) = await network.subnets(HOME)
    await network.bind(replace(subnet, cidrs=("10.0.0.0/8",)))
    assert await pulls(aws, endpoint) == OUTSIDE_ONLY
    await network.bind(replace(subnet, cidrs=("10.0.0.0/8", "127.0.0.1/32")))
    assert await pulls(aws, endpoint) == BOTH
    await network.unbind(HOME, SUBNET)
    assert await pulls(aws, endpoint) == OUTSIDE_ONLY


async def test_a_download_url_works_where_it_was_given(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    manifest = await aws.registry.client.send("GET", PULL)
    digest = json.loads(manifest.body)["layers"][0]["digest"]
    given = {"repositoryName": "team/app", "layerDigest": digest}
    inside = (await endpoint.aws.ecr("GetDownloadUrlForLayer", **given))["downloadUrl"]
    outside = (await aws.client.ecr("GetDownloadUrlForLayer", **given))["downloadUrl"]
    assert inside.startswith(endpoint.gate.address)
    for url, through, other in (
        (inside, endpoint.oci, aws.registry.client),
        (outside, aws.registry.client, endpoint.oci),
    ):
        path = "/layers/" + url.partition("/layers/")[2]
        assert (await through.send("GET", path)).status == 200
        assert (await through.send("HEAD", path)).status == 200
        assert (await other.send("GET", path)).status == 403


async def test_headers_make_nobody_come_through_it(aws: AwsWorld, endpoint: OpenEndpoint) -> None:
    await only_if(aws, {"StringNotEquals": {"aws:SourceVpce": endpoint.id}})
    forged = {
        "Host": f"{endpoint.id}.dkr.ecr.us-east-1.vpce.amazonaws.com",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "dkr.ecr.us-east-1.amazonaws.com",
        "X-Amz-Source-Vpce": endpoint.id,
        "x-amzn-vpce-id": endpoint.id,
    }
    assert (await aws.registry.client.send("GET", PULL, headers=forged)).status == 403
    assert (await endpoint.oci.send("GET", PULL, headers={"X-Forwarded-For": "192.0.2.7"})).status == 200
