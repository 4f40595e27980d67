"""What a signature must state, and what is refused before any key is looked at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from entrepot.auth.claim import read_claim, scope_of
from entrepot.domain.error import IncompleteSignature, InvalidSignature, MissingAuthentication
from tests.support.signing import changed, message, presigned, signed

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
HEADERS = {"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.ListImages"}
URL = "http://127.0.0.1:5000/"
CREDENTIAL = "AKIA/20261101/us-east-1/ecr/aws4_request"
SIGNATURE = "0" * 64


def authorization(
    credential: str = CREDENTIAL,
    names: str = "host;x-amz-date",
    signature: str = SIGNATURE,
    algorithm: str = "AWS4-HMAC-SHA256",
) -> str:
    return f"{algorithm} Credential={credential}, SignedHeaders={names}, Signature={signature}"


def headers(value: str, **more: str) -> dict[str, str]:
    return {"Authorization": value, "X-Amz-Date": "20261101T120000Z"} | {
        k.replace("_", "-"): v for k, v in more.items()
    }


def test_no_signature_at_all() -> None:
    with pytest.raises(MissingAuthentication):
        read_claim(message("POST", URL))


@pytest.mark.parametrize(
    "value",
    [
        authorization(algorithm="AWS4-ECDSA-P256-SHA256"),
        authorization(credential="AKIA/20261101/us-east-1/ecr"),
        authorization(credential="AKIA//us-east-1/ecr/aws4_request"),
        authorization(names=""),
        authorization(names="host;;x-amz-date"),
        authorization(names="host; x-amz-date"),
        authorization(signature=""),
        authorization() + ", Signature=" + SIGNATURE,
        authorization() + ", nonsense",
        "AWS4-HMAC-SHA256",
        "Basic QVdTOng=",
    ],
)
def test_incomplete_headers(value: str) -> None:
    with pytest.raises(IncompleteSignature):
        read_claim(message("POST", URL, headers(value)))


@pytest.mark.parametrize(
    ("value", "more"),
    [
        (authorization(names="x-amz-date"), {}),
        (authorization(), {"X_Amz_Target": "a.b"}),
        (authorization(names="content-type;host;x-amz-date"), {}),
        (authorization(credential="AKIA/20261102/us-east-1/ecr/aws4_request"), {}),
        (authorization(credential="AKIA/20261101/us-east-1/ecr/aws4"), {}),
        (authorization(signature="A" * 64), {}),
        (authorization(), {"Content_Encoding": "gzip"}),
        (authorization(), {"Content_Encoding": "aws-chunked"}),
    ],
)
def test_what_must_be_signed_and_is_not(value: str, more: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        read_claim(message("POST", URL, headers(value, **more)))


@pytest.mark.parametrize(
    "stated", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x"]
)
def test_unsigned_and_streaming_payloads_are_refused(stated: str) -> None:
    request = signed("POST", URL, NOW, HEADERS | {"X-Amz-Content-SHA256": stated}, b"{}")

    with pytest.raises(InvalidSignature, match="unsigned and streaming payloads"):
        read_claim(request)


@pytest.mark.parametrize("name", ["Authorization", "X-Amz-Date", "X-Amz-Target", "Host", "X-Amz-Security-Token"])
def test_headers_that_count_come_once(name: str) -> None:
    request = signed("POST", URL, NOW, HEADERS, b"{}", token="session")

    with pytest.raises(IncompleteSignature, match="more than once"):
        read_claim(changed(request, add=[(name.lower(), request.headers[name])]))


@pytest.mark.parametrize(
    "date", [{"X-Amz-Date": "2026-11-01T12:00:00Z"}, {"X-Amz-Date": "20261301T000000Z"}, {"Date": "soon"}, {}]
)
def test_a_readable_date_is_needed(date: Mapping[str, str]) -> None:
    with pytest.raises(IncompleteSignature):
        read_claim(message("POST", URL, {"Authorization": authorization(names="host")} | dict(date)))


def query_of(**changes: str | None) -> str:
    fixed: dict[str, str | None] = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": CREDENTIAL,
        "X-Amz-Date": "20261101T120000Z",
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": SIGNATURE,
    }
    fields = fixed | {f"X-Amz-{name}": value for name, value in changes.items()}
    return "&".join(f"{name}={value}" for name, value in fields.items() if value is not None)


def test_a_whole_presigned_query() -> None:
    assert read_claim(message("GET", f"{URL}?{query_of()}")).signature == SIGNATURE


@pytest.mark.parametrize(
    "changes",
    [
        {"Algorithm": "AWS4-HMAC-SHA1"},
        {"Algorithm": None},
        {"Credential": None},
        {"Date": None},
        {"Date": "Sun, 01 Nov 2026 12:00:00 GMT"},
        {"Expires": None},
        {"Expires": "0"},
        {"Expires": "-1"},
        {"Expires": "604801"},
        {"Expires": "99999999999999999999"},
        {"Expires": "%D9%A1"},
        {"SignedHeaders": None},
        {"Signature": None},
        {"Date": "20261101T120000Z&X-Amz-Date=20261101T120000Z"},
    ],
)
def test_incomplete_presigned_queries(changes: dict[str, str | None]) -> None:
    with pytest.raises(IncompleteSignature):
        read_claim(message("GET", f"{URL}?{query_of(**changes)}"))


def test_one_signature_is_enough() -> None:
    with pytest.raises(IncompleteSignature, match="not both"):
        read_claim(message("GET", f"{URL}?{query_of()}", headers(authorization())))


def test_a_presigned_request_may_not_carry_unsigned_headers_of_aws() -> None:
    request = presigned("GET", URL + "?Action=GetCallerIdentity", NOW)

    with pytest.raises(InvalidSignature, match="not signed: x-amz-target"):
        read_claim(changed(request, add=[("X-Amz-Target", "a.b")]))


def test_the_scope_can_be_seen_without_checking_anything() -> None:
    assert scope_of(signed("POST", URL, NOW, HEADERS)) == ("us-east-1", "ecr")
    assert scope_of(presigned("GET", URL, NOW)) == ("us-east-1", "sts")
    assert scope_of(message("GET", f"{URL}?{query_of()}")) == ("us-east-1", "ecr")
    assert scope_of(message("GET", URL)) is None


@pytest.mark.parametrize(
    "piece", ["Credential=", "Credential=/", "a Credential=", ",Credential=a/1/b", "Credential=a/1/"]
)
def test_looking_for_the_scope_takes_linear_time(piece: str) -> None:
    text = f"AWS4-HMAC-SHA256 {piece * (65_000 // len(piece))}"
    hostile = message("POST", f"{URL}?X-Amz-Credential={piece * (65_000 // len(piece))}", {"Authorization": text})
    started = time.process_time()
    scope_of(hostile)
    assert time.process_time() - started < 0.05
