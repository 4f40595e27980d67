"""The JSON protocol as botocore writes and reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import botocore.parsers
import pytest
from botocore.awsrequest import HeadersDict

from entrepot.transport.aws.error import Fault
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.protocol.json import parse_body, serialise, serialise_fault
from entrepot.transport.aws.validate import WrongType


def test_bodies() -> None:
    assert parse_body(b"") == {}
    assert parse_body(b'{"a": ["\xc3\xa9", 1, null]}') == {"a": ["é", 1, None]}
    deep = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    assert "a" in parse_body(deep)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": [' + b"[]," * 500_000 + b"0]}",
    ],
    ids=lambda body: f"{body[:12]!r} {len(body)}",
)
def test_bodies_that_are_none(body: bytes) -> None:
    with pytest.raises(WrongType):
        parse_body(body)


def test_an_answer_has_epoch_seconds_and_only_what_is_there() -> None:
    operation = service_model("ecr").operation("DescribeRepositories")
    made = datetime(2026, 11, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    result = {"repositories": [{"repositoryName": "é", "createdAt": made, "registryId": None}], "nextToken": None}

    response = serialise(operation, result, "id")

    assert json.loads(response.body) == {"repositories": [{"repositoryName": "é", "createdAt": 1793534400.123}]}
    assert response.headers == {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "id"}


def test_members_that_the_shape_lacks_stay_inside() -> None:
    operation = service_model("ecr").operation("ListTagsForResource")

    assert serialise(operation, {"tags": [{"Key": "a", "Value": "", "id": 1}], "x": 1}, "id").body == (
        b'{"tags":[{"Key":"a","Value":""}]}'
    )


def test_an_error_as_botocore_reads_it() -> None:
    fault = Fault("InvalidLayerPartException", "no \ud800", 400, {"lastValidByteReceived": 9})

    response = serialise_fault(fault, "id")
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    parsed = botocore.parsers.create_parser("json").parse(raw, None)

    assert parsed["Error"]["Code"] == "InvalidLayerPartException"
    assert parsed["ResponseMetadata"]["RequestId"] == "id"
    assert json.loads(response.body)["lastValidByteReceived"] == 9
    assert response.headers["x-amzn-errortype"] == "InvalidLayerPartException"
