"""Context keys: which condition keys a policy document asks for, as they are written in it.

Spec: IAM API, GetContextKeysForCustomPolicy; SimulateCustomPolicy, MissingContextValues.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from entrepot.domain.policy.statement import Version
from entrepot.domain.policy.template import Variable, parts_of

_WITH_VARIABLES: Final = ("Resource", "NotResource")
_VARIABLE_NAME: Final = re.compile(r"\$\{\s*([^\s,}]+)")


def context_keys(document: str) -> list[str]:
    """The keys of a document that was read before: of variables, then of conditions; each once, in any case."""
    found: dict[str, str] = {}
    for key in chain.from_iterable(keys_by_statement(document)):
        found.setdefault(key.lower(), key)
    return list(found.values())


def keys_by_statement(document: str) -> list[list[str]]:
    """The keys of each statement; one that it names twice comes twice."""
    content = json.loads(document)
    statements = content["Statement"]
    has_variables = content.get("Version") == Version.NEW.value
    listed = statements if isinstance(statements, list) else [statements]
    return [list(_of_statement(statement, has_variables=has_variables)) for statement in listed]


def _of_statement(statement: Mapping[str, Any], *, has_variables: bool) -> Iterator[str]:
    for member in _WITH_VARIABLES:
        yield from _of_texts(statement.get(member, []), has_variables=has_variables)
    for keys in statement.get("Condition", {}).values():
        for key, values in keys.items():
            yield key
            yield from _of_texts(values, has_variables=has_variables)


def _of_texts(value: Any, *, has_variables: bool) -> Iterator[str]:
    if not has_variables:
        return
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            yield from _of_text(text)


def _of_text(text: str) -> Iterable[str]:
    """Names as they are written: the parser knows which variables there are, and writes them in lower case."""
    wanted = {part.key for part in parts_of(text, variables=True, wildcards=True) if isinstance(part, Variable)}
    return [name for name in _VARIABLE_NAME.findall(text) if name.lower() in wanted] if wanted else ()
