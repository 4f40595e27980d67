"""Terraform's aws_vpc_endpoint: apply, a plan with nothing to do, changes of policy, subnets and tags, destroy."""

from __future__ import annotations

import json
from typing import Any

from tests.support.command import run_command
from tests.support.server import free_port
from tests.support.terraform import Terraform

ENDPOINTS = """
variable "policy" { type = string }
variable "subnets" { type = list(string) }
variable "groups" { type = list(string) }
variable "tags" { type = map(string) }
resource "aws_vpc_endpoint" "api" {
  vpc_id              = "vpc-0123456789abcdef0"
  service_name        = "com.amazonaws.us-east-1.ecr.api"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.subnets
  security_group_ids  = var.groups
  private_dns_enabled = true
  policy              = var.policy
  tags                = var.tags
}
resource "aws_vpc_endpoint" "dkr" {
  vpc_id            = "vpc-0123456789abcdef0"
  service_name      = "com.amazonaws.us-east-1.ecr.dkr"
  vpc_endpoint_type = "Interface"
}
resource "aws_vpc_endpoint" "s3" {
  vpc_id          = "vpc-0123456789abcdef0"
  service_name    = data.aws_vpc_endpoint_service.s3.service_name
  route_table_ids = ["rtb-0123456789abcdef0"]
}
data "aws_vpc_endpoint_service" "s3" {
  service      = "s3"
  service_type = "Gateway"
}
data "aws_vpc_endpoint" "api" { id = aws_vpc_endpoint.api.id }
output "state" { value = data.aws_vpc_endpoint.api.state }
"""
VPC = "vpc-0123456789abcdef0"
SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1", "subnet-0123456789abcdef2"]


def policy(*repositories: str) -> str:
    arns = [f"arn:aws:ecr:us-east-1:123456789012:repository/{name}" for name in repositories]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": arns}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def described(ec2: Any, service: str) -> Any:
    (found,) = ec2.describe_vpc_endpoints(
        Filters=[{"Name": "service-name", "Values": [f"com.amazonaws.us-east-1.{service}"]}]
    )["VpcEndpoints"]
    return found


def bind(terraform: Terraform) -> None:
    """Give the subnets addresses, so that endpoints are pending until workers listen on them."""
    for subnet in SUBNETS:
        options = ("--vpc", VPC, "--cidr", "127.0.0.0/8", "--address", f"http://127.0.0.1:{free_port()}")
        done = run_command(terraform.server, "admin", "network", "bind", subnet, *options)
        assert done.returncode == 0, done.stderr


def test_the_life_of_endpoints(terraform: Terraform) -> None:
    ec2 = terraform.client("ec2")
    bind(terraform)
    terraform.settings = {
        "policy": policy("one"),
        "subnets": SUBNETS[:2],
        "groups": ["sg-0123456789abcdef0"],
        "tags": {"team": "one", "env": "test"},
    }
    terraform.write(ENDPOINTS)
    terraform.apply()
    made = described(ec2, "ecr.api")
    assert terraform.output("state") == made["State"] == "available"
    assert sorted(made["SubnetIds"]) == SUBNETS[:2]
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {"team": "one", "env": "test"}
    assert described(ec2, "s3")["RouteTableIds"] == ["rtb-0123456789abcdef0"]
    assert described(ec2, "ecr.dkr")["Tags"] == []
    terraform.plan(changes=False)

    terraform.settings = {
        "policy": policy("one", "two"),
        "subnets": SUBNETS[1:],
        "groups": ["sg-0123456789abcdef1"],
        "tags": {"team": "two", "cost": "7"},
    }
    terraform.plan(changes=True)
    terraform.apply()
    changed = described(ec2, "ecr.api")
    assert changed["VpcEndpointId"] == made["VpcEndpointId"]
    assert json.loads(changed["PolicyDocument"]) == json.loads(policy("one", "two"))
    assert sorted(changed["SubnetIds"]) == SUBNETS[1:]
    assert [group["GroupId"] for group in changed["Groups"]] == ["sg-0123456789abcdef1"]
    assert {tag["Key"]: tag["Value"] for tag in changed["Tags"]} == {"team": "two", "cost": "7"}
    terraform.plan(changes=False)

    terraform.destroy()
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
