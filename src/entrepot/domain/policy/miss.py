"""Misses: the statements that speak of an action and yet do not apply, and what keeps each from applying.

Nothing is decided here: it is for people who wonder about a decision, so every statement is looked at, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from entrepot.domain.policy.condition import Condition
from entrepot.domain.policy.evaluate import Case, Layer, Request, layers_of
from entrepot.domain.policy.index import Entry
from entrepot.domain.policy.statement import Statement

Values = tuple[str, ...]


class Obstacle(Enum):
    """What keeps a statement from applying; the first that does."""

    PRINCIPAL = "principal"
    RESOURCE = "resource"
    CONDITION = "condition"


class Miss(NamedTuple):
    """A statement that speaks of the action and does not apply."""

    layer: Layer
    entry: Entry
    obstacle: Obstacle
    conditions: tuple[Condition, ...] = ()
    """Those that do not hold."""

    @property
    def is_allow(self) -> bool:
        """Allow, or else Deny."""
        return self.entry.statement.is_allow


class KeyUse(NamedTuple):
    """A condition key on which it depends what was decided."""

    name: str
    """As a document has it."""
    values: Values | None
    """In this request; None where it has no such key."""


def misses(case: Case) -> tuple[Miss, ...]:
    """Every miss, by kind of policy and in the order of their documents."""
    return tuple(_misses(case.request, case))


def _misses(request: Request, case: Case) -> Iterator[Miss]:
    action = request.action.lower()
    for layer, policy_set in layers_of(action, case.policies):
        for entry in policy_set.entries:
            if entry.statement.names_action(action) and (obstacle := _obstacle(request, entry.statement)):
                yield Miss(layer, entry, obstacle, _broken(request, entry.statement, obstacle))


def _obstacle(request: Request, statement: Statement) -> Obstacle | None:
    principals = statement.principals
    if principals and not principals.grant(request.subject, is_deny=not statement.is_allow):
        return Obstacle.PRINCIPAL
    if statement.resources is not None:
        is_named = statement.names_resource(request.resource, request.context)
        if is_named is statement.is_resource_negated:
            return Obstacle.RESOURCE
    return None if statement.applies(request.resource, request.context) else Obstacle.CONDITION


def _broken(request: Request, statement: Statement, obstacle: Obstacle) -> tuple[Condition, ...]:
    if obstacle is not Obstacle.CONDITION:
        return ()
    return tuple(condition for condition in statement.conditions if not condition.holds(request.context))


def keys_used(case: Case, missed: Iterable[Miss]) -> tuple[KeyUse, ...]:
    """The condition keys on whose values the decision depends, by name.

    Those of statements that applied, or that would apply to this caller and resource with other values.
    """
    statements = [match.entry.statement for match in case.decision.matched]
    statements += [miss.entry.statement for miss in missed if _could_apply(miss, case.request.resource)]
    names = {key: key for statement in statements for key in statement.keys}
    for condition in (one for statement in statements for one in statement.conditions):
        names[condition.key] = condition.written.partition(" ")[2]
    return tuple(KeyUse(name, case.request.context.get(key)) for key, name in sorted(names.items()))


def _could_apply(miss: Miss, arn: str) -> bool:
    if miss.obstacle is Obstacle.RESOURCE:
        resources = miss.entry.statement.resources or ()
        return any(not pattern.is_fixed and arn.startswith(pattern.prefix) for pattern in resources)
    return miss.obstacle is Obstacle.CONDITION
