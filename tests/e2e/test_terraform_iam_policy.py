"""Terraform makes, changes and removes managed policies and what they hang on, and simulates what they allow."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.terraform import Terraform

POLICIES = """
variable "actions" { type = list(string) }
variable "team" { type = string }
variable "boundary" { type = string }
data "aws_caller_identity" "me" {}
data "aws_iam_policy_document" "push" {
  statement {
    sid       = "push"
    actions   = var.actions
    resources = ["arn:aws:ecr:*:${data.aws_caller_identity.me.account_id}:repository/$${aws:PrincipalTag/team}/*"]
  }
}
resource "aws_iam_policy" "push" {
  name        = "push"
  path        = "/ci/"
  description = "push where the team is"
  policy      = data.aws_iam_policy_document.push.json
  tags        = { team = var.team }
}
resource "aws_iam_user" "mia" {
  name                 = "mia"
  permissions_boundary = var.boundary
  tags                 = { team = "web" }
}
resource "aws_iam_group" "builders" { name = "builders" }
resource "aws_iam_group_policy" "login" {
  name   = "login"
  group  = aws_iam_group.builders.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" }]
  })
}
resource "aws_iam_group_policy_attachment" "pull" {
  group      = aws_iam_group.builders.name
  policy_arn = data.aws_iam_policy.pull.arn
}
resource "aws_iam_policy_attachment" "push" {
  name       = "push"
  users      = [aws_iam_user.mia.name]
  groups     = [aws_iam_group.builders.name]
  policy_arn = aws_iam_policy.push.arn
}
data "aws_iam_policy" "pull" { name = "AmazonEC2ContainerRegistryPullOnly" }
data "aws_iam_policy" "push" { arn = aws_iam_policy.push.arn }
data "aws_iam_principal_policy_simulation" "mia" {
  policy_source_arn = aws_iam_user.mia.arn
  action_names      = ["ecr:PutImage", "ecr:DeleteRepository"]
  resource_arns     = ["arn:aws:ecr:us-east-1:${data.aws_caller_identity.me.account_id}:repository/web/app"]
  depends_on        = [aws_iam_policy_attachment.push]
}
output "pull" { value = data.aws_iam_policy.pull.arn }
output "description" { value = data.aws_iam_policy.push.description }
output "allowed" {
  value = join(",", [
    for one in data.aws_iam_principal_policy_simulation.mia.results : one.action_name if one.allowed
  ])
}
"""
POWER_USER = "arn:aws:iam::aws:policy/PowerUserAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_the_life_of_managed_policies(terraform: Terraform) -> None:
    iam = terraform.client("iam")
    terraform.settings = {"actions": ["ecr:PutImage", "ecr:UploadLayerPart"], "team": "web", "boundary": POWER_USER}
    terraform.write(POLICIES)
    terraform.apply()
    terraform.plan(changes=False)
    assert terraform.output("pull") == "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
    assert terraform.output("description") == "push where the team is"
    assert terraform.output("allowed") == "ecr:PutImage"
    (policy,) = iam.list_policies(Scope="Local")["Policies"]
    assert (policy["Path"], policy["AttachmentCount"], policy["DefaultVersionId"]) == ("/ci/", 2, "v1")

    for number in range(5):  # more often than a policy has versions: the provider removes the oldest
        terraform.settings |= {"actions": [f"ecr:List{number}*"], "team": f"team-{number}", "boundary": READ_ONLY}
        terraform.apply()
    terraform.plan(changes=False)
    versions = iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]
    assert [version["VersionId"] for version in versions] == ["v6", "v5", "v4", "v3", "v2"]
    document = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v6")["PolicyVersion"]["Document"]
    assert document["Statement"][0]["Action"] == "ecr:List4*"
    assert iam.get_policy(PolicyArn=policy["Arn"])["Policy"]["Tags"] == [{"Key": "team", "Value": "team-4"}]
    user = iam.get_user(UserName="mia")["User"]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY

    terraform.destroy()
    assert iam.list_policies(Scope="Local")["Policies"] == []
    with pytest.raises(ClientError, match="cannot be found"):
        iam.get_group(GroupName="builders")
