"""Every pattern of the services we speak, or will, answers adversarial text at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
import re2

from entrepot.transport.aws.model import Shape, service_model
from entrepot.transport.aws.validate import PATTERN_LENGTH_MAX, ConstraintBroken, compile_shape, to_re2

SERVICES = {"ecr": "2015-09-21", "ecr-public": "2020-10-30", "iam": "2010-05-08"}
SERVICES |= {"entrepot": "2026-11-01", "kms": "2014-11-01", "sts": "2011-06-15"}
LIMIT_SECONDS = 0.010
PIECES = ["a", "0", "a-", "a.", "a_", "a/", "a--", "aa_a/", "*", "*-", "-", "/", "a:", "aws-", "AA", "é"]
PIECES += ["arn:aws-a", "\u00a0"]
ENDS = ["", "!", "/", "-", "\n", "é", "\U0001f600"]


def patterned() -> Iterator[tuple[str, str]]:
    for service, version in SERVICES.items():
        model = service_model(service, version)
        for name in model.shape_names:
            if model.resolve({"shape": name}).pattern:
                yield service, name


PATTERNED = sorted(patterned())


def shape_of(service: str, name: str) -> Shape:
    return service_model(service, SERVICES[service]).resolve({"shape": name})


def hostile(length: int) -> Iterator[str]:
    for piece in PIECES:
        for end in ENDS:
            whole = piece * (length // len(piece) + 1)
            yield whole[: length - len(end)] + end


def test_all_services_have_patterns() -> None:
    assert len(PATTERNED) >= 35
    assert {service for service, _ in PATTERNED} == set(SERVICES)


@pytest.mark.parametrize(("service", "name"), PATTERNED)
def test_no_text_takes_long(service: str, name: str) -> None:
    shape = shape_of(service, name)
    check = compile_shape(shape)

    for text in hostile(shape.maximum or PATTERN_LENGTH_MAX):
        best = min(measured(check, text) for _ in range(3))
        assert best < LIMIT_SECONDS, text[:40]


def measured(check: object, text: str) -> float:
    assert callable(check)
    start = time.perf_counter()
    with contextlib.suppress(ConstraintBroken):
        check(text, "member")
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("service", "name", "good", "bad"),
    [
        ("ecr", "RepositoryName", ["ab", "a/b", "a__b", "a--b.c/d_e"], ["a", "A1", "a//b", "-ab", "a___b", "ab/"]),
        ("iam", "accountAliasType", ["abc", "a-b", "a1-2-b", "a" * 63], ["ab", "a--b", "-ab", "ab-", "a" * 64, "Abc"]),
        ("ecr", "RegistryId", ["123456789012"], ["12345678901", "1234567890123", "12345678901a"]),
        ("ecr", "KmsKeyForRepositoryCreationTemplate", ["", "arn:aws:kms:us-east-1:123456789012:key/a"], ["x"]),
        (
            "sts",
            "arnType",
            ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:é\U0001f600"],
            ["x" * 20 + "\x01"],
        ),
        ("sts", "tagKeyType", ["Größe:1 @"], ["a#b", "a\u0301"]),
        ("sts", "sessionPolicyDocumentType", ['{"é":1}\n'], ["€", "\x01"]),
    ],
)
def test_patterns_mean_what_aws_means(service: str, name: str, good: list[str], bad: list[str]) -> None:
    check = compile_shape(shape_of(service, name))

    for text in good:
        assert check(text, "member") == text
    for text in bad:
        with pytest.raises(ConstraintBroken):
            check(text, "member")


def test_javas_escapes_become_re2s() -> None:
    assert to_re2(r"[\u0009\u10000-\u10FFFF]") == r"[\x{0009}\x{10000}-\x{10FFFF}]"
    assert re2.compile(to_re2(r"[\u00A0-\uD7FF]+")).fullmatch("é")


def test_text_that_is_too_long_for_a_pattern_does_not_satisfy_it() -> None:
    check = compile_shape(shape_of("ecr", "LayerDigest"))
    text = "sha256:" + "0" * (PATTERN_LENGTH_MAX - 7)

    assert check(text, "member") == text
    with pytest.raises(ConstraintBroken):
        check(text + "0", "member")
