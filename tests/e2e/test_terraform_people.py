"""Terraform makes, changes and removes users, groups, memberships, access keys and what hangs on them."""

from __future__ import annotations

import boto3

from tests.support.server import REGION
from tests.support.terraform import Terraform

PEOPLE = """
variable "path" { type = string }
variable "name" { type = string }
variable "members" { type = list(string) }
variable "status" { type = string }
variable "tags" { type = map(string) }

resource "aws_iam_user" "mia" {
  name                 = var.name
  path                 = var.path
  permissions_boundary = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess"
  tags                 = var.tags
  force_destroy        = true
}
resource "aws_iam_user" "lea" { name = "lea" }
resource "aws_iam_group" "readers" {
  name = "readers"
  path = var.path
}
resource "aws_iam_group" "writers" { name = "writers" }
resource "aws_iam_group_membership" "readers" {
  name       = "readers"
  group      = aws_iam_group.readers.name
  users      = var.members
  depends_on = [aws_iam_user.mia, aws_iam_user.lea]
}
resource "aws_iam_user_group_membership" "lea" {
  user   = aws_iam_user.lea.name
  groups = [aws_iam_group.writers.name]
}
resource "aws_iam_access_key" "mia" {
  user   = aws_iam_user.mia.name
  status = var.status
}
resource "aws_iam_user_policy" "mia" {
  name   = "own"
  user   = aws_iam_user.mia.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["ecr:DescribeRepositories"], Resource = "*" }]
  })
}
resource "aws_iam_user_policy_attachment" "mia" {
  user       = aws_iam_user.mia.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
}
resource "aws_iam_group_policy_attachment" "readers" {
  group      = aws_iam_group.readers.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
}
resource "aws_iam_account_alias" "alias" { account_alias = "acme" }

data "aws_iam_user" "mia" {
  user_name  = aws_iam_user.mia.name
  depends_on = [aws_iam_user.mia]
}
data "aws_iam_group" "readers" {
  group_name = aws_iam_group.readers.name
  depends_on = [aws_iam_group_membership.readers]
}
data "aws_iam_account_alias" "alias" { depends_on = [aws_iam_account_alias.alias] }
output "user_id" { value = data.aws_iam_user.mia.user_id }
output "users" { value = join(",", sort([for user in data.aws_iam_group.readers.users : user.user_name])) }
output "alias" { value = data.aws_iam_account_alias.alias.account_alias }
output "key" { value = aws_iam_access_key.mia.id }
output "secret" {
  value     = aws_iam_access_key.mia.secret
  sensitive = true
}
"""


def test_the_life_of_people(terraform: Terraform) -> None:
    iam = terraform.client("iam")
    terraform.settings = {
        "path": "/",
        "name": "mia",
        "members": ["mia", "lea"],
        "status": "Active",
        "tags": {"team": "web"},
    }
    terraform.write(PEOPLE)
    terraform.apply()
    terraform.plan(changes=False)
    user = iam.get_user(UserName="mia")["User"]
    assert (user["UserId"], user["Tags"]) == (terraform.output("user_id"), [{"Key": "team", "Value": "web"}])
    assert (terraform.output("users"), terraform.output("alias")) == ("lea,mia", "acme")
    key = {"aws_access_key_id": terraform.output("key"), "aws_secret_access_key": terraform.output("secret")}
    own = boto3.client("sts", endpoint_url=iam.meta.endpoint_url, region_name=REGION, **key)
    assert own.get_caller_identity()["Arn"] == user["Arn"]
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="lea")["Groups"]] == [
        "readers",
        "writers",
    ]

    terraform.settings |= {
        "path": "/team/",
        "name": "mina",
        "members": ["mina"],
        "status": "Inactive",
        "tags": {"Team": "api", "cost": ""},
    }
    terraform.plan(changes=True)
    terraform.apply()
    terraform.plan(changes=False)
    moved = iam.get_user(UserName="mina")["User"]
    assert (moved["UserId"], moved["Path"]) == (user["UserId"], "/team/")
    assert {tag["Key"]: tag["Value"] for tag in moved["Tags"]} == {"Team": "api", "cost": ""}
    (state,) = iam.list_access_keys(UserName="mina")["AccessKeyMetadata"]
    assert (state["AccessKeyId"], state["Status"]) == (terraform.output("key"), "Inactive")
    assert [member["UserName"] for member in iam.get_group(GroupName="readers")["Users"]] == ["mina"]

    iam.create_access_key(UserName="mina")
    terraform.destroy()
    assert (iam.list_users()["Users"], iam.list_groups()["Groups"]) == ([], [])
    assert iam.list_account_aliases()["AccountAliases"] == []
