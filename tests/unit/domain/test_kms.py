"""Identifiers of keys: what requests call them, and what is none."""

from __future__ import annotations

import pytest

from entrepot.domain.kms import KeyName, key_name_of, parse_key_name
from entrepot.domain.kms_error import ArnOfOtherRegion, KeyIdInvalid, KmsArnInvalid
from entrepot.domain.registry import Registry

OWN, OTHER = Registry("123456789012", "us-east-1"), Registry("210987654321", "us-east-1")
ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ID, KeyName(OWN, ID)),
        ("alias/build", KeyName(OWN, None, "alias/build")),
        (f"arn:aws:kms:us-east-1:123456789012:key/{ID}", KeyName(OWN, ID)),
        (f"arn:aws:kms:us-east-1:210987654321:key/{ID}", KeyName(OTHER, ID)),
        ("arn:aws:kms:us-east-1:210987654321:alias/a/b", KeyName(OTHER, None, "alias/a/b")),
        ("mrk-d3b95762d3b95762d3b95762d3b95762", KeyName(OWN, "mrk-d3b95762d3b95762d3b95762d3b95762")),
    ],
)
def test_identifiers(text: str, name: KeyName) -> None:
    assert parse_key_name(text, OWN) == name
    assert key_name_of(name.arn) == name


@pytest.mark.parametrize(
    "text", ["fake", "134f2428cec14b25a1ae9048164dba47", "mrk-x", f"key/{ID}", f"{ID}\n", "Alias/x"]
)
def test_no_key_can_have_that_id(text: str) -> None:
    with pytest.raises(KeyIdInvalid):
        parse_key_name(text, OWN)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:kms",
        f"arn:aws:kms:us-east-1:12345678901:key/{ID}",
        f"arn:aws:ecr:us-east-1:123456789012:key/{ID}",
        f"arn:aws-cn:kms:us-east-1:123456789012:key/{ID}",
        "arn:aws:kms:us-east-1:123456789012:key/",
        "arn:aws:kms:us-east-1:123456789012:grant/1",
    ],
)
def test_arns_of_something_else(text: str) -> None:
    with pytest.raises(KmsArnInvalid):
        parse_key_name(text, OWN)


def test_keys_are_of_one_region() -> None:
    with pytest.raises(ArnOfOtherRegion) as refused:
        parse_key_name(f"arn:aws:kms:eu-west-1:123456789012:key/{ID}", OWN)
    assert refused.value.region == "eu-west-1"


def test_the_id_in_an_arn_is_looked_at_too() -> None:
    with pytest.raises(KeyIdInvalid):
        parse_key_name("arn:aws:kms:us-east-1:123456789012:key/fake", OWN)


@pytest.mark.parametrize("text", ["", "*", "arn:aws:iam::123456789012:role/a", "arn:aws:kms:us-east-1:*:key/a"])
def test_other_arns_name_no_key(text: str) -> None:
    assert key_name_of(text) is None
