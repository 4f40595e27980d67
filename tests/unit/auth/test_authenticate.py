"""Who signed a request, told in two halves."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.auth.authenticate import Authenticator
from entrepot.domain.error import InvalidSignature, UnrecognizedClient
from entrepot.domain.iam_error import SourceNotAccepted
from entrepot.domain.identity import AccessKey
from entrepot.domain.principal import Caller, root_of, service_of
from tests.support.signing import KEY_ID, SECRET, changed, message, presigned, signed

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
URL = "http://127.0.0.1:5000/"
KEY = AccessKey(KEY_ID, root_of("123456789012"), SECRET, True, 1)
REGIONS = frozenset({"us-east-1", "cn-north-1"})
BODY = b"{}"
BODY_HASH = hashlib.sha256(BODY).hexdigest()


class Keys:
    """One key, and how often somebody asked."""

    def __init__(self, key: AccessKey | None = KEY) -> None:
        self.key, self.asked = key, 0

    async def find_access_key(self, access_key_id: str) -> AccessKey | None:
        self.asked += 1
        return self.key if self.key and self.key.id == access_key_id else None


def authenticator(keys: Keys, now: datetime = NOW) -> Authenticator:
    return Authenticator(keys, REGIONS, lambda: now)


async def test_a_caller() -> None:
    request, doorman = signed("POST", URL, NOW, body=BODY), authenticator(Keys())

    caller = doorman.confirm(request, await doorman.identify(request, "ecr"), BODY_HASH)

    assert (caller.account_id, caller.access_key_id) == ("123456789012", KEY_ID)
    assert caller.principal.arn == "arn:aws:iam::123456789012:root"


async def test_the_principals_arn_is_of_the_regions_partition() -> None:
    request, doorman = signed("POST", URL, NOW, body=BODY, scope=("cn-north-1", "ecr")), authenticator(Keys())

    caller = doorman.confirm(request, await doorman.identify(request, "ecr"), BODY_HASH)

    assert caller.principal.arn == "arn:aws-cn:iam::123456789012:root"


@pytest.mark.parametrize("key_id", ["\udcff", "AKIA\x00", "AKIA\u00e9"])
async def test_ids_that_no_key_can_have_are_not_looked_up(key_id: str) -> None:
    keys, request = Keys(), signed("POST", URL, NOW)
    headers = {name: value.replace(KEY_ID, key_id) for name, value in request.headers.items()}
    with pytest.raises(UnrecognizedClient):
        await authenticator(keys).identify(message("POST", URL, headers), "ecr")
    assert keys.asked == 0


@pytest.mark.parametrize("key", [None, replace(KEY, is_active=False), replace(KEY, id="AKIAOTHER")])
async def test_a_key_that_does_not_count(key: AccessKey | None) -> None:
    with pytest.raises(UnrecognizedClient):
        await authenticator(Keys(key)).identify(signed("POST", URL, NOW, body=BODY), "ecr")


async def test_a_session_token_belongs_to_no_key_yet() -> None:
    for request in (signed("POST", URL, NOW, body=BODY, token="t"), presigned("GET", URL, NOW, token="t")):
        with pytest.raises(UnrecognizedClient):
            await authenticator(Keys()).identify(request, "ecr" if request.method == "POST" else "sts")


async def test_no_key_is_looked_up_for_a_wrong_scope_or_time() -> None:
    keys, request = Keys(), signed("POST", URL, NOW, body=BODY)

    for doorman, service in ((authenticator(keys), "sts"), (authenticator(keys, NOW + timedelta(hours=1)), "ecr")):
        with pytest.raises(InvalidSignature):
            await doorman.identify(request, service)
    assert keys.asked == 0


async def test_a_stated_body_hash_is_verified_before_and_compared_after() -> None:
    request, doorman = signed("POST", URL, NOW, {"X-Amz-Content-Sha256": BODY_HASH}, BODY), authenticator(Keys())
    wrong = authenticator(Keys(replace(KEY, secret="wrong")))

    identified = await doorman.identify(request, "ecr")

    assert doorman.confirm(request, identified, BODY_HASH).account_id == "123456789012"
    with pytest.raises(InvalidSignature, match="x-amz-content-sha256"):
        doorman.confirm(request, identified, hashlib.sha256(b"other").hexdigest())
    with pytest.raises(InvalidSignature):
        await wrong.identify(request, "ecr")


FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
SERVICE = replace(KEY, principal=service_of("lambda.amazonaws.com", KEY_ID), source_arns=(f"{FUNCTION}*",))


async def caller_of(key: AccessKey, headers: dict[str, str], scope: tuple[str, str] = ("us-east-1", "ecr")) -> Caller:
    request, doorman = signed("POST", URL, NOW, headers, BODY, scope=scope), authenticator(Keys(key))
    return doorman.confirm(request, await doorman.identify(request, "ecr"), BODY_HASH)


@pytest.mark.parametrize("scope", [("us-east-1", "ecr"), ("cn-north-1", "ecr")])
async def test_a_service_says_for_what_it_asks(scope: tuple[str, str]) -> None:
    caller = await caller_of(SERVICE, {"X-Amz-Source-Arn": f"{FUNCTION}a"}, scope)

    assert (caller.principal.arn, caller.source_arn) == ("lambda.amazonaws.com", f"{FUNCTION}a")
    assert (caller.source_account, caller.home, caller.account_id) == ("123456789012", "123456789012", "aws")


async def test_a_service_that_says_too_little_or_too_much() -> None:
    account = {"X-Amz-Source-Account": "210987654321"}
    for headers in ({}, account, {"X-Amz-Source-Arn": f"{FUNCTION}a"} | account):
        with pytest.raises(SourceNotAccepted):
            await caller_of(SERVICE, headers)


async def test_what_others_say_is_not_looked_at() -> None:
    caller = await caller_of(KEY, {"X-Amz-Source-Arn": f"{FUNCTION}a", "X-Amz-Source-Account": "123456789012"})

    assert (caller.source_arn, caller.source_account, caller.home) == (None, None, "123456789012")


async def test_a_source_that_is_not_signed_is_none() -> None:
    request = changed(signed("POST", URL, NOW, body=BODY), add=[("X-Amz-Source-Arn", f"{FUNCTION}a")])
    for key in (SERVICE, KEY):
        with pytest.raises(InvalidSignature):
            await authenticator(Keys(key)).identify(request, "ecr")
