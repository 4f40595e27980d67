"""Answers checked against the shapes of botocore's own models, more strictly than botocore does."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any

from botocore.model import Shape

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, datetime),  # of JSON numbers, of XML what botocore made of it
    "blob": (str,),
}
_UNMODELLED = {
    "PermissionsBoundaryAttachmentType": ("Policy",),
    "State": ("pending", "available", "failed", "deleting"),  # of VPC endpoints; the model has capital letters
}
"""What AWS answers though its model does not know it."""


def check_answer(shape: Shape | None, value: Any, path: str = "") -> None:
    """Fail unless a parsed answer has only members of its shape, of the right types, values and lengths.

    Limits on lists are those of inputs (the shapes are shared), so they are not looked at.
    """
    if shape is None:
        assert value == {}, path
    elif shape.type_name == "structure":
        assert isinstance(value, dict), path
        assert set(value) <= set(shape.members), f"{path}: {set(value) - set(shape.members)}"
        assert set(shape.required_members) <= set(value), path
        for name, item in value.items():
            check_answer(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), path
        for item in value:
            check_answer(shape.member, item, f"{path}[]")
    elif shape.type_name == "map":
        assert isinstance(value, dict), path
        for key, item in value.items():
            check_answer(shape.key, key, f"{path}.key")
            check_answer(shape.value, item, f"{path}.value")
    else:
        _check_scalar(shape, value, path)


def _check_scalar(shape: Shape, value: Any, path: str) -> None:
    assert isinstance(value, _TYPES[shape.type_name]), f"{path}: {value!r}"
    assert shape.type_name == "boolean" or not isinstance(value, bool), path
    if shape.type_name == "blob":
        _check_bytes(shape, str(value), path)
    elif isinstance(value, str):
        _check_text(shape, value, path)
    elif not isinstance(value, datetime):
        assert value >= shape.metadata.get("min", value), path


def _check_bytes(shape: Shape, value: str, path: str) -> None:
    count = len(base64.b64decode(value, validate=True))
    assert shape.metadata.get("min", 0) <= count <= shape.metadata.get("max", count), f"{path}: {count}"


def _check_text(shape: Shape, value: str, path: str) -> None:
    if shape.enum:
        assert value in (*shape.enum, *_UNMODELLED.get(shape.name, ())), f"{path}: {value}"
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
    assert low <= len(value) <= high, f"{path}: {len(value)}"
    if len(value) < 300 and "pattern" in shape.metadata:
        assert re.fullmatch(_python(shape.metadata["pattern"]), value), f"{path}: {value}"


def _python(pattern: str) -> str:
    """A pattern of AWS's without the classes that `re` does not know."""
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
