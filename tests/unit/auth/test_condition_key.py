"""Condition keys: present exactly when they are known, from nothing that a caller sends unsigned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.auth.condition_key import CLOCK_KEYS, RequestContext, RequestFacts, reader_of
from entrepot.domain.principal import Caller, Session, role_session_of, root_of, service_of, user_of

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ACCOUNT = "123456789012"
FACTS = RequestFacts(
    "10.1.2.3", is_secure=True, listener="https://10.0.0.1:443", region="eu-west-1", user_agent="docker/28"
)
SESSION = Session(NOW - timedelta(minutes=5), NOW + timedelta(hours=1), "deploy", source_identity="mia")
ROOT = Caller(root_of(ACCOUNT), "AKIA")
USER = Caller(user_of(ACCOUNT, "AIDAUSER", "/team/", "mia"), "AKIB")
ROLE = Caller(role_session_of(ACCOUNT, "AROAROLE", "/team/", "builder", "deploy"), "ASIA", session=SESSION)
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
SERVICE = Caller(service_of("lambda.amazonaws.com", "AKIC"), "AKIC", source_arn=FUNCTION)

TABLE = [
    (ROOT, "aws:principalarn", "arn:aws:iam::123456789012:root"),
    (USER, "aws:principalarn", "arn:aws:iam::123456789012:user/team/mia"),
    (ROLE, "aws:principalarn", "arn:aws:iam::123456789012:role/team/builder"),
    (ROOT, "aws:principaltype", "Account"),
    (USER, "aws:principaltype", "User"),
    (ROLE, "aws:principaltype", "AssumedRole"),
    (ROOT, "aws:userid", ACCOUNT),
    (USER, "aws:userid", "AIDAUSER"),
    (ROLE, "aws:userid", "AROAROLE:deploy"),
    (ROOT, "aws:username", None),
    (USER, "aws:username", "mia"),
    (ROLE, "aws:username", None),
    (USER, "aws:tokenissuetime", None),
    (ROLE, "aws:tokenissuetime", "2026-03-01T11:55:00Z"),
    (USER, "aws:multifactorauthpresent", None),
    (ROLE, "aws:multifactorauthpresent", "false"),
    (USER, "aws:sourceidentity", None),
    (ROLE, "aws:sourceidentity", "mia"),
    (USER, "aws:principalaccount", ACCOUNT),
    (USER, "aws:principalisawsservice", "false"),
    (USER, "aws:viaawsservice", "false"),
    (USER, "aws:calledvia", None),
    (USER, "aws:principalorgid", None),
    (USER, "aws:sourcevpce", None),
    (USER, "aws:sourcearn", None),
    (USER, "aws:sourceaccount", None),
    (USER, "aws:principalservicename", None),
    (SERVICE, "aws:sourcearn", FUNCTION),
    (SERVICE, "aws:sourceaccount", ACCOUNT),
    (SERVICE, "aws:principalisawsservice", "true"),
    (SERVICE, "aws:principalservicename", "lambda.amazonaws.com"),
    (SERVICE, "aws:principalservicenameslist", "lambda.amazonaws.com"),
    (SERVICE, "aws:principalarn", None),
    (SERVICE, "aws:principalaccount", None),
    (SERVICE, "aws:userid", None),
    (SERVICE, "aws:username", None),
    (SERVICE, "aws:viaawsservice", "false"),
    (USER, "aws:sourceip", "10.1.2.3"),
    (USER, "aws:securetransport", "true"),
    (USER, "aws:requestedregion", "eu-west-1"),
    (USER, "aws:useragent", "docker/28"),
    (USER, "aws:referer", None),
    (USER, "aws:currenttime", "2026-03-01T12:00:00Z"),
    (USER, "aws:epochtime", str(int(NOW.timestamp()))),
    (USER, "aws:nonsense", None),
]


@pytest.mark.parametrize(("caller", "key", "value"), TABLE)
def test_a_key(caller: Caller, key: str, value: str | None) -> None:
    context = RequestContext(caller, FACTS, NOW)

    assert context.get(key) == (None if value is None else (value,))
    assert (key in context) == (value is not None)
    assert (key in list(context)) == (value is not None)
    assert context.get(key, ()) == (() if value is None else (value,))


def test_tags_of_who_asks_and_of_what_is_asked_for() -> None:
    context = RequestContext(USER, FACTS, NOW, {"team": "web"}, ACCOUNT, {"stage": "prod"})

    assert context.get("aws:principaltag/team") == ("web",)
    assert context.get("aws:principaltag/stage") is None
    assert context.get("aws:resourcetag/stage") == context.get("ecr:resourcetag/stage") == ("prod",)
    assert context.get("aws:resourceaccount") == (ACCOUNT,)
    assert {"aws:principaltag/team", "ecr:resourcetag/stage"} <= set(context)
    assert len(context) == len(list(context))


def test_what_the_parameters_say() -> None:
    facts = RequestFacts("::1", is_secure=False, listener="", parameters={"aws:tagkeys": ("a", "b")})
    context = RequestContext(USER, facts, NOW)

    assert context["aws:tagkeys"] == ("a", "b")
    assert context["aws:securetransport"] == ("false",)
    with pytest.raises(KeyError):
        _ = context["aws:requesttag/a"]


ELSEWHERE = replace(FACTS, source_ip="192.0.2.9", is_secure=False, user_agent="crane", referer="x")


@pytest.mark.parametrize("caller", [ROOT, USER, ROLE])
def test_what_does_not_vary_is_the_same_in_every_request(caller: Caller) -> None:
    """Decisions are remembered without these keys."""
    tags = {"team": "web"}
    one = RequestContext(caller, FACTS, NOW, tags, ACCOUNT, tags)
    other = RequestContext(caller, ELSEWHERE, NOW + timedelta(days=1), tags, ACCOUNT, tags)
    differing = {key for key in {*one, *other} if one.get(key) != other.get(key)}
    assert len(differing) == 6
    for key in differing - CLOCK_KEYS:
        read = reader_of(key)
        assert read
        assert read(FACTS) != read(ELSEWHERE)
    assert [key for key in one if reader_of(key)] == [key for key in one if key in differing - CLOCK_KEYS]


def test_what_requests_bring_along_differs() -> None:
    parameters = {"ecr:imagetag": ("v1",)}
    for key in ("ecr:imagetag", "aws:requesttag/team", "sts:externalid", "kms:viaservice"):
        read = reader_of(key)
        assert read
        assert read(replace(FACTS, parameters=parameters)) == parameters.get(key)
