"""Grants: what they allow, under which encryption context, and that nobody hands on more than he has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.domain.kms_grant import Constraints, KmsGrant

A = {"app": "a"}
AB = {"app": "a", "stage": "b"}


def grant(*operations: str, **constraints: Any) -> KmsGrant:
    limits = Constraints(**constraints)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    return KmsGrant("id", "arn", "token", None, "grantee", None, "issuer", operations, now, limits)


def keys(context: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """What a request with that encryption context tells the policies."""
    found: dict[str, tuple[str, ...]] = {"kms:encryptioncontextkeys": tuple(context)}
    for name, value in context.items():
        place = f"kms:encryptioncontext:{name.lower()}"
        found[place] = (*found.get(place, ()), value)
    return found


def test_its_operations_and_no_others() -> None:
    made = grant("Decrypt", "ReEncryptFrom", "DescribeKey")
    for action in ("kms:Decrypt", "kms:decrypt", "kms:ReEncryptFrom", "kms:DescribeKey"):
        assert made.allows(action, {})
    for action in ("kms:Encrypt", "kms:ReEncryptTo", "kms:CreateGrant", "kms:PutKeyPolicy", "ecr:Decrypt"):
        assert not made.allows(action, {})


def test_that_it_may_be_retired_says_nothing_of_others() -> None:
    assert not grant("Encrypt", "RetireGrant").allows("kms:RetireGrant", {})


@pytest.mark.parametrize(
    ("constraints", "context", "is_allowed"),
    [
        ({"equals": A}, A, True),
        ({"equals": A}, AB, False),
        ({"equals": A}, {}, False),
        ({"equals": A}, {"app": "b"}, False),
        ({"equals": A}, {"App": "a"}, False),
        ({"equals": {}}, {}, True),
        ({"equals": {}}, A, False),
        ({"subset": A}, A, True),
        ({"subset": A}, AB, True),
        ({"subset": A}, {"stage": "b"}, False),
        ({"subset": A}, {"app": "A"}, False),
        ({"subset": A}, {"APP": "a"}, False),
        ({"subset": A}, {"app": "z", "APP": "a"}, False),
        ({"subset": A}, {"app": "a", "APP": "z"}, False),
        ({"subset": {}}, A, True),
    ],
)
def test_the_encryption_context(constraints: dict[str, Any], context: dict[str, str], is_allowed: bool) -> None:
    assert grant("Decrypt", **constraints).allows("kms:Decrypt", keys(context)) == is_allowed


def test_what_has_no_context_is_free_of_constraints() -> None:
    made = grant("DescribeKey", "Encrypt", equals=A)
    assert made.allows("kms:DescribeKey", {})
    assert not made.allows("kms:Encrypt", {})


@pytest.mark.parametrize(
    ("held", "operations", "wanted", "is_allowed"),
    [
        ({}, ("Decrypt",), {}, True),
        ({}, ("Decrypt", "Encrypt"), {}, False),
        ({"subset": A}, ("Decrypt",), {}, False),
        ({"subset": A}, ("Decrypt",), {"subset": AB}, True),
        ({"subset": A}, ("Decrypt",), {"equals": AB}, True),
        ({"subset": AB}, ("Decrypt",), {"subset": A}, False),
        ({"equals": A}, ("Decrypt",), {"equals": A}, True),
        ({"equals": A}, ("Decrypt",), {"subset": A}, False),
        ({"equals": A}, ("CreateGrant",), {"equals": A}, True),
    ],
)
def test_nobody_hands_on_more_than_he_has(
    held: dict[str, Any], operations: tuple[str, ...], wanted: dict[str, Any], is_allowed: bool
) -> None:
    asked = {"kms:grantoperations": operations, "entrepot:grantconstraints": (Constraints(**wanted).to_text(),)}
    assert grant("CreateGrant", "Decrypt", **held).allows("kms:CreateGrant", asked) == is_allowed


CONTEXTS = st.dictionaries(st.sampled_from(["app", "stage"]), st.sampled_from(["a", "b"]))
CONSTRAINTS = st.builds(Constraints, st.none() | CONTEXTS, st.none() | CONTEXTS)


@given(CONSTRAINTS, CONSTRAINTS, CONTEXTS)
def test_stricter_constraints_let_nothing_pass_that_the_others_stop(
    held: Constraints, other: Constraints, context: dict[str, str]
) -> None:
    if held.are_kept_by(other) and other.hold(context):
        assert held.hold(context)


@given(CONSTRAINTS)
def test_constraints_are_kept_as_they_are(constraints: Constraints) -> None:
    assert Constraints.parse(constraints.to_text()) == constraints
