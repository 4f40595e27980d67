"""Broken rules in the words of each service."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from entrepot.transport.aws.constraint import constraint_fault
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.validate import ConstraintBroken, compile_shape

LENGTH = "Member must have length less than or equal to 64"


def kms_sentence(operation: str, given: dict[str, Any]) -> str:
    """What KMS says of a request."""
    model = service_model("kms").operation(operation)
    assert model.input is not None
    with pytest.raises(ConstraintBroken) as caught:
        compile_shape(model.input)(given, "")
    return constraint_fault("kms", model, caught.value).fault.message


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
    broken.items = ["good", "x"]
    said = {
        service: constraint_fault(service, service_model(service).operation(operation), broken).fault.message
        for service, operation in (("iam", "UntagUser"), ("sts", "AssumeRole"))
    }

    rule = (
        "failed to satisfy constraint: Member must satisfy constraint: [Member must be good, Member must not be null]"
    )
    assert said == {
        "iam": f"1 validation error detected: Value at 'tagKeys' {rule}",
        "sts": f"1 validation error detected: Value '[good, x]' at 'tagKeys' {rule}",
    }


@pytest.mark.parametrize(
    ("operation", "given", "said"),
    [
        (
            "Encrypt",
            {"KeyId": "x", "Plaintext": base64.b64encode(b"s" * 4097).decode()},
            "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        ),
        (
            "Encrypt",
            {"KeyId": "x", "Plaintext": ""},
            "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
    ],
)
def test_secrets_are_not_said(operation: str, given: dict[str, str], said: str) -> None:
    """Spec: AWS's own answers to these requests."""
    assert kms_sentence(operation, given) == f"1 validation error detected: {said}"


def test_a_value_that_a_list_cannot_have_is_said_with_the_list() -> None:
    given = {"KeyId": "x", "GranteePrincipal": "x", "Operations": ["Encrypt", "DECRYPT"]}

    start = (
        "1 validation error detected: Value '[Encrypt, DECRYPT]' at 'operations' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must satisfy enum value set: [Decrypt, Encrypt, "
    )
    assert kms_sentence("CreateGrant", given).startswith(start)
