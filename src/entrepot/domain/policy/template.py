"""Templates: texts of policies with wildcards and variables, such as `team-${aws:PrincipalTag/team, 'none'}/*`.

Spec: IAM user guide, "IAM policy elements: Variables and tags". A variable that has no value, or several, makes its
text match nothing. What a variable brings is literal: a `*` in a user name is a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from entrepot.domain.policy.wildcard import Pattern, Token, Wild, tokens_of

Context = Mapping[str, tuple[str, ...]]
"""Condition keys in lower case, each with its values; a key that is unknown is absent."""

_OPEN = "${"
_LITERALS = frozenset("*?$")
_VARIABLE = re.compile(r"\s*([^\s,'{}$](?:[^,'{}$]*[^\s,'{}$])?)\s*(?:,\s*'([^'{}]*)'\s*)?")


class Variable(NamedTuple):
    """A condition key whose value is filled in, with what stands for it when the key is absent."""

    key: str
    default: str | None

    def value(self, context: Context) -> str | None:
        """The one value, the default, or None."""
        values = context.get(self.key, ())
        if len(values) == 1:
            return values[0]
        return None if values else self.default


Part = Token | Variable


class Template:
    """A text of a policy, compiled at once if it has no variables, otherwise with each request."""

    __slots__ = ("_fixed", "parts")

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)
        fixed = [part for part in self.parts if not isinstance(part, Variable)]
        self._fixed = Pattern(fixed) if len(fixed) == len(self.parts) else None

    @property
    def fixed(self) -> Pattern | None:
        """The pattern, if it is the same for every request."""
        return self._fixed

    def pattern(self, context: Context) -> Pattern | None:
        """The pattern for one request; None matches nothing."""
        return self._fixed or _filled(self.parts, context)

    def matches(self, text: str, context: Context) -> bool:
        """Whether the whole text is covered."""
        pattern = self.pattern(context)
        return pattern is not None and pattern.matches(text)


def parts_of(text: str, *, variables: bool, wildcards: bool) -> Iterator[Part]:
    """Split a text of a policy into literals, wildcards and variables.

    Policies of version 2008-10-17 have no variables; comparisons for equality have no wildcards.
    """
    while text:
        place = text.find(_OPEN) if variables else -1
        end = text.find("}", place) if place >= 0 else -1
        if end < 0:
            yield from _plain(text, wildcards=wildcards)
            return
        yield from _plain(text[:place], wildcards=wildcards)
        yield from _variable(text[place : end + 1], wildcards=wildcards)
        text = text[end + 1 :]


def variables_of(texts: Iterable[str]) -> Iterator[str]:
    """The condition keys that texts of a policy fill in, in lower case."""
    for text in texts:
        for part in parts_of(text, variables=True, wildcards=False):
            if isinstance(part, Variable):
                yield part.key


def _plain(text: str, *, wildcards: bool) -> Iterable[Token]:
    return tokens_of(text) if wildcards else (text,)


def _variable(text: str, *, wildcards: bool) -> Iterable[Part]:
    """`${*}`, `${key}` or `${key, 'default'}`; what is none of them is ordinary text."""
    inside = text[len(_OPEN) : -1]
    if inside in _LITERALS:
        return (inside,)
    found = _VARIABLE.fullmatch(inside)
    return (Variable(found[1].lower(), found[2]),) if found else _plain(text, wildcards=wildcards)


def _filled(parts: tuple[Part, ...], context: Context) -> Pattern | None:
    tokens: list[str | Wild] = []
    for part in parts:
        token = part.value(context) if isinstance(part, Variable) else part
        if token is None:
            return None
        tokens.append(token)
    return Pattern(tokens)
