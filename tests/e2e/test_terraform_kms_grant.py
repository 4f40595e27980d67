"""Terraform makes, replaces and takes away a grant on a KMS key."""

from __future__ import annotations

from tests.support.terraform import Terraform

GRANT = """
variable "operations" { type = list(string) }
resource "aws_kms_key" "build" { deletion_window_in_days = 7 }
resource "aws_iam_role" "build" {
  name = "build"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}
resource "aws_kms_grant" "build" {
  name              = "build"
  key_id            = aws_kms_key.build.key_id
  grantee_principal = aws_iam_role.build.arn
  operations        = var.operations
  constraints {
    encryption_context_equals = { app = "shop" }
  }
}
output "key" { value = aws_kms_key.build.arn }
output "grant" { value = aws_kms_grant.build.grant_id }
"""


def test_the_life_of_a_grant(terraform: Terraform) -> None:
    kms = terraform.client("kms")
    terraform.settings = {"operations": ["Encrypt", "Decrypt"]}
    terraform.write(GRANT)
    terraform.apply()
    terraform.plan(changes=False)
    key, first = terraform.output("key"), terraform.output("grant")
    (made,) = kms.list_grants(KeyId=key)["Grants"]
    assert (made["GrantId"], made["Name"], sorted(made["Operations"])) == (first, "build", ["Decrypt", "Encrypt"])
    assert made["Constraints"] == {"EncryptionContextEquals": {"app": "shop"}}

    terraform.settings = {"operations": ["Decrypt"]}
    terraform.plan(changes=True)
    terraform.apply()
    terraform.plan(changes=False)
    (made,) = kms.list_grants(KeyId=key)["Grants"]
    assert made["GrantId"] != first
    assert made["Operations"] == ["Decrypt"]

    terraform.destroy()
    assert kms.list_grants(KeyId=key)["Grants"] == []
