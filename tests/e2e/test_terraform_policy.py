"""Terraform sets, changes and removes policies of repositories and registries, and account settings."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.support.terraform import Terraform

POLICIES = """
variable "actions" { type = list(string) }
variable "scope" { type = string }
data "aws_caller_identity" "me" {}
resource "aws_ecr_repository" "app" { name = "terraform/app" }
resource "aws_iam_user" "puller" {
  name = "puller"
  path = "/ci/"
}
data "aws_iam_policy_document" "app" {
  statement {
    sid     = "pullers"
    actions = var.actions
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.puller.arn, "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"]
    }
  }
}
resource "aws_ecr_repository_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy     = data.aws_iam_policy_document.app.json
}
resource "aws_ecr_registry_policy" "all" {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "replication"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::210987654321:root" }
      Action    = ["ecr:ReplicateImage", "ecr:CreateRepository"]
      Resource  = ["arn:aws:ecr:us-east-1:${data.aws_caller_identity.me.account_id}:repository/*"]
    }]
  })
  depends_on = [aws_ecr_account_setting.scope]
}
resource "aws_ecr_account_setting" "scope" {
  name  = "REGISTRY_POLICY_SCOPE"
  value = var.scope
}
data "aws_ecr_repositories" "all" { depends_on = [aws_ecr_repository.app] }
data "aws_ecr_authorization_token" "token" {}
output "names" { value = join(",", data.aws_ecr_repositories.all.names) }
output "user" { value = data.aws_ecr_authorization_token.token.user_name }
"""


def test_the_life_of_policies(terraform: Terraform) -> None:
    ecr = terraform.client("ecr")
    terraform.settings = {"actions": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "scope": "V2"}
    terraform.write(POLICIES)
    terraform.apply()
    terraform.plan(changes=False)
    (statement,) = json.loads(ecr.get_repository_policy(repositoryName="terraform/app")["policyText"])["Statement"]
    assert statement["Action"] == ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    assert [arn.rpartition(":")[2] for arn in statement["Principal"]["AWS"]] == ["user/ci/puller", "root"]
    assert "ecr:ReplicateImage" in ecr.get_registry_policy()["policyText"]
    assert (terraform.output("names"), terraform.output("user")) == ("terraform/app", "AWS")

    terraform.settings = {"actions": ["ecr:ListImages"], "scope": "V1"}
    terraform.plan(changes=True)
    terraform.apply()
    terraform.plan(changes=False)
    (statement,) = json.loads(ecr.get_repository_policy(repositoryName="terraform/app")["policyText"])["Statement"]
    assert statement["Action"] == "ecr:ListImages"
    assert ecr.get_account_setting(name="REGISTRY_POLICY_SCOPE")["value"] == "V1"

    terraform.destroy()
    assert ecr.describe_repositories()["repositories"] == []
    with pytest.raises(ClientError, match="Registry policy does not exist"):
        ecr.get_registry_policy()
