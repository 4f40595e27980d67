"""Terraform makes, changes and removes roles with their policies, and works in a role itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.terraform import Terraform

ROLE = """
variable "description" { type = string }
variable "seconds" { type = number }
variable "tags" { type = map(string) }
variable "boundary" { type = string }
variable "actions" { type = list(string) }
data "aws_caller_identity" "me" {}
resource "aws_iam_user" "deployer" {
  name          = "deployer"
  path          = "/ci/"
  force_destroy = true
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.deployer.arn]
    }
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["42"]
    }
  }
}
resource "aws_iam_role" "deploy" {
  name                 = "deploy"
  path                 = "/ci/"
  description          = var.description
  max_session_duration = var.seconds
  permissions_boundary = var.boundary == "" ? null : var.boundary
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = var.tags
}
resource "aws_iam_role_policy" "own" {
  name = "own"
  role = aws_iam_role.deploy.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = var.actions, Resource = "*" }]
  })
}
resource "aws_iam_role_policy_attachment" "pull" {
  role       = aws_iam_role.deploy.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}
resource "aws_iam_instance_profile" "node" {
  name = "node"
  path = "/ci/"
  role = aws_iam_role.deploy.name
  tags = var.tags
}
data "aws_iam_role" "deploy" {
  name       = aws_iam_role.deploy.name
  depends_on = [aws_iam_role.deploy]
}
data "aws_iam_roles" "ci" {
  path_prefix = "/ci/"
  depends_on  = [aws_iam_role.deploy]
}
output "id" { value = data.aws_iam_role.deploy.unique_id }
output "names" { value = join(",", data.aws_iam_roles.ci.names) }
"""

WORK = """
variable "user_key" { type = string }
variable "user_secret" { type = string }
variable "role" { type = string }
provider "aws" {
  alias      = "deploy"
  region     = "us-east-1"
  access_key = var.user_key
  secret_key = var.user_secret
  skip_metadata_api_check = true
  endpoints {
    ecr = var.url
    sts = var.url
  }
  assume_role {
    role_arn     = var.role
    session_name = "terraform"
    external_id  = "42"
    tags         = { team = "web" }
  }
}
data "aws_caller_identity" "session" { provider = aws.deploy }
resource "aws_ecr_repository" "app" {
  provider = aws.deploy
  name     = "deployed/app"
}
output "who" { value = data.aws_caller_identity.session.arn }
"""


def test_the_life_of_a_role(terraform: Terraform) -> None:
    iam = terraform.client("iam")
    terraform.settings = {
        "description": "deploys",
        "seconds": 7200,
        "tags": {"team": "web", "env": ""},
        "boundary": "arn:aws:iam::aws:policy/PowerUserAccess",
        "actions": ["ecr:CreateRepository", "ecr:DescribeRepositories"],
    }
    terraform.write(ROLE)
    terraform.apply()
    terraform.plan(changes=False)
    made = iam.get_role(RoleName="deploy")["Role"]
    assert (made["Path"], made["Description"], made["MaxSessionDuration"]) == ("/ci/", "deploys", 7200)
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("policy/PowerUserAccess")
    (profile,) = iam.list_instance_profiles_for_role(RoleName="deploy")["InstanceProfiles"]
    assert profile["Arn"].endswith(":instance-profile/ci/node")
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {"team": "web", "env": ""}
    assert (terraform.output("id"), terraform.output("names")) == (made["RoleId"], "deploy")

    changed: dict[str, Any] = {"description": "deploys more", "seconds": 3600, "tags": {"team": "db"}, "boundary": ""}
    terraform.settings |= changed | {"actions": ["ecr:*"]}
    terraform.plan(changes=True)
    terraform.apply()
    terraform.plan(changes=False)
    role = iam.get_role(RoleName="deploy")["Role"]
    assert (role["RoleId"], role["Description"], role["MaxSessionDuration"]) == (made["RoleId"], "deploys more", 3600)
    assert (role["Tags"], role.get("PermissionsBoundary")) == ([{"Key": "team", "Value": "db"}], None)

    terraform.destroy()
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    assert iam.list_roles()["Roles"] == iam.list_users()["Users"] == []


def test_terraform_works_in_a_role(terraform: Terraform) -> None:
    """The provider of a user assumes the role, and does with it what the role may do."""
    terraform.settings = {
        "description": "deploys",
        "seconds": 3600,
        "tags": {},
        "boundary": "",
        "actions": ["ecr:*"],
        "user_key": "",
        "user_secret": "",
        "role": "",
    }
    terraform.write(ROLE)
    terraform.apply()
    iam, ecr = terraform.client("iam"), terraform.client("ecr")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    role = iam.get_role(RoleName="deploy")["Role"]["Arn"]
    terraform.settings |= {"user_key": key["AccessKeyId"], "user_secret": key["SecretAccessKey"], "role": role}

    terraform.write(ROLE + WORK)
    terraform.apply()

    terraform.plan(changes=False)
    account = role.split(":")[4]
    assert terraform.output("who") == f"arn:aws:sts::{account}:assumed-role/deploy/terraform"
    assert [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]] == ["deployed/app"]

    iam.delete_role_policy(RoleName="deploy", PolicyName="own")
    with pytest.raises(AssertionError, match="not authorized to perform: ecr:"):
        terraform.plan(changes=False)
