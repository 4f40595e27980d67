"""Policy sets: the statements of many policies, found by action and by what their resources begin with.

The 2,000 statements of 200 policies are not walked for each request: one look by action, then one for each length at
which a resource's fixed beginning can end. What a set knows of an action it works out when it is first asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from entrepot.domain.policy.statement import Policy, Statement
from entrepot.domain.policy.template import Context

_ACTIONS_KEPT: Final = 1_024
"""Actions that a set remembers: more than there are, so that invented ones do not fill memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A statement and the policy it came from."""

    source: str
    statement: Statement


class PolicySet:
    """Policies that count together, such as all those of a user and his groups. Immutable."""

    __slots__ = ("_by_action", "_exact", "_wild", "entries")

    def __init__(self, policies: Iterable[tuple[str, Policy]] = ()) -> None:
        self.entries = tuple(Entry(source, statement) for source, policy in policies for statement in policy.statements)
        """Every statement, with the name that its policy was given."""
        self._by_action: dict[str, _Resources] = {}
        self._exact = defaultdict[str, list[Entry]](list)
        self._wild: list[Entry] = []
        for entry in self.entries:
            self._add(entry)

    def matching(self, action: str, arn: str, context: Context) -> list[Entry]:
        """The statements that speak of an action (in lower case) on a resource and whose conditions hold."""
        resources = self._by_action.get(action)
        if resources is None:
            resources = self._resources(action)
        return [entry for entry in resources.candidates(arn) if entry.statement.applies(arn, context)]

    def keys(self, action: str) -> frozenset[str]:
        """The condition keys on whose values it depends what `matching` says of an action (in lower case)."""
        resources = self._by_action.get(action)
        return (self._resources(action) if resources is None else resources).keys

    def _add(self, entry: Entry) -> None:
        statement = entry.statement
        exact = [pattern.exact for pattern in statement.actions if pattern.exact is not None]
        if statement.is_action_negated or len(exact) < len(statement.actions):
            self._wild.append(entry)
            return
        for action in set(exact):
            self._exact[action].append(entry)

    def _resources(self, action: str) -> _Resources:
        named = [*self._exact.get(action, ()), *(entry for entry in self._wild if entry.statement.names_action(action))]
        resources = _Resources(named)
        if len(self._by_action) < _ACTIONS_KEPT:
            self._by_action[action] = resources
        return resources


class _Resources:
    """Statements of one action, by the fixed beginnings of their resources."""

    __slots__ = ("_lengths", "_table", "keys")

    def __init__(self, entries: Sequence[Entry]) -> None:
        table = defaultdict[str, list[Entry]](list)
        self.keys = frozenset[str]().union(*(entry.statement.keys for entry in entries))
        for entry in entries:
            for prefix in _prefixes(entry.statement):
                table[prefix].append(entry)
        self._table = dict(table)
        self._lengths = sorted({len(prefix) for prefix in table})

    def candidates(self, arn: str) -> list[Entry]:
        """Those whose beginning fits, each once."""
        longest, table, found = len(arn), self._table, list[list[Entry]]()
        for length in self._lengths:
            if length > longest:
                break
            if entries := table.get(arn[:length]):
                found.append(entries)
        if len(found) == 1:
            return found[0]
        return list(dict.fromkeys(chain.from_iterable(found)))


def _prefixes(statement: Statement) -> set[str]:
    if statement.resources is None or statement.is_resource_negated:
        return {""}
    prefixes = {pattern.prefix for pattern in statement.resources}
    return {""} if "" in prefixes else prefixes
