"""Terraform makes repositories under KMS keys: apply, a plan with nothing to do, destroy."""

from __future__ import annotations

from tests.support.terraform import Terraform

REPOSITORIES = """
resource "aws_kms_key" "images" { deletion_window_in_days = 7 }
resource "aws_ecr_repository" "own" {
  name = "terraform/own"
  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.images.arn
  }
}
resource "aws_ecr_repository" "default" {
  name = "terraform/default"
  encryption_configuration { encryption_type = "KMS" }
}
output "key" { value = aws_kms_key.images.arn }
"""


def test_the_life_of_repositories_under_keys(terraform: Terraform) -> None:
    ecr, kms = terraform.client("ecr"), terraform.client("kms")
    terraform.write(REPOSITORIES)
    terraform.apply()
    key = terraform.output("key")
    names = ["terraform/own", "terraform/default"]
    own, default = (
        ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["encryptionConfiguration"]
        for name in names
    )
    assert own == {"encryptionType": "KMS", "kmsKey": key}
    assert default["kmsKey"] == kms.describe_key(KeyId="alias/aws/ecr")["KeyMetadata"]["Arn"]
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 1
    terraform.plan(changes=False)

    terraform.destroy()
    assert ecr.describe_repositories()["repositories"] == []
    assert kms.list_grants(KeyId=key)["Grants"] == []
