"""Terraform trusts, changes and forgets an OpenID Connect provider, with a role for its tokens."""

from __future__ import annotations

import json

from tests.support.terraform import Terraform

FEDERATION = """
variable "audiences" { type = list(string) }
variable "thumbprints" { type = list(string) }
variable "tags" { type = map(string) }
resource "aws_iam_openid_connect_provider" "ci" {
  url             = "https://token.actions.githubusercontent.com"
  client_id_list  = var.audiences
  thumbprint_list = length(var.thumbprints) == 0 ? null : var.thumbprints
  tags            = var.tags
}
data "aws_iam_openid_connect_provider" "ci" {
  url        = "https://token.actions.githubusercontent.com"
  depends_on = [aws_iam_openid_connect_provider.ci]
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.ci.arn]
    }
    condition {
      test     = "StringLike"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:rapidcart/backend:*"]
    }
  }
}
resource "aws_iam_role" "ci" {
  name               = "ci"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
output "arn" { value = data.aws_iam_openid_connect_provider.ci.arn }
"""
AUDIENCE = "sts.amazonaws.com"
THUMBPRINT = "6938fd4d98bab03faadb97b34396831e3780aea1"
ARN = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"


def test_the_life_of_a_provider(terraform: Terraform) -> None:
    iam = terraform.client("iam")
    terraform.settings = {"audiences": [AUDIENCE], "thumbprints": [], "tags": {"for": "ci"}}
    terraform.write(FEDERATION)
    terraform.apply()
    terraform.plan(changes=False)
    assert terraform.output("arn") == ARN
    shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert (shown["ClientIDList"], shown["ThumbprintList"]) == ([AUDIENCE], [])
    trust = iam.get_role(RoleName="ci")["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"Federated": ARN}, json.dumps(trust)

    terraform.settings |= {"audiences": ["https://github.com/rapidcart", AUDIENCE], "tags": {"for": "all", "by": "us"}}
    terraform.settings |= {"thumbprints": [THUMBPRINT]}
    terraform.plan(changes=True)
    terraform.apply()
    terraform.plan(changes=False)
    shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert sorted(shown["ClientIDList"]) == ["https://github.com/rapidcart", AUDIENCE]
    assert shown["ThumbprintList"] == [THUMBPRINT]
    assert {tag["Key"]: tag["Value"] for tag in shown["Tags"]} == {"for": "all", "by": "us"}

    terraform.destroy()
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
