"""Terraform with the AWS provider: apply, a plan with nothing to do, change, destroy."""

from __future__ import annotations

from tests.support.terraform import Terraform

REPOSITORY = """
variable "mutability" { type = string }
variable "scan" { type = bool }
variable "tags" { type = map(string) }
resource "aws_ecr_repository" "app" {
  name                 = "terraform/app"
  image_tag_mutability = var.mutability
  image_scanning_configuration { scan_on_push = var.scan }
  encryption_configuration { encryption_type = "AES256" }
  tags = var.tags
}
data "aws_ecr_repository" "app" {
  name       = aws_ecr_repository.app.name
  depends_on = [aws_ecr_repository.app]
}
output "url" { value = data.aws_ecr_repository.app.repository_url }
"""


def test_the_life_of_a_repository(terraform: Terraform) -> None:
    ecr = terraform.client("ecr")
    terraform.settings = {"mutability": "IMMUTABLE", "scan": True, "tags": {"team": "one", "env": "test"}}
    terraform.write(REPOSITORY)
    terraform.apply()
    (made,) = ecr.describe_repositories()["repositories"]
    assert (made["repositoryName"], made["imageTagMutability"]) == ("terraform/app", "IMMUTABLE")
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert terraform.output("url") == made["repositoryUri"]
    terraform.plan(changes=False)

    terraform.settings = {"mutability": "MUTABLE", "scan": False, "tags": {"team": "two", "cost": "7"}}
    terraform.plan(changes=True)
    terraform.apply()
    (changed,) = ecr.describe_repositories()["repositories"]
    assert changed["imageTagMutability"] == "MUTABLE"
    assert changed["imageScanningConfiguration"] == {"scanOnPush": False}
    tags = ecr.list_tags_for_resource(resourceArn=changed["repositoryArn"])["tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "two", "cost": "7"}
    terraform.plan(changes=False)

    terraform.destroy()
    assert ecr.describe_repositories()["repositories"] == []
