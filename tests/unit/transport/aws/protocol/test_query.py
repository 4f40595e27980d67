"""The Query protocol as botocore writes and reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel as BotocoreServiceModel

from entrepot.transport.aws.error import Fault
from entrepot.transport.aws.model import ServiceModel
from entrepot.transport.aws.protocol.ec2 import serialise_fault as serialise_ec2_fault
from entrepot.transport.aws.protocol.query import parse_form, parse_input, serialise, serialise_fault
from entrepot.transport.aws.validate import WrongType, compile_shape

DOCUMENT: dict[str, Any] = {
    "metadata": {
        "apiVersion": "2026-01-01",
        "endpointPrefix": "thing",
        "protocol": "query",
        "serviceFullName": "Thing",
        "serviceId": "Thing",
        "signatureVersion": "v4",
        "xmlNamespace": "https://thing.example/",
    },
    "operations": {
        "Do": {
            "name": "Do",
            "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": "Thing"},
            "output": {"shape": "Thing", "resultWrapper": "DoResult"},
        }
    },
    "shapes": {
        "Thing": {
            "type": "structure",
            "members": {
                "Name": {"shape": "Text"},
                "Count": {"shape": "Count"},
                "Flag": {"shape": "Flag"},
                "Blob": {"shape": "Blob"},
                "Time": {"shape": "Time"},
                "Names": {"shape": "Names"},
                "Flat": {"shape": "Flat"},
                "Map": {"shape": "Map"},
                "Inner": {"shape": "Thing"},
                "Things": {"shape": "Things"},
            },
        },
        "Text": {"type": "string"},
        "Count": {"type": "integer"},
        "Flag": {"type": "boolean"},
        "Blob": {"type": "blob"},
        "Time": {"type": "timestamp"},
        "Names": {"type": "list", "member": {"shape": "Text"}},
        "Flat": {"type": "list", "member": {"shape": "Text"}, "flattened": True},
        "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Count"}},
        "Things": {"type": "list", "member": {"shape": "Thing"}},
    },
}
THEIRS = BotocoreServiceModel(DOCUMENT, "thing").operation_model("Do")
MODEL = ServiceModel(DOCUMENT)
OURS = MODEL.operation("Do")
VALUE: dict[str, Any] = {
    "Name": "a b&c=<d>é",
    "Count": 3,
    "Flag": True,
    "Blob": b"\x00\x01",
    "Time": datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
    "Names": ["x", "y"],
    "Map": {"k": 1, "l": 2},
    "Inner": {"Name": "deep", "Inner": {"Count": 0}},
    "Things": [{"Name": "one"}, {"Flag": False}],
}


def test_what_botocore_sends_is_understood() -> None:
    sent = botocore.serialize.create_serializer("query").serialize_to_request(VALUE | {"Flat": ["p", "q"]}, THEIRS)
    form = {name: str(value) for name, value in sent["body"].items()}
    assert OURS.input is not None

    parsed = compile_shape(OURS.input)(parse_input(OURS.input, form), "")

    assert parsed == VALUE | {"Flat": ["p", "q"]}


def test_what_we_send_is_understood_by_botocore() -> None:
    response = serialise(MODEL, OURS, VALUE | {"Flat": None}, "id")
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}

    parsed = botocore.parsers.create_parser("query").parse(raw, THEIRS.output_shape)

    assert parsed.pop("ResponseMetadata")["RequestId"] == "id"
    assert parsed == VALUE


def test_an_empty_list_and_a_gap() -> None:
    assert OURS.input is not None
    assert parse_input(OURS.input, {"Names": ""}) == {"Names": []}
    with pytest.raises(WrongType):
        parse_input(OURS.input, {"Names.member.2": "x"})


@pytest.mark.parametrize("form", [{"Count": "x"}, {"Flag": "1"}, {"Things.member.1.Count": ""}])
def test_text_where_something_else_belongs(form: dict[str, str]) -> None:
    assert OURS.input is not None
    with pytest.raises(WrongType):
        parse_input(OURS.input, form)


@pytest.mark.parametrize("encoded", ["a=1&a=2", "a=%ff", "&".join(f"a{n}=1" for n in range(501))])
def test_forms_that_are_none(encoded: str) -> None:
    with pytest.raises(WrongType):
        parse_form(encoded)


@pytest.mark.parametrize(
    ("code", "shown", "status", "party"),
    [
        ("UnrecognizedClientException", "InvalidClientTokenId", 403, "Sender"),
        ("InvalidSignatureException", "SignatureDoesNotMatch", 403, "Sender"),
        ("ExpiredTokenException", "ExpiredToken", 403, "Sender"),
        ("AccessDeniedException", "AccessDenied", 403, "Sender"),
        ("UnknownOperationException", "InvalidAction", 400, "Sender"),
        ("InternalFailure", "InternalFailure", 500, "Receiver"),
    ],
)
def test_errors_have_the_names_of_iam_and_sts(code: str, shown: str, status: int, party: str) -> None:
    given = 500 if code == "InternalFailure" else 400
    response = serialise_fault("https://thing.example/", Fault(code, "why <\x00>", given), "id")
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}

    parsed = botocore.parsers.create_parser("query").parse(raw, None)

    assert parsed["Error"] == {"Type": party, "Code": shown, "Message": "why <\ufffd>"}
    assert response.status == status
    assert parsed["ResponseMetadata"]["RequestId"] == "id"


def test_an_error_for_a_client_of_ec2() -> None:
    response = serialise_ec2_fault(Fault("UnknownOperationException", "not here"), "id")
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}

    assert botocore.parsers.create_parser("ec2").parse(raw, None)["Error"]["Message"] == "not here"
