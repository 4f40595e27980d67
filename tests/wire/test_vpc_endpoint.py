"""VPC endpoints through EC2's Query API."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from entrepot.transport.aws.ec2.vpc_endpoint import FULL_ACCESS
from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import document
from tests.support.person import make_user
from tests.support.registry import HOME

VPC, SUBNET, GROUP = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
API = f"com.amazonaws.{HOME.region}.ecr.api"
UNKNOWN = "vpce-00000000000000000"


async def create(aws: AwsWorld, **parameters: Any) -> Reply:
    given = {"VpcId": VPC, "ServiceName": API, "VpcEndpointType": "Interface", "SubnetIds": [SUBNET]}
    return await aws.client.ec2("CreateVpcEndpoint", **(given | parameters))


async def made(aws: AwsWorld, **parameters: Any) -> str:
    endpoint_id: str = (await create(aws, **parameters))["VpcEndpoint"]["VpcEndpointId"]
    return endpoint_id


async def describe(aws: AwsWorld, endpoint_id: str) -> dict[str, Any]:
    (found,) = (await aws.client.ec2("DescribeVpcEndpoints", VpcEndpointIds=[endpoint_id]))["VpcEndpoints"]
    return dict(found)


async def modify(aws: AwsWorld, endpoint_id: str, **parameters: Any) -> Reply:
    return await aws.client.ec2("ModifyVpcEndpoint", VpcEndpointId=endpoint_id, **parameters)


def policy(*actions: str) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": "*"}]})


def specification(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}]


async def test_from_create_to_delete(aws: AwsWorld) -> None:
    reply = await create(aws, TagSpecifications=specification({"team": "web"}), SecurityGroupIds=[GROUP])
    shown = reply["VpcEndpoint"]
    assert shown["VpcEndpointId"].startswith("vpce-")
    assert (shown["State"], shown["VpcId"], shown["SubnetIds"], shown["OwnerId"]) == (
        "available",
        VPC,
        [SUBNET],
        HOME.account_id,
    )
    assert (shown["Tags"], shown["PolicyDocument"]) == ([{"Key": "team", "Value": "web"}], FULL_ACCESS)
    assert shown["Groups"] == [{"GroupId": GROUP, "GroupName": GROUP}]
    assert abs(shown["CreationTimestamp"] - aws.registry.clock.now()) < timedelta(seconds=30)
    own, private = [entry["DnsName"] for entry in shown["DnsEntries"]]
    assert own == f"{shown['VpcEndpointId']}.api.ecr.us-east-1.vpce.amazonaws.com"
    assert private == "api.ecr.us-east-1.amazonaws.com"
    assert await describe(aws, shown["VpcEndpointId"]) == shown

    gone = await aws.client.ec2("DeleteVpcEndpoints", VpcEndpointIds=[shown["VpcEndpointId"], UNKNOWN])
    (failed,) = gone["Unsuccessful"]
    assert (failed["ResourceId"], failed["Error"]["Code"]) == (UNKNOWN, "InvalidVpcEndpointId.NotFound")
    assert (await aws.client.ec2("DescribeVpcEndpoints"))["VpcEndpoints"] == []
    assert (await aws.client.ec2("DescribeTags"))["Tags"] == []


async def test_everything_of_it_can_be_changed(aws: AwsWorld) -> None:
    endpoint_id, other = await made(aws), "subnet-0123456789abcdef1"
    assert (await modify(aws, endpoint_id, PolicyDocument=policy("ecr:*")))["Return"] is True
    assert json.loads((await describe(aws, endpoint_id))["PolicyDocument"]) == json.loads(policy("ecr:*"))
    await modify(aws, endpoint_id, ResetPolicy=True, PrivateDnsEnabled=False)
    await modify(aws, endpoint_id, AddSubnetIds=[other], RemoveSubnetIds=[SUBNET], AddSecurityGroupIds=[GROUP])
    shown = await describe(aws, endpoint_id)
    assert (shown["PolicyDocument"], shown["PrivateDnsEnabled"], shown["SubnetIds"]) == (FULL_ACCESS, False, [other])
    assert [one["GroupName"] for one in shown["Groups"]] == ["default", GROUP]
    assert len(shown["DnsEntries"]) == 1


async def test_the_gateway_of_s3(aws: AwsWorld) -> None:
    service, table = "com.amazonaws.us-east-1.s3", "rtb-0123456789abcdef0"
    reply = await create(aws, ServiceName=service, VpcEndpointType="Gateway", RouteTableIds=[table], SubnetIds=[])
    shown = reply["VpcEndpoint"]
    assert (shown["VpcEndpointType"], shown["State"], shown["RouteTableIds"]) == ("Gateway", "available", [table])
    assert (shown["DnsEntries"], shown["Tags"]) == ([], [])
    (prefix_list,) = (await aws.client.ec2("DescribePrefixLists"))["PrefixLists"]
    assert prefix_list["PrefixListName"] == service


BAD = [
    ({"VpcId": "x"}, "InvalidVpcId.Malformed"),
    ({"VpcId": "vpc-xyz"}, "InvalidVpcId.Malformed"),
    ({"SubnetIds": ["subnet-1"]}, "InvalidSubnetId.Malformed"),
    ({"SecurityGroupIds": ["sg-*"]}, "InvalidGroupId.Malformed"),
    ({"ServiceName": "com.amazonaws.us-east-1.lambda"}, "InvalidServiceName"),
    ({"ServiceName": "com.amazonaws.eu-west-1.ecr.api"}, "InvalidServiceName"),
    ({"VpcEndpointType": "Gateway"}, "InvalidParameter"),
    ({"VpcEndpointType": "Tunnel"}, "InvalidParameter"),
    ({"RouteTableIds": ["rtb-12345678"]}, "InvalidParameter"),
    ({"PolicyDocument": "{}"}, "InvalidPolicyDocument"),
    ({"PolicyDocument": document()}, "InvalidPolicyDocument"),
    ({"PolicyDocument": "x" * 30_000}, "InvalidPolicyDocument"),
    ({"TagSpecifications": specification({"aws:x": "y"})}, "InvalidParameterValue"),
    ({"TagSpecifications": specification({"": "y"})}, "MissingParameter"),
    ({"TagSpecifications": [{"ResourceType": "instance"}]}, "InvalidParameter"),
    ({"SubnetConfigurations": [{"SubnetId": SUBNET, "Ipv4": "10.0.0.x"}]}, "InvalidParameter"),
    ({"VpcEndpointType": "None"}, "InvalidParameterValue"),
    ({"DryRun": True}, "DryRunOperation"),
]


@pytest.mark.parametrize(("parameters", "code"), BAD)
async def test_what_cannot_be_made(sqlite_aws: AwsWorld, parameters: dict[str, Any], code: str) -> None:
    assert (await create(sqlite_aws, **parameters)).code == code
    assert (await sqlite_aws.client.ec2("DescribeVpcEndpoints"))["VpcEndpoints"] == []


async def test_what_must_be_given(sqlite_aws: AwsWorld) -> None:
    reply = await sqlite_aws.client.ec2("CreateVpcEndpoint", ServiceName=API)
    assert (reply.code, reply.message) == ("MissingParameter", "The request must contain the parameter VpcId")
    assert (await sqlite_aws.client.ec2("ModifyVpcEndpoint")).code == "MissingParameter"
    assert (await modify(sqlite_aws, UNKNOWN)).code == "InvalidVpcEndpointId.NotFound"
    described = await sqlite_aws.client.ec2("DescribeVpcEndpoints", VpcEndpointIds=[UNKNOWN])
    assert described.code == "InvalidVpcEndpointId.NotFound"


async def test_a_client_token_makes_one(aws: AwsWorld) -> None:
    first = await made(aws, ClientToken="once")
    assert await made(aws, ClientToken="once") == first
    assert (await create(aws, ClientToken="once", SubnetIds=[])).code == "IdempotentParameterMismatch"
    assert await made(aws, ClientToken="twice") != first


async def test_filters_and_pages(aws: AwsWorld) -> None:
    ids = sorted([await made(aws, TagSpecifications=specification({"n": str(n)})) for n in range(3)])
    await made(aws, ServiceName="com.amazonaws.us-east-1.ecr.dkr", VpcId="vpc-12345678")

    async def found(**filters: str) -> list[str]:
        given = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        reply = await aws.client.ec2("DescribeVpcEndpoints", Filters=given)
        return [one["VpcEndpointId"] for one in reply["VpcEndpoints"]]

    assert await found(service_name="*.ecr.api") == ids
    assert await found(vpc_id=VPC, vpc_endpoint_state="available") == ids
    assert await found(vpc_endpoint_type="Gateway") == []
    assert len(await found(tag_key="n")) == 3
    assert len(await found(**{"tag:n": "1"})) == 1
    unknown = await aws.client.ec2("DescribeVpcEndpoints", Filters=[{"Name": "color", "Values": ["red"]}])
    assert (unknown.code, unknown.message) == ("InvalidParameterValue", "The filter 'color' is invalid")

    pages, token = list[str](), ""
    while True:
        page = await aws.client.ec2("DescribeVpcEndpoints", MaxResults=2, **({"NextToken": token} if token else {}))
        pages += [one["VpcEndpointId"] for one in page["VpcEndpoints"]]
        if not (token := page.parsed.get("NextToken", "")):
            break
    assert (len(pages), sorted(pages)) == (4, pages)
    assert (await aws.client.ec2("DescribeVpcEndpoints", NextToken="x")).code == "InvalidParameterValue"


async def test_tags_are_the_callers(aws: AwsWorld) -> None:
    endpoint_id = await made(aws)
    tags = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    assert (await aws.client.ec2("CreateTags", Resources=[endpoint_id, SUBNET], Tags=tags)).status == 200
    assert (await describe(aws, endpoint_id))["Tags"] == [tags[1], tags[0]]
    kept = [{"Key": "a", "Value": "other"}, {"Key": "A"}]
    assert (await aws.client.ec2("DeleteTags", Resources=[endpoint_id], Tags=kept)).status == 200
    assert (await describe(aws, endpoint_id))["Tags"] == [tags[0]]
    (subnet,) = (await aws.client.ec2("DescribeSubnets", SubnetIds=[SUBNET]))["Subnets"]
    assert (subnet["VpcId"], len(subnet["Tags"])) == (VPC, 2)
    assert (await aws.client.ec2("DeleteTags", Resources=[endpoint_id, SUBNET])).status == 200
    assert (await aws.client.ec2("DescribeTags"))["Tags"] == []
    assert (await aws.client.ec2("CreateTags", Resources=[UNKNOWN], Tags=tags)).code == "InvalidVpcEndpointId.NotFound"
    many = [{"Key": str(n), "Value": ""} for n in range(51)]
    assert (await aws.client.ec2("CreateTags", Resources=[endpoint_id], Tags=many)).code == "TagLimitExceeded"


async def test_what_surrounds_an_endpoint(aws: AwsWorld) -> None:
    endpoint_id = await made(aws, SecurityGroupIds=[GROUP])
    (vpc,) = (await aws.client.ec2("DescribeVpcs"))["Vpcs"]
    (group,) = (await aws.client.ec2("DescribeSecurityGroups"))["SecurityGroups"]
    (interface,) = (await aws.client.ec2("DescribeNetworkInterfaces"))["NetworkInterfaces"]
    assert (vpc["VpcId"], group["GroupId"], group["VpcId"]) == (VPC, GROUP, VPC)
    assert (await describe(aws, endpoint_id))["NetworkInterfaceIds"] == [interface["NetworkInterfaceId"]]
    any_vpc = await aws.client.ec2("DescribeVpcs", VpcIds=["vpc-12345678"])
    assert [one["VpcId"] for one in any_vpc["Vpcs"]] == ["vpc-12345678"]
    assert (await aws.client.ec2("DescribeVpcs", VpcIds=["x"])).code == "InvalidVpcId.Malformed"
    nothing = await aws.client.ec2("DescribeNetworkInterfaces", NetworkInterfaceIds=["eni-12345678"])
    assert nothing.code == "InvalidNetworkInterfaceID.NotFound"
    services = await aws.client.ec2("DescribeVpcEndpointServices")
    assert services["ServiceNames"] == [API, "com.amazonaws.us-east-1.ecr.dkr", "com.amazonaws.us-east-1.s3"]


async def test_who_may_make_which(aws: AwsWorld) -> None:
    ana = await make_user(aws, "ana")
    client = ana.aws
    given = {"VpcId": VPC, "ServiceName": API, "VpcEndpointType": "Interface"}
    denied = await client.ec2("CreateVpcEndpoint", **given)
    assert (denied.status, denied.code) == (403, "UnauthorizedOperation")
    assert denied.message.startswith("You are not authorized to perform this operation. User: arn:aws:iam::")
    only_api = {"StringEquals": {"ec2:VpceServiceName": API}}
    only_dkr = {"StringEquals": {"ec2:VpceServiceName": "com.amazonaws.us-east-1.ecr.dkr"}}
    await ana.have(document("ec2:CreateVpcEndpoint", Condition=only_dkr))
    assert (await client.ec2("CreateVpcEndpoint", **given)).code == "UnauthorizedOperation"
    given["ServiceName"] = "com.amazonaws.us-east-1.ecr.dkr"
    assert (await client.ec2("CreateVpcEndpoint", **given, DryRun=True)).code == "DryRunOperation"
    tagged = given | {"TagSpecifications": specification({"team": "web"})}
    assert (await client.ec2("CreateVpcEndpoint", **tagged)).code == "UnauthorizedOperation"
    on_create = {"StringEquals": {"ec2:CreateAction": "CreateVpcEndpoint", "aws:RequestTag/team": "web"}}
    await ana.have(document("ec2:CreateVpcEndpoint"), document("ec2:CreateTags", Condition=on_create))
    endpoint_id = (await client.ec2("CreateVpcEndpoint", **tagged))["VpcEndpoint"]["VpcEndpointId"]
    retag = await client.ec2("CreateTags", Resources=[endpoint_id], Tags=[{"Key": "team", "Value": "web"}])
    assert retag.code == "UnauthorizedOperation"
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "web"}}
    await ana.have(document("ec2:DeleteVpcEndpoints", Condition=by_tag))
    other = await made(aws)
    assert (await client.ec2("DeleteVpcEndpoints", VpcEndpointIds=[other])).code == "UnauthorizedOperation"
    assert (await client.ec2("DeleteVpcEndpoints", VpcEndpointIds=[endpoint_id])).status == 200
    await ana.have(document("ec2:*"), document("ec2:ModifyVpcEndpoint", "Deny", Condition=only_api))
    other_service = await made(aws, ServiceName="com.amazonaws.us-east-1.ecr.dkr")
    for one, code in ((other, "UnauthorizedOperation"), (other_service, None)):
        assert (await client.ec2("ModifyVpcEndpoint", VpcEndpointId=one, ResetPolicy=True)).code == code


async def test_endpoints_of_another_account_or_region_are_nowhere(aws: AwsWorld) -> None:
    endpoint_id = await made(aws)
    for stranger in (aws.stranger, replace(aws.client, region="eu-west-1")):
        assert (await stranger.ec2("DescribeVpcEndpoints"))["VpcEndpoints"] == []
        gone = await stranger.ec2("DeleteVpcEndpoints", VpcEndpointIds=[endpoint_id])
        assert gone["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpointId.NotFound"
