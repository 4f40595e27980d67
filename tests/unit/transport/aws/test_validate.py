"""Validation in AWS's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from entrepot.transport.aws.model import ServiceModel, service_model
from entrepot.transport.aws.validate import ConstraintBroken, WrongType, compile_shape

MODEL = ServiceModel(
    {
        "metadata": {"endpointPrefix": "x", "apiVersion": "1", "protocol": "json"},
        "operations": {},
        "shapes": {
            "Everything": {
                "type": "structure",
                "members": {
                    name: {"shape": name}
                    for name in (
                        "Name",
                        "Mode",
                        "Count",
                        "Size",
                        "Ratio",
                        "Flag",
                        "Blob",
                        "Time",
                        "Items",
                        "Map",
                        "Self",
                    )
                },
            },
            "Name": {"type": "string", "min": 2, "max": 4, "pattern": "[a-z]+"},
            "Mode": {"type": "string", "enum": ["A", "B"]},
            "Count": {"type": "integer", "min": 1, "max": 9},
            "Size": {"type": "long", "min": 0},
            "Ratio": {"type": "double", "max": 1},
            "Flag": {"type": "boolean"},
            "Blob": {"type": "blob", "min": 1, "max": 4},
            "Time": {"type": "timestamp"},
            "Items": {"type": "list", "member": {"shape": "Needy"}, "min": 1, "max": 2},
            "Needy": {"type": "structure", "required": ["Name"], "members": {"Name": {"shape": "Name"}}},
            "Map": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Count"}, "max": 1},
            "Self": {"type": "structure", "members": {"Self": {"shape": "Self"}, "Count": {"shape": "Count"}}},
        },
    }
)
CHECK = compile_shape(MODEL.resolve({"shape": "Everything"}))


def test_good_values_come_out_typed() -> None:
    given = {
        "Name": "abc",
        "Mode": "A",
        "Count": 3.0,
        "Size": 2**40,
        "Ratio": 1,
        "Flag": False,
        "Blob": "AAEC",
        "Time": 1.5,
        "Items": [{"Name": "xy", "unknown": []}],
        "Map": {"ab": 1},
        "Self": {"Self": {"Count": 2}},
        "Unknown": object(),
    }

    assert CHECK(given, "") == {
        "Name": "abc",
        "Mode": "A",
        "Count": 3,
        "Size": 2**40,
        "Ratio": 1.0,
        "Flag": False,
        "Blob": b"\x00\x01\x02",
        "Time": datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
        "Items": [{"Name": "xy"}],
        "Map": {"ab": 1},
        "Self": {"Self": {"Count": 2}},
    }


def test_null_is_absent() -> None:
    assert CHECK({"Name": None, "Map": {"ab": None}}, "") == {"Map": {}}


@pytest.mark.parametrize(
    ("given", "path", "rule"),
    [
        ({"Name": "a"}, "Name", "Member must have length greater than or equal to 2"),
        ({"Name": "abcde"}, "Name", "Member must have length less than or equal to 4"),
        ({"Name": "ab1"}, "Name", "Member must satisfy regular expression pattern: [a-z]+"),
        ({"Name": "ab\n"}, "Name", "Member must satisfy regular expression pattern: [a-z]+"),
        ({"Name": "a\0"}, "Name", "Member must not contain the character U+0000"),
        ({"Mode": "C"}, "Mode", "Member must satisfy enum value set: [A, B]"),
        ({"Count": 0}, "Count", "Member must have value greater than or equal to 1"),
        ({"Count": 10}, "Count", "Member must have value less than or equal to 9"),
        ({"Size": -1}, "Size", "Member must have value greater than or equal to 0"),
        ({"Ratio": 1.1}, "Ratio", "Member must have value less than or equal to 1"),
        ({"Blob": ""}, "Blob", "Member must have length greater than or equal to 1"),
        ({"Blob": "AAAAAAA="}, "Blob", "Member must have length less than or equal to 4"),
        ({"Items": []}, "Items", "Member must have length greater than or equal to 1"),
        ({"Items": [{"Name": "ab"}] * 3}, "Items", "Member must have length less than or equal to 2"),
        ({"Items": [{"Name": "ab"}, {}]}, "Items.2.member.Name", "Member must not be null"),
        ({"Items": [None]}, "Items.1.member", "Member must not be null"),
        ({"Map": {"a": 1}}, "Map.key", "Member must have length greater than or equal to 2"),
        ({"Map": {"ab": 0}}, "Map.ab.member", "Member must have value greater than or equal to 1"),
        ({"Map": {"ab": 1, "cd": 1}}, "Map", "Member must have length less than or equal to 1"),
        ({"Self": {"Self": {"Count": 0}}}, "Self.Self.Count", "Member must have value greater than or equal to 1"),
    ],
)
def test_broken_constraints(given: dict[str, Any], path: str, rule: str) -> None:
    with pytest.raises(ConstraintBroken) as broken:
        CHECK(given, "")

    assert (broken.value.path, broken.value.rule) == (path, rule)


@pytest.mark.parametrize(
    "given",
    [
        {"Name": 1},
        {"Name": ["ab"]},
        {"Name": {}},
        {"Name": True},
        {"Name": "é\ud800"},
        {"Count": "1"},
        {"Count": True},
        {"Count": 1.5},
        {"Count": float("inf")},
        {"Count": 2**31},
        {"Count": 10**400},
        {"Size": 2**63},
        {"Ratio": "1"},
        {"Ratio": 10**400},
        {"Ratio": float("nan")},
        {"Flag": "true"},
        {"Flag": 1},
        {"Blob": 1},
        {"Blob": "A"},
        {"Blob": "A AA"},
        {"Blob": "AAE=\n"},
        {"Blob": "AAE"},
        {"Blob": "é"},
        {"Time": "soon"},
        {"Time": 10**30},
        {"Time": True},
        {"Time": []},
        {"Items": {}},
        {"Items": "ab"},
        {"Items": ["ab"]},
        {"Map": []},
        {"Self": []},
        [],
        "text",
    ],
)
def test_wrong_types(given: Any) -> None:
    with pytest.raises(WrongType):
        CHECK(given, "")


def test_the_enum_whose_order_tests_compare() -> None:
    shape = service_model("ecr").resolve({"shape": "ImageTagMutability"})

    with pytest.raises(ConstraintBroken) as broken:
        compile_shape(shape)("x", "imageTagMutability")

    listed = "IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION"
    assert broken.value.rule == f"Member must satisfy enum value set: [{listed}]"
    assert set(listed.split(", ")) == set(shape.enum)
