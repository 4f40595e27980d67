"""Statements and policies: what documents say, compiled once and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from entrepot.domain.policy.condition import Condition
from entrepot.domain.policy.principal import Principals
from entrepot.domain.policy.resource import ArnPattern
from entrepot.domain.policy.template import Context
from entrepot.domain.policy.wildcard import Pattern


class Version(Enum):
    """Versions of the language: the older one has no variables."""

    OLD = "2008-10-17"
    NEW = "2012-10-17"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `None` for principals or resources: the document's kind has none, and everything is meant."""

    position: str
    """Where it stands in its document: `Statement[2]`."""
    sid: str
    is_allow: bool
    actions: tuple[Pattern, ...]
    is_action_negated: bool
    principals: Principals | None
    resources: tuple[ArnPattern, ...] | None
    is_resource_negated: bool
    conditions: tuple[Condition, ...]
    keys: frozenset[str]
    """Condition keys, in lower case, on whose values it depends whether the statement applies."""

    def names_action(self, action: str) -> bool:
        """Whether it speaks of an action, given in lower case."""
        return any(pattern.matches(action) for pattern in self.actions) != self.is_action_negated

    def applies(self, arn: str, context: Context) -> bool:
        """Whether resource and conditions fit; the action and who asks are looked at elsewhere."""
        if self.resources is not None and self.names_resource(arn, context) is self.is_resource_negated:
            return False
        for condition in self.conditions:  # noqa: SIM110 (loops: every request comes here, generators cost twice as much)
            if not condition.holds(context):
                return False
        return True

    def names_resource(self, arn: str, context: Context) -> bool:
        """Whether a pattern of Resource or NotResource means the ARN."""
        for pattern in self.resources or ():  # noqa: SIM110 (likewise)
            if pattern.matches(arn, context):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Policy:
    """A document."""

    version: Version
    statements: tuple[Statement, ...]
