"""Shapes of policy documents: which members there are and of which JSON type, before any value is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from entrepot.domain.policy.condition import parse_operator
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.principal import EVERYBODY, Kind, parse_name
from entrepot.domain.policy.statement import Version

_TOP: Final = frozenset({"Version", "Id", "Statement"})
_LISTS: Final = ("Action", "NotAction", "Resource", "NotResource")
_PAIRS: Final = (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal"))
_MEMBERS: Final = frozenset({"Sid", "Effect", "Condition", *_LISTS, "Principal", "NotPrincipal"})


class RawStatement(NamedTuple):
    """A statement as JSON, its members of the right types."""

    position: str
    members: Mapping[str, Any]


def check_shape(document: Mapping[str, Any]) -> list[RawStatement]:
    """Check members and their types; the statements.

    Raises:
        PolicyInvalid: unknown members, wrong types, unknown versions, effects or operators, no statement.
    """
    _demand(document.keys() <= _TOP, ", ".join(sorted(document.keys() - _TOP)))
    _demand(document.get("Version", Version.OLD.value) in [version.value for version in Version], "Version")
    _demand(isinstance(document.get("Id", ""), str), "Id")
    raw = document.get("Statement")
    statements = (
        [RawStatement(f"Statement[{index}]", members) for index, members in enumerate(raw)]
        if isinstance(raw, list)
        else [RawStatement("Statement", raw)]  # type: ignore[arg-type] # looked at next
    )
    _demand(bool(statements), "Statement")
    for statement in statements:
        _check_statement(statement)
    return statements


def each(statement: RawStatement, *names: str) -> Iterator[tuple[str, str]]:
    """Position and text of each string in the members named, which hold one or a list."""
    for name in names:
        position, value = f"{statement.position}.{name}", statement.members.get(name, [])
        if isinstance(value, str):
            yield position, value
        else:
            yield from ((f"{position}[{index}]", text) for index, text in enumerate(value))


def condition_values(value: Any) -> list[str]:
    """The values of a condition key as texts: JSON's numbers and booleans count as what they look like."""
    return [_text(item) for item in (value if isinstance(value, list) else [value])]


def principal_names(statement: RawStatement) -> set[tuple[Kind, str]]:
    """Whom Principal or NotPrincipal names; empty without one.

    Raises:
        PolicyInvalid: a principal that has not the form of its kind; groups, and wildcards within a name, are none.
    """
    names = set[tuple[Kind, str]]()
    for member in ("Principal", "NotPrincipal"):
        value = statement.members.get(member, {})
        kinds = {Kind.AWS.value: EVERYBODY} if value == EVERYBODY else value
        inner = RawStatement(f"{statement.position}.{member}", kinds)
        for kind in kinds:
            for position, text in each(inner, kind):
                name = parse_name(Kind(kind), text)
                if name is None or (text == EVERYBODY and member == "NotPrincipal"):
                    raise PolicyInvalid(Fault.PRINCIPAL_FORM, position, kind=kind, found=text)
                names.add(name)
    return names


def _check_statement(statement: RawStatement) -> None:
    position, members = statement
    _demand(isinstance(members, dict), position)
    _demand(members.keys() <= _MEMBERS, f"{position}.{', '.join(sorted(members.keys() - _MEMBERS))}")
    for one, other in _PAIRS:
        _demand(not (one in members and other in members), f"{position}.{other}")
    effect = members.get("Effect")
    _demand(isinstance(effect, str) and effect.lower() in {"allow", "deny"}, f"{position}.Effect")
    _demand(isinstance(members.get("Sid", ""), str), f"{position}.Sid")
    for name in _LISTS:
        _demand(_is_texts(members.get(name, [])), f"{position}.{name}")
    _check_conditions(members.get("Condition", {}), f"{position}.Condition")
    for name in ("Principal", "NotPrincipal"):
        if name in members:
            _check_principal(members[name], f"{position}.{name}")


def _check_conditions(conditions: Any, position: str) -> None:
    _demand(isinstance(conditions, dict), position)
    for name, keys in conditions.items():
        _demand(isinstance(keys, dict), f"{position}.{name}")
        _demand(not keys or parse_operator(name) is not None, f"{position}.{name}")
        for key, values in keys.items():
            _demand(
                all(
                    isinstance(value, str | bool | int | float)
                    for value in (values if isinstance(values, list) else [values])
                ),
                f"{position}.{name}.{key}",
            )


def _check_principal(value: Any, position: str) -> None:
    if value == EVERYBODY:
        return
    _demand(isinstance(value, dict) and bool(value), position)
    for kind, names in value.items():
        _demand(kind in {known.value for known in Kind}, f"{position}.{kind}")
        _demand(_is_texts(names) and names != [], f"{position}.{kind}")


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(text, str) for text in value))


def _text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def _demand(is_right: bool, position: str) -> None:
    if not is_right:
        raise PolicyInvalid(Fault.SYNTAX, position)
