"""Simulation: what policies would decide of actions on resources, and which statements and missing keys are why.

Spec: IAM API, SimulateCustomPolicy and SimulatePrincipalPolicy, EvaluationResult.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from entrepot.domain.policy.context_key import keys_by_statement
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.evaluate import Decision, Layer, Match, Outcome, Policies, Request, evaluate
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.position import Span, statement_spans
from entrepot.domain.policy.principal import Subject


class SourceType:
    """Where a policy came from, as IAM's PolicySourceType names it."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    AWS = "aws-managed"
    MANAGED = "user-managed"
    RESOURCE = "resource"
    NONE = "none"


class Source(NamedTuple):
    """One policy of a simulation."""

    id: str
    """As results name it: `AdministratorAccess`, `user_mia_pull`, `PolicyInputList.1`."""
    type: str
    document: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Who asks, within which policies."""

    subject: Subject
    identity: Sequence[Source]
    boundary: Source | None = None
    resource: Source | None = None
    service_control: Sequence[Sequence[Source]] = ()
    """Levels of the organisation, each with its policies."""
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By key in lower case."""


class MatchedStatement(NamedTuple):
    """A statement that decided."""

    source: Source
    span: Span


class Result(NamedTuple):
    """What was decided of one action on one resource."""

    action: str
    resource: str
    outcome: Outcome
    matched: tuple[MatchedStatement, ...]
    missing: tuple[str, ...]
    """Context keys, as they are written, that statements about this action ask for and nobody gave."""
    is_within_boundary: bool | None
    """None: there is no boundary."""
    is_within_organization: bool | None


class Simulator:
    """Policies of one scene, compiled once for all questions.

    Raises:
        PolicyInvalid: a document is no policy of its kind.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._sources: dict[str, Source] = {}
        self._spans: dict[str, list[Span]] = {}
        self._keys: dict[str, list[list[str]]] = {}
        boundary, resource = scene.boundary, scene.resource
        self._policies = Policies(
            identity=self._compile(scene.identity),
            boundary=self._compile([boundary]) if boundary else None,
            resource=self._compile([resource], Kind.REPOSITORY) if resource else None,
            service_control=tuple(self._compile(level) for level in scene.service_control),
        )

    def ask(self, action: str, resource: str, resource_account_id: str | None) -> Result:
        """Decide one action on one resource of an account."""
        scene, policies = self._scene, self._policies
        request = Request(scene.subject, action, resource, resource_account_id, scene.context)
        decision = evaluate(request, policies)
        return Result(
            action,
            resource,
            decision.outcome,
            tuple(self._matched(match) for match in _decisive(decision)),
            tuple(self._missing(action)),
            _allows(policies.boundary, request) if policies.boundary else None,
            all(_allows(level, request) for level in policies.service_control) if policies.service_control else None,
        )

    def _compile(self, sources: Iterable[Source], kind: Kind = Kind.IDENTITY) -> PolicySet:
        policies = []
        for source in sources:
            key, policy = f"{len(self._sources)} {source.id}", parse_policy(source.document, kind)
            policies.append((key, policy))
            self._sources[key], self._spans[key] = source, statement_spans(source.document)
            self._keys[key] = keys_by_statement(source.document)
        return PolicySet(policies)

    def _matched(self, match: Match) -> MatchedStatement:
        key = match.entry.source
        return MatchedStatement(self._sources[key], self._spans[key][_index(match.entry.statement.position)])

    def _missing(self, action: str) -> Iterable[str]:
        """Keys that statements about an action ask for and that the scene does not have."""
        policies, found = self._policies, dict[str, str]()
        sets = [policies.identity, policies.boundary, policies.resource, *policies.service_control]
        for entry in (entry for policy_set in sets if policy_set for entry in policy_set.entries):
            if entry.statement.names_action(action.lower()):
                for key in self._keys[entry.source][_index(entry.statement.position)]:
                    if key.lower() not in self._scene.context:
                        found.setdefault(key.lower(), key)
        return found.values()


def _decisive(decision: Decision) -> Iterable[Match]:
    """Limits that allowed are not shown: they grant nothing."""
    limits = (Layer.BOUNDARY, Layer.SERVICE_CONTROL)
    return [match for match in decision.decided_by if match.layer not in limits or not match.is_allow]


def _allows(policy_set: PolicySet, request: Request) -> bool:
    """Whether a limit lets the request pass by itself."""
    found = policy_set.matching(request.action.lower(), request.resource, request.context)
    return bool(found) and all(entry.statement.is_allow for entry in found)


def _index(position: str) -> int:
    """`Statement[2]`, or `Statement` of a document whose only statement is in no list."""
    return int(position[:-1].partition("[")[2]) if position.endswith("]") else 0
