"""What a session of a role may be, and what it takes over from the session that asks for it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entrepot.domain.iam_error import InvalidSessionTag, NeverAllowed, PackedPolicyTooLarge, ValidationFailed
from entrepot.domain.principal import Session
from entrepot.domain.role_session import SessionRequest, start_session

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = 3600
PLAIN = SessionRequest("build")
USERS = Session(NOW, NOW + timedelta(hours=12))
"""Of GetSessionToken."""
ROLES = replace(
    USERS,
    name="first",
    tags={"Team": "web", "stage": "dev"},
    transitive_tag_keys=("Team",),
    source_identity="mia",
)


def start(request: SessionRequest = PLAIN, caller: Session | None = None, most: int = HOUR) -> Session:
    return start_session(request, caller, most, NOW)


def asked(**given: Any) -> SessionRequest:
    return replace(PLAIN, **given)


def seconds_of(session: Session) -> float:
    return (session.expires_at - session.issued_at).total_seconds()


def test_without_any_wishes() -> None:
    assert start() == Session(NOW, NOW + timedelta(hours=1), "build")
    assert not start().is_limited


@pytest.mark.parametrize(
    ("seconds", "caller", "most"),
    [(900, None, HOUR), (12 * HOUR, None, 12 * HOUR), (12 * HOUR, USERS, 12 * HOUR), (HOUR, ROLES, 12 * HOUR)],
)
def test_as_long_as_the_role_allows(seconds: int, caller: Session | None, most: int) -> None:
    assert seconds_of(start(asked(seconds=seconds), caller, most)) == seconds


def test_no_longer_than_the_role_allows() -> None:
    with pytest.raises(ValidationFailed, match="exceeds the MaxSessionDuration set for this role"):
        start(asked(seconds=HOUR + 1))


def test_a_chain_has_an_hour() -> None:
    with pytest.raises(ValidationFailed, match="exceeds the 1 hour session limit for roles assumed by role chaining"):
        start(asked(seconds=HOUR + 1), ROLES, 12 * HOUR)
    assert seconds_of(start(PLAIN, ROLES, 12 * HOUR)) == HOUR
    assert start(PLAIN, ROLES).is_chained
    assert not start(PLAIN, USERS).is_chained


def test_tags_that_pass_on_stay_beside_those_that_are_given() -> None:
    session = start(asked(tags=(("Cost", "7"), ("stage", "prod")), transitive_tag_keys=("cost",)), ROLES)

    assert session.tags == {"Team": "web", "Cost": "7", "stage": "prod"}
    assert session.transitive_tag_keys == ("Team", "Cost")


def test_tags_that_do_not_pass_on_are_gone() -> None:
    assert start(PLAIN, ROLES).tags == {"Team": "web"}
    assert start(PLAIN, replace(ROLES, transitive_tag_keys=())).tags == {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"tags": (("a", "1"), ("A", "2"))},
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        ({"tags": (("a", "1"), ("a", "1"))}, "Duplicate tag keys found."),
        (
            {"tags": (("a", "1"),), "transitive_tag_keys": ("b",)},
            "The specified transitive tag key must be included in the requested tags.",
        ),
        (
            {"tags": (("TEAM", "db"),)},
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from",
        ),
        ({"tags": (("AWS:team", "db"),)}, "The tag key prefix 'aws:' is reserved"),
    ],
)
def test_tags_that_a_session_cannot_have(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSessionTag, match=sentence):
        start(asked(**given), ROLES)


def test_a_source_identity_is_for_good() -> None:
    assert start(asked(source_identity="ana")).source_identity == "ana"
    assert start(PLAIN, ROLES).source_identity == "mia"
    assert start(asked(source_identity="mia"), ROLES).source_identity == "mia"
    with pytest.raises(NeverAllowed):
        start(asked(source_identity="ana"), ROLES)
    with pytest.raises(ValidationFailed):
        start(asked(source_identity="aws:ana"))


def test_how_much_room_is_taken() -> None:
    small = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}'

    assert PLAIN.packed_percent is None
    assert asked(policy=small).packed_percent == 5
    assert asked(tags=(("a", ""),)).packed_percent == 1
    assert asked(policy=small, policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",)).packed_percent == 7


def test_no_more_room_than_there_is() -> None:
    start(asked(policy="a" * 2048))
    with pytest.raises(PackedPolicyTooLarge) as plain:
        start(asked(policy="a" * 2049))
    noise = random.Random(1).randbytes(6400).hex()
    with pytest.raises(PackedPolicyTooLarge) as packed:
        start(asked(tags=tuple((str(number), noise[number * 256 :][:256]) for number in range(50))))

    assert plain.value.percent == 101
    assert packed.value.percent > 100


def test_ten_managed_policies() -> None:
    start(asked(policy_arns=("arn",) * 10))
    with pytest.raises(ValidationFailed):
        start(asked(policy_arns=("arn",) * 11))
