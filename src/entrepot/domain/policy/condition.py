"""Conditions: an operator, a key and its values, asked of the context of a request.

Spec: IAM user guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context keys".
All conditions of a statement must hold; one value of a key is enough, of a negated operator none may match. A key that
is absent fails its condition, but for negated operators, IfExists, ForAllValues and Null.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from entrepot.domain.policy.comparison import FAMILIES, NEGATED, Test
from entrepot.domain.policy.template import Context

_NULL = "null"
_IF_EXISTS = "ifexists"


class Quantifier(Enum):
    """How many of a key's values in the request must match."""

    NONE = ""
    ALL = "forallvalues"
    ANY = "foranyvalue"


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator taken apart: `ForAllValues:StringNotLikeIfExists`."""

    family: str
    """The comparison, in lower case: a name of FAMILIES, or `null`."""
    is_negated: bool
    is_if_exists: bool
    quantifier: Quantifier


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator, ready to be asked."""

    operator: Operator
    key: str
    """In lower case."""
    values: tuple[str, ...]
    test: Test = field(repr=False, compare=False)
    written: str = field(default="", compare=False)
    """Operator and key as the document has them: `StringEquals aws:PrincipalTag/Team`."""

    def holds(self, context: Context) -> bool:
        """Whether the request meets it."""
        values = context.get(self.key)
        operator = self.operator
        if operator.family == _NULL:
            return self.test("false" if values else "true", context)
        if not values:
            return self._holds_when_absent()
        test, is_negated = self.test, operator.is_negated
        if len(values) == 1:
            return test(values[0], context) != is_negated
        if operator.quantifier is Quantifier.ALL:
            return all(test(value, context) != is_negated for value in values)
        if operator.quantifier is Quantifier.ANY:
            return any(test(value, context) != is_negated for value in values)
        return any(test(value, context) for value in values) != is_negated

    def _holds_when_absent(self) -> bool:
        """ForAnyValue needs a value, IfExists or not: IfExists is asked of each value, and there is none."""
        if self.operator.quantifier is Quantifier.NONE:
            return self.operator.is_if_exists or self.operator.is_negated
        return self.operator.quantifier is Quantifier.ALL


def parse_operator(text: str) -> Operator | None:
    """Take an operator's name apart, in any case; None if there is no such operator."""
    before, colon, name = text.lower().rpartition(":")
    try:
        quantifier = Quantifier(before)
    except ValueError:
        return None
    if colon and quantifier is Quantifier.NONE:
        return None
    is_if_exists = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    if name == _NULL:
        return None if is_if_exists else Operator(_NULL, is_negated=False, is_if_exists=False, quantifier=quantifier)
    family = NEGATED.get(name, name)
    if family not in FAMILIES:
        return None
    return Operator(family, is_negated=name in NEGATED, is_if_exists=is_if_exists, quantifier=quantifier)


def compile_condition(
    operator: Operator, key: str, values: Iterable[str], *, variables: bool, name: str = ""
) -> Condition:
    """Prepare a condition. `variables`: whether `${…}` in its values is filled in; `name`: the operator as written."""
    texts = tuple(values)
    build = FAMILIES["bool" if operator.family == _NULL else operator.family]
    return Condition(operator, key.lower(), texts, build(texts, variables=variables), f"{name} {key}")
