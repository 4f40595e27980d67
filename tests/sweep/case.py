"""Cases made from botocore's model: for each member of an input one value that is wrong, and what must be said of it.

The words are those of ECR's answers that people quote in public, which differ between single texts, texts in lists
and repository names. Nothing here comes from our own reading of the model, so that the two are compared.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel, Shape

ENUM_ORDER = {"ImageTagMutability": ["IMMUTABLE", "MUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"]}
EXAMPLES = {
    "arnType": "arn:aws:iam::123456789012:role/example",
    "Arn": "arn:aws:ecr:us-east-1:123456789012:repository/team/app",
    "AliasNameType": "alias/none",
    "KeyIdType": "00000000-0000-4000-8000-000000000000",
    "LayerDigest": "sha256:" + "0" * 64,
    "RegistryId": "123456789012",
    "RepositoryName": "team/app",
    "Address": "192.0.2.1",
    "RoleArn": "arn:aws:iam::123456789012:role/swept",
    "UploadId": "00000000-0000-4000-8000-000000000000",
    "ImageTagMutabilityExclusionFilterValue": "v*",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One wrong value in an input that is right otherwise."""

    path: str
    what: str
    document: dict[str, Any]
    rule: str | None
    """Of InvalidParameterException; None means SerializationException."""

    @property
    def sentence(self) -> str:
        """What ECR says of it."""
        path, rule = self.path, self.rule or ""
        name = path.removesuffix(".1.member")
        if name in ("repositoryName", "repositoryNames") and (name == "repositoryName" or name != path):
            path, rule = "repositoryName", _own(rule.replace("Member must have length", "must have length"))
        elif name != path:
            path, rule = name, f"Member must satisfy constraint: [{rule}]"
        elif name == "registryId":
            rule = _own(rule).replace("'", "")
        else:
            rule = _own(rule)
        return f"Invalid parameter at '{path}' failed to satisfy constraint: '{rule}'"

    def __str__(self) -> str:
        return f"{self.path} {self.what}"


def example(shape: Shape) -> Any:
    """A value that every constraint of a shape allows, with required members only."""
    low = shape.metadata.get("min", 0)
    if shape.type_name == "structure":
        return {name: example(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [example(shape.member) for _ in range(low)]
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else EXAMPLES.get(shape.name, "a" * max(low, 1))
    if shape.type_name == "blob":
        return base64.b64encode(b"a").decode()
    return True if shape.type_name == "boolean" else low


def cases_of(operation: OperationModel) -> Iterator[Case]:
    """Every member of the operation's input in every wrong form that the model knows."""
    base = example(operation.input_shape)
    yield from _members(operation.input_shape, "", lambda value: value, base)


def _members(shape: Shape, path: str, place: Any, base: dict[str, Any]) -> Iterator[Case]:
    for name in shape.required_members:
        lacking = {key: value for key, value in base.items() if key != name}
        yield Case(_join(path, name), "missing", place(lacking), "Member must not be null")
        yield Case(_join(path, name), "null", place(base | {name: None}), "Member must not be null")
    for name, member in shape.members.items():

        def put(value: Any, name: str = name) -> dict[str, Any]:
            document: dict[str, Any] = place(base | {name: value})
            return document

        yield from _wrong(member, _join(path, name), put)


def _wrong(shape: Shape, path: str, put: Any) -> Iterator[Case]:
    values: tuple[Any, ...] = (5, True, "text", [], {})
    for value in values:
        if not _fits(shape, value):
            yield Case(path, f"of type {type(value).__name__}", put(value), None)
    match shape.type_name:
        case "structure":
            yield from _members(shape, path, put, example(shape))
        case "list":
            yield from _list(shape, path, put)
        case "string":
            yield from _string(shape, path, put)
        case "integer" | "long":
            yield from _number(shape, path, put)
        case "blob":
            yield Case(path, "no base64", put("a"), None)


def _list(shape: Shape, path: str, put: Any) -> Iterator[Case]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    item = example(shape.member)
    if low:
        yield Case(path, "too short", put([item] * (low - 1)), _least("length", low))
    if high is not None:
        yield Case(path, "too long", put([item] * (high + 1)), _most("length", high))
    if shape.member.type_name != "list":
        fine = [item] * max(low or 0, 1)

        def put_last(value: Any) -> Any:
            return put([*fine[:-1], value])

        yield from _wrong(shape.member, f"{path}.{len(fine)}.member", put_last)


def _string(shape: Shape, path: str, put: Any) -> Iterator[Case]:
    low, high, pattern = (shape.metadata.get(key) for key in ("min", "max", "pattern"))
    if shape.enum:
        listed = ", ".join(ENUM_ORDER.get(shape.name, shape.enum))
        yield Case(path, "no value of it", put("nonsense"), f"Member must satisfy enum value set: [{listed}]")
        return
    if low:
        yield Case(path, "too short", put("a" * (low - 1)), _least("length", low))
    if high is not None:
        yield Case(path, "too long", put("a" * (high + 1)), _most("length", high))
    if pattern:
        rule = f"Member must satisfy regular expression pattern: {pattern}"
        for text in ("é é", "aa\n", " aa"):
            if len(text) >= (low or 0):
                yield Case(path, f"{text!r}", put(text), rule)
    yield Case(
        path, "with a null character", put("\0" * max(low or 0, 1)), "Member must not contain the character U+0000"
    )
    yield Case(path, "with half a character", put("\ud800" * max(low or 0, 1)), None)


def _number(shape: Shape, path: str, put: Any) -> Iterator[Case]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None:
        yield Case(path, "too small", put(low - 1), _least("value", low))
    if high is not None:
        yield Case(path, "too large", put(high + 1), _most("value", high))
    yield Case(path, "with a fraction", put(1.5), None)
    yield Case(path, "beyond its type", put(2**63), None)


def _fits(shape: Shape, value: Any) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "structure": (dict,),
        "map": (dict,),
        "list": (list,),
        "string": (str,),
        "blob": (str,),
        "boolean": (bool,),
    }
    if isinstance(value, bool):
        return bool(shape.type_name == "boolean")
    return isinstance(value, kinds.get(shape.type_name, (int, float)))


def _own(rule: str) -> str:
    framework, pattern = "Member must satisfy regular expression pattern: ", rule.rpartition("pattern: ")[2]
    unescaped = pattern.replace(r"\/", "/")
    return f"must satisfy regular expression '{unescaped}'" if rule.startswith(framework) else rule


def _least(what: str, low: int) -> str:
    return f"Member must have {what} greater than or equal to {low}"


def _most(what: str, high: int) -> str:
    return f"Member must have {what} less than or equal to {high}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
