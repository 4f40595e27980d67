"""Broken rules in the words of each service."""

from __future__ import annotations

import pytest

from entrepot.transport.aws.constraint import constraint_fault
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.validate import ConstraintBroken

LENGTH = "Member must have length less than or equal to 64"


@pytest.mark.parametrize(
    ("service", "operation", "broken", "code", "message"),
    [
        (
            "ecr",
            "PutImage",
            ConstraintBroken("imageTag", LENGTH, "x"),
            "InvalidParameterException",
            f"Invalid parameter at 'imageTag' failed to satisfy constraint: '{LENGTH}'",
        ),
        (
            "sts",
            "AssumeRole",
            ConstraintBroken("Tags.12.member.Key", LENGTH, "x"),
            "ValidationException",
            f"1 validation error detected: Value 'x' at 'tags.12.member.key' failed to satisfy constraint: {LENGTH}",
        ),
        (
            "kms",
            "GenerateRandom",
            ConstraintBroken("NumberOfBytes", LENGTH, "x"),
            "ValidationException",
            f"1 validation error detected: Value 'x' at 'numberOfBytes' failed to satisfy constraint: {LENGTH}",
        ),
        (
            "iam",
            "CreateUser",
            ConstraintBroken("PermissionsBoundary", LENGTH, "x"),
            "ValidationException",
            f"1 validation error detected: Value at 'permissionsBoundary' failed to satisfy constraint: {LENGTH}",
        ),
    ],
)
def test_words(service: str, operation: str, broken: ConstraintBroken, code: str, message: str) -> None:
    fault = constraint_fault(service, service_model(service).operation(operation), broken).fault

    assert (fault.code, fault.message, fault.status) == (code, message, 400)


def test_a_text_in_a_list_breaks_a_rule_of_the_list() -> None:
    broken = ConstraintBroken("TagKeys.2.member", LENGTH, "x", "Member must be good, Member must not be null")
    said = {
        service: constraint_fault(service, service_model(service).operation(operation), broken).fault.message
        for service, operation in (("iam", "UntagUser"), ("sts", "AssumeRole"))
    }

    rule = (
        "failed to satisfy constraint: Member must satisfy constraint: [Member must be good, Member must not be null]"
    )
    assert said == {
        "iam": f"1 validation error detected: Value at 'tagKeys' {rule}",
        "sts": f"1 validation error detected: Value 'x' at 'tagKeys' {rule}",
    }
