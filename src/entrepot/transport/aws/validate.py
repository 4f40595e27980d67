"""Validation of input against the shapes of a model, in AWS's words.

A shape is compiled once into a function of (value, path) that returns the typed value: text, int, float, bool, bytes,
aware datetime, list or dict. Unknown members are ignored and null is the same as absent. Lengths are checked before
patterns, and patterns run in RE2, whose time is linear in the input.

Spec: Smithy 1.0, "Constraint traits"; ECR API, "Common Errors".
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import re2

if TYPE_CHECKING:
    from entrepot.transport.aws.model import Shape

Validator = Callable[[Any, str], Any]

ENUM_ORDER: Final = {
    "ImageTagMutability": ("IMMUTABLE", "MUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"),
}
"""Where AWS lists the values of an enum in another order than its model; clients' tests compare the sentence."""

PATTERN_LENGTH_MAX: Final = 65_536
"""Characters that a pattern looks at where a shape has no maximum of its own; longer text does not satisfy it."""

_PRESENT: Final = "Member must not be null"
_LEAST: Final = "Member must have {what} greater than or equal to {limit}"
_MOST: Final = "Member must have {what} less than or equal to {limit}"
_PATTERN: Final = "Member must satisfy regular expression pattern: {pattern}"
_ENUM: Final = "Member must satisfy enum value set: [{values}]"
_UNICODE_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4,6})")
_INTEGERS: Final = {"integer": (31, "an Integer"), "long": (63, "a Long")}


class WrongType(Exception):
    """A member has the wrong JSON type or cannot be read at all: AWS calls it a SerializationException."""


class ConstraintBroken(Exception):
    """A member breaks a constraint of its shape."""

    def __init__(self, path: str, rule: str, value: object, item_rules: str | None = None) -> None:
        super().__init__(path, rule)
        self.path, self.rule, self.value = path, rule, value
        self.item_rules = item_rules
        """Of a text in a list: every rule that such texts have."""
        self.items: list[Any] | None = None
        """The list that it stands in."""
        self.is_secret = False
        """Whether the value is for nobody's eyes."""


_WITHOUT_LOOKAHEAD: Final = {
    r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$": r"[a-z0-9]+(-[a-z0-9]+)*",  # IAM's account alias
}
"""Patterns with what RE2 does not have, and the same without; their shapes have lengths of their own."""


def to_re2(pattern: str) -> str:
    r"""AWS's pattern in RE2's syntax: `\u00A0` becomes `\x{00A0}`."""
    return _UNICODE_ESCAPE.sub(r"\\x{\1}", _WITHOUT_LOOKAHEAD.get(pattern, pattern))


def compile_shape(shape: Shape) -> Validator:
    """The validator of a shape; equal for equal shapes of one model."""
    validator: Validator | None = shape.__dict__.get("_validator")
    if validator is None:
        shape.__dict__["_validator"] = _later(shape)
        validator = _COMPILERS[shape.kind](shape)
        if shape.is_secret:
            validator = _secret(validator)
        shape.__dict__["_validator"] = validator
    return validator


def _later(shape: Shape) -> Validator:
    """What a recursive shape meets while its own validator is still being made."""

    def check(value: Any, path: str) -> Any:
        return shape.__dict__["_validator"](value, path)

    return check


def _secret(validator: Validator) -> Validator:
    def check(value: Any, path: str) -> Any:
        try:
            return validator(value, path)
        except ConstraintBroken as error:
            error.is_secret = True
            raise

    return check


def _structure(shape: Shape) -> Validator:
    members = [(name, compile_shape(member)) for name, member in shape.members.items()]
    required = frozenset(shape.required)

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected(value, "a structure")
        prefix = f"{path}." if path else ""
        typed = {}
        for name, validator in members:
            given = value.get(name)
            if given is not None:
                typed[name] = validator(given, prefix + name)
            elif name in required:
                raise ConstraintBroken(prefix + name, _PRESENT, None)
        return typed

    return check


def _list(shape: Shape) -> Validator:
    validator = compile_shape(shape.element)
    rules = _rules_of(shape.element) if shape.element.kind == "string" else None
    length = _length_check(shape)

    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _unexpected(value, "a list")
        length(len(value), path, value)
        typed = []
        for number, item in enumerate(value, 1):
            if item is None:
                raise ConstraintBroken(f"{path}.{number}.member", _PRESENT, None)
            try:
                typed.append(validator(item, f"{path}.{number}.member"))
            except ConstraintBroken as error:
                if rules is not None:
                    error.items, error.item_rules = value, rules
                raise
        return typed

    return check


def _rules_of(shape: Shape) -> str:
    """All rules of a text, in the order in which AWS lists them."""
    if shape.enum:
        return _ENUM.format(values=_listed(shape))
    rules = []
    if shape.maximum is not None:
        rules.append(_MOST.format(what="length", limit=shape.maximum))
    if shape.minimum is not None:
        rules.append(_LEAST.format(what="length", limit=shape.minimum))
    if shape.pattern is not None:
        rules.append(_PATTERN.format(pattern=shape.pattern))
    return ", ".join([*rules, _PRESENT])


def _map(shape: Shape) -> Validator:
    keys, values = compile_shape(shape.key), compile_shape(shape.element)
    length = _length_check(shape)

    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected(value, "a map")
        length(len(value), path, value)
        present = {key: item for key, item in value.items() if item is not None}
        return {keys(key, f"{path}.key"): values(item, f"{path}.{key}.member") for key, item in present.items()}

    return check


def _string(shape: Shape) -> Validator:
    length = _length_check(shape)
    allowed = frozenset(shape.enum)
    one_of = _ENUM.format(values=_listed(shape))
    pattern = re2.compile(to_re2(shape.pattern)) if shape.pattern else None

    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise _unexpected(value, "a String")
        if allowed and value not in allowed:
            raise ConstraintBroken(path, one_of, value)
        length(len(value), path, value)
        _check_characters(value, path)
        if pattern is not None and (len(value) > PATTERN_LENGTH_MAX or pattern.fullmatch(value) is None):
            raise ConstraintBroken(path, _PATTERN.format(pattern=shape.pattern), value)
        return value

    return check


def _listed(shape: Shape) -> str:
    return ", ".join(ENUM_ORDER.get(shape.name, shape.enum))


def _check_characters(value: str, path: str) -> None:
    if "\x00" in value:
        # No database column takes it, and no name, tag or document of ours needs it.
        raise ConstraintBroken(path, "Member must not contain the character U+0000", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise WrongType("Unpaired surrogate in a string") from error


def _integer(shape: Shape) -> Validator:
    bits, wanted = _INTEGERS[shape.kind]
    span = _range_check(shape)

    def check(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unexpected(value, wanted)
        if isinstance(value, float) and not value.is_integer():
            raise WrongType("A number with a fraction can not be converted to an Integer")
        if not -(2**bits) <= value < 2**bits:
            raise WrongType("A number is out of the range of its type")
        span(value, path)
        return int(value)

    return check


def _float(shape: Shape) -> Validator:
    span = _range_check(shape)

    def check(value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unexpected(value, "a Double")
        number = _finite(value)
        span(number, path)
        return number

    return check


def _boolean(_shape: Shape) -> Validator:
    def check(value: Any, _path: str) -> bool:
        if not isinstance(value, bool):
            raise _unexpected(value, "a Boolean")
        return value

    return check


def _blob(shape: Shape) -> Validator:
    length = _length_check(shape)

    def check(value: Any, path: str) -> bytes:
        if not isinstance(value, str):
            raise _unexpected(value, "a Blob")
        try:
            decoded = binascii.a2b_base64(value, strict_mode=True) if value else b""
        except ValueError as error:
            raise WrongType("A blob is not valid base64") from error
        length(len(decoded), path, "")
        return decoded

    return check


def _timestamp(_shape: Shape) -> Validator:
    def check(value: Any, _path: str) -> datetime:
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            if not isinstance(value, bool) and isinstance(value, int | float):
                return datetime.fromtimestamp(_finite(value), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise WrongType("A timestamp can not be read") from error
        raise _unexpected(value, "a Timestamp")

    return check


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise WrongType("A number is out of the range of its type") from error
    if not math.isfinite(number):
        raise WrongType("A number is out of the range of its type")
    return number


def _length_check(shape: Shape) -> Callable[[int, str, Any], None]:
    low, high = shape.minimum or 0, shape.maximum

    def check(length: int, path: str, value: Any) -> None:
        if length < low:
            raise ConstraintBroken(path, _LEAST.format(what="length", limit=low), value)
        if high is not None and length > high:
            raise ConstraintBroken(path, _MOST.format(what="length", limit=high), value)

    return check


def _range_check(shape: Shape) -> Callable[[float, str], None]:
    low, high = shape.minimum, shape.maximum

    def check(value: float, path: str) -> None:
        if low is not None and value < low:
            raise ConstraintBroken(path, _LEAST.format(what="value", limit=low), value)
        if high is not None and value > high:
            raise ConstraintBroken(path, _MOST.format(what="value", limit=high), value)

    return check


def _unexpected(value: Any, wanted: str) -> WrongType:
    if isinstance(value, dict | list):
        return WrongType(
            f"Start of {'list' if isinstance(value, list) else 'structure or map'} found where not expected"
        )
    names = {bool: "TRUE_VALUE" if value is True else "FALSE_VALUE", str: "STRING_VALUE"}
    return WrongType(f"{names.get(type(value), 'NUMBER_VALUE')} can not be converted to {wanted}")


_COMPILERS: Final[dict[str, Callable[[Shape], Validator]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "double": _float,
    "float": _float,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _timestamp,
}
