"""Terraform makes, changes and destroys a KMS key with an alias, and finds both again.

The provider waits some 25 seconds for each of tags, policy and rotation to stay: one change of each is enough.
"""

from __future__ import annotations

import json

from tests.support.terraform import Terraform

KEY = """
variable "rotation_days" { type = number }
variable "tags" { type = map(string) }
variable "alias" { type = string }
variable "reader" { type = string }
data "aws_caller_identity" "me" {}
resource "aws_kms_key" "images" {
  description             = "images"
  enable_key_rotation     = var.rotation_days > 0
  rotation_period_in_days = var.rotation_days > 0 ? var.rotation_days : null
  deletion_window_in_days = 7
  tags                    = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Reader"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${var.reader}:root" }
        Action    = ["kms:DescribeKey", "kms:Decrypt"]
        Resource  = "*"
      },
    ]
  })
}
resource "aws_kms_alias" "images" {
  name          = var.alias
  target_key_id = aws_kms_key.images.key_id
}
data "aws_kms_alias" "images" { name = aws_kms_alias.images.name }
data "aws_kms_key" "images" { key_id = aws_kms_alias.images.name }
output "id" { value = aws_kms_key.images.key_id }
output "by_alias" { value = data.aws_kms_alias.images.target_key_id }
output "found" { value = data.aws_kms_key.images.arn }
"""


def test_the_life_of_a_key(terraform: Terraform) -> None:
    kms = terraform.client("kms")
    terraform.settings = {
        "rotation_days": 0,
        "tags": {"team": "web"},
        "alias": "alias/images",
        "reader": "210987654321",
    }
    terraform.write(KEY)
    terraform.apply()
    terraform.plan(changes=False)
    key_id = terraform.output("id")
    assert terraform.output("by_alias") == key_id
    assert terraform.output("found").endswith(f":key/{key_id}")
    shown = kms.describe_key(KeyId="alias/images")["KeyMetadata"]
    assert (shown["KeyId"], shown["Description"], shown["Enabled"]) == (key_id, "images", True)

    assert {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key_id)["Tags"]} == {"team": "web"}
    reader = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])["Statement"][1]["Principal"]["AWS"]
    assert reader == "arn:aws:iam::210987654321:root"

    terraform.settings |= {"rotation_days": 180, "alias": "alias/all-images"}
    terraform.plan(changes=True)
    terraform.apply()
    terraform.plan(changes=False)
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    assert [alias["AliasName"] for alias in kms.list_aliases(KeyId=key_id)["Aliases"]] == ["alias/all-images"]

    terraform.destroy()
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert kms.list_aliases()["Aliases"] == []
