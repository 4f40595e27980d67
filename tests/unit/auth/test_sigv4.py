"""Signatures of botocore's signers hold, and nothing that was changed afterwards does."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.auth.claim import Claim, read_claim
from entrepot.auth.sigv4 import (
    EMPTY_BODY_HASH,
    canonical_request,
    check_clock,
    check_scope,
    check_signature,
    string_to_sign,
)
from entrepot.domain.error import InvalidSignature
from entrepot.transport.message import HttpRequest
from tests.support.signing import PEER, SECRET, changed, presigned, signed

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
BODY = b'{"repositoryName":"team/app"}'
HEADERS = {
    "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.ListImages",
    "Content-Type": "application/x-amz-json-1.1",
}
URL = "http://127.0.0.1:5000/"
REGIONS = frozenset({"us-east-1", "eu-west-1"})


def verify(request: HttpRequest, body: bytes = BODY, secret: str = SECRET) -> Claim:
    claim = read_claim(request)
    check_signature(claim, request, secret, hashlib.sha256(body).hexdigest())
    return claim


def test_a_signed_request_holds() -> None:
    claim = verify(signed("POST", URL, NOW, HEADERS, BODY))

    assert (claim.access_key_id, claim.region, claim.service) == ("AKIAIOSFODNN7EXAMPLE", "us-east-1", "ecr")
    assert claim.signed_at == NOW
    assert claim.scope == "20261101/us-east-1/ecr/aws4_request"


def test_a_presigned_request_holds() -> None:
    request = presigned("GET", URL + "?Action=GetCallerIdentity&Version=2011-06-15", NOW, {"x-k8s-aws-id": "cluster"})

    claim = verify(request, b"")

    assert claim.expires == timedelta(seconds=900)
    assert claim.signed_headers == ("host", "x-k8s-aws-id")


@pytest.mark.parametrize(
    "touched",
    [
        {"X_Amz_Target": "AmazonEC2ContainerRegistry_V20150921.DeleteRepository"},
        {"Host": "api.ecr.us-east-1.amazonaws.com"},
        {"X_Amz_Date": "20261101T120001Z"},
        {"Content_Type": "application/x-amz-json-1.0"},
        {"query": "a=b"},
    ],
)
def test_a_changed_request_does_not_hold(touched: dict[str, Any]) -> None:
    request = signed("POST", URL, NOW, HEADERS, BODY)

    with pytest.raises(InvalidSignature):
        verify(changed(request, **touched))


def test_a_changed_body_method_path_or_secret_does_not_hold() -> None:
    request = signed("POST", URL, NOW, HEADERS, BODY)
    moved = HttpRequest("POST", "/x", "", request.headers, PEER, request.read_body)
    put = HttpRequest("PUT", "/", "", request.headers, PEER, request.read_body)

    with pytest.raises(InvalidSignature):
        verify(request, BODY + b" ")
    with pytest.raises(InvalidSignature):
        verify(request, secret=SECRET + "x")
    for other in (moved, put):
        with pytest.raises(InvalidSignature):
            verify(other)


@pytest.mark.parametrize("part", ["X-Amz-Expires=900", "Action=GetCallerIdentity", "X-Amz-SignedHeaders=host"])
def test_a_changed_presigned_query_does_not_hold(part: str) -> None:
    request = presigned("GET", URL + "?Action=GetCallerIdentity&Version=2011-06-15", NOW)
    other = {"X-Amz-Expires=900": "X-Amz-Expires=901", "X-Amz-SignedHeaders=host": "X-Amz-SignedHeaders=host%3Baccept"}
    query = request.raw_query.replace(part, other.get(part, "Action=GetSessionToken"))
    assert query != request.raw_query

    with pytest.raises(InvalidSignature):
        verify(changed(request, query=query, add=[("Accept", "*/*")]), b"")


def test_headers_that_were_not_signed_may_change() -> None:
    request = signed("POST", URL, NOW, HEADERS, BODY)

    verify(changed(request, add=[("User-Agent", "x"), ("X-Amzn-Trace-Id", "Root=1")]))


@pytest.mark.parametrize("minutes", [-15, 0, 15])
def test_a_quarter_of_an_hour_of_skew_is_fine(minutes: int) -> None:
    check_clock(read_claim(signed("POST", URL, NOW, HEADERS, BODY)), NOW + timedelta(minutes=minutes))


def test_old_and_future_signatures_are_told_their_times() -> None:
    claim = read_claim(signed("POST", URL, NOW, HEADERS, BODY))

    with pytest.raises(InvalidSignature) as old:
        check_clock(claim, NOW + timedelta(minutes=15, seconds=1))
    with pytest.raises(InvalidSignature) as young:
        check_clock(claim, NOW - timedelta(minutes=15, seconds=1))

    assert old.value.detail == (
        "Signature expired: 20261101T120000Z is now earlier than 20261101T120001Z (20261101T121501Z - 15 min.)"
    )
    assert young.value.detail == (
        "Signature not yet current: 20261101T120000Z is still later than 20261101T115959Z (20261101T114459Z + 15 min.)"
    )


def test_a_presigned_request_lives_as_long_as_it_says() -> None:
    claim = read_claim(presigned("GET", URL + "?Action=GetCallerIdentity", NOW, expires=604800))

    check_clock(claim, NOW + timedelta(days=7))
    with pytest.raises(InvalidSignature, match="Signature expired"):
        check_clock(claim, NOW + timedelta(days=7, seconds=1))
    with pytest.raises(InvalidSignature, match="not yet current"):
        check_clock(claim, NOW - timedelta(minutes=16))


def test_the_scope_must_be_of_the_service_and_a_known_region() -> None:
    claim = read_claim(signed("POST", URL, NOW, HEADERS, BODY))

    check_scope(claim, "ecr", REGIONS, None)
    check_scope(claim, "ecr", REGIONS, "us-east-1")
    with pytest.raises(InvalidSignature, match="correct service: 'sts'"):
        check_scope(claim, "sts", REGIONS, None)
    with pytest.raises(InvalidSignature, match="Credential should be scoped to a valid region"):
        check_scope(claim, "ecr", REGIONS, "eu-west-1")
    with pytest.raises(InvalidSignature, match="Credential should be scoped to a valid region"):
        check_scope(claim, "ecr", frozenset({"eu-west-1"}), None)


def test_the_date_header_stands_in_for_x_amz_date() -> None:
    """As in AWS's published suite, "get-vanilla" with a Date header signs the same instant."""
    request = signed("POST", URL, NOW, HEADERS | {"Date": "anything"}, BODY)
    assert "X-Amz-Date" not in request.headers

    assert verify(request).signed_at == NOW


SUITE_KEY = "AKIDEXAMPLE"
SUITE_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE: list[tuple[str, str, str, list[tuple[str, str]], str, str]] = [
    ("get-vanilla", "/", "", [], "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    (
        "get-vanilla-query-order-key-case",
        "/",
        "Param2=value2&Param1=value1",
        [],
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
]


@pytest.mark.parametrize(("name", "path", "query", "extra", "names", "signature"), SUITE, ids=[row[0] for row in SUITE])
def test_awss_published_vectors(
    name: str, path: str, query: str, extra: list[tuple[str, str]], names: str, signature: str
) -> None:
    """Of the Signature Version 4 test suite."""
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={SUITE_KEY}/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    headers = CIMultiDict([("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z"), *extra])
    headers["Authorization"] = authorization
    request = HttpRequest("GET", path, query, CIMultiDictProxy(headers), PEER, lambda _: None)  # type: ignore[arg-type, return-value]

    claim = read_claim(request)
    check_signature(claim, request, SUITE_SECRET, EMPTY_BODY_HASH)

    if name == "get-vanilla":
        assert canonical_request(claim, request, EMPTY_BODY_HASH) == (
            b"GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
            + EMPTY_BODY_HASH.encode()
        )
        assert string_to_sign(claim, request, EMPTY_BODY_HASH) == (
            "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
            "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"
        )
