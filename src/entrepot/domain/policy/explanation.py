"""Explanations: a decision in plain words, for operators who ask why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from entrepot.domain.policy.condition import Condition
from entrepot.domain.policy.evaluate import Case, Decision, Layer, Match, Outcome, Policies
from entrepot.domain.policy.index import Entry, PolicySet
from entrepot.domain.policy.miss import Miss, Obstacle
from entrepot.domain.policy.principal import Grant
from entrepot.domain.policy.template import Context

MISSES_SHOWN: Final = 10
"""Statements that did not apply, of one explanation."""

_VALUES_SHOWN: Final = 5

_ON_RESOURCE: Final = (Layer.RESOURCE, Layer.REGISTRY)

_LIMITS: Final = {
    Layer.BOUNDARY: "the permissions boundary must allow it too, and does not",
    Layer.SESSION: "the session policies must allow it too, and do not",
    Layer.ENDPOINT: "the VPC endpoint policy must allow it too, and does not",
    Layer.SERVICE_CONTROL: "the service control policies must allow it too, at each level, and do not",
    Layer.SCOPE: "the robot token was not made for it",
}


def explain(case: Case, missed: Sequence[Miss]) -> list[str]:
    """The decision in lines: what it is, which statements decided, what else applied, and what nearly did."""
    return [*_verdict(case), *_others(case.decision), *_missed(case, missed)]


def _verdict(case: Case) -> Iterator[str]:
    decision = case.decision
    if decision.outcome is Outcome.EXPLICIT_DENY:
        yield "Denied: a policy says Deny, which no Allow outweighs."
        yield from (f"  denied by {_name(match.layer, match.entry)}" for match in decision.decided_by)
    elif decision.outcome is Outcome.IMPLICIT_DENY:
        yield f"Denied: no policy says Deny, but {_missing(case)}."
        yield f"  looked at {', '.join(_looked_at(case.policies))}"
    else:
        yield f"Allowed: {_enough(case)}."
        yield from (f"  {_verb(match)} {_name(match.layer, match.entry)}" for match in decision.decided_by)


def _missing(case: Case) -> str:
    """What would have had to allow it."""
    layer = case.decision.layer
    if layer in _LIMITS:
        return _LIMITS[layer]
    account_id, owner_id = case.request.subject.account_id, case.request.resource_account_id
    if layer is Layer.RESOURCE:
        return _missing_on_resource(account_id, owner_id)
    if account_id != owner_id:
        return f"of two accounts both must allow it: {owner_id} does, and no identity-based policy of the caller does"
    if any(match.layer in _ON_RESOURCE for match in case.decision.matched):
        return "what the resource's side says is not enough without an identity-based policy, and none allows it"
    return "no identity-based policy of the caller allows it, and nothing on the resource's side does"


def _missing_on_resource(account_id: str | None, owner_id: str | None) -> str:
    if account_id is None:
        return "the resource's policy must allow it, and does not"
    if account_id == owner_id:
        return "the resource's own policy must allow it in any case, and does not"
    if owner_id is None:
        return "the resource belongs to no account, so nobody can allow it"
    return f"the resource belongs to account {owner_id}, which must allow it by a policy on its side, and does not"


def _enough(case: Case) -> str:
    used = {match.layer for match in case.decision.decided_by}
    is_by_resource, is_by_caller = bool(used.intersection(_ON_RESOURCE)), Layer.IDENTITY in used
    if is_by_resource and is_by_caller:
        return "both sides allow it, the caller's and the resource's, and no policy says Deny"
    if is_by_resource:
        return "the resource's side allows it, which is enough here, and no policy says Deny"
    if is_by_caller:
        return "an identity-based policy of the caller allows it, and no policy says Deny"
    if not case.request.subject.is_root:
        return "a grant of the key allows it, and no policy says Deny"
    return "root needs no policy in its own account, and no policy says Deny"


def _verb(match: Match) -> str:
    return "within" if match.layer in _LIMITS else "allowed by"


def _looked_at(policies: Policies) -> Iterator[str]:
    """Which kinds of policies there are, with the number of their statements."""
    there: list[tuple[str, list[PolicySet | None]]] = [
        ("identity-based policies", [policies.identity]),
        ("the permissions boundary", [policies.boundary]),
        ("session policies", [policies.session]),
        ("the resource's policy", [policies.resource]),
        (f"the registry policy, scope {policies.registry_scope.value}", [policies.registry]),
        ("the VPC endpoint policy", [policies.endpoint]),
        ("service control policies", list(policies.service_control)),
        ("the scope of the robot token", [policies.scope]),
    ]
    for name, sets in there:
        present = [len(one.entries) for one in sets if one is not None]
        if present:
            yield f"{name} ({_statements(sum(present))})"


def _statements(count: int) -> str:
    return "1 statement" if count == 1 else f"{count or 'no'} statements"


def _others(decision: Decision) -> Iterator[str]:
    """What applied without deciding: Allows that a Deny outweighs, and sides that did not need to agree."""
    decided = {id(match.entry) for match in decision.decided_by}
    for match in decision.matched:
        if id(match.entry) not in decided:
            yield f"  applies too: {_name(match.layer, match.entry)}, which {_says(match)}"


def _says(match: Match) -> str:
    if match.is_allow and match.layer in _ON_RESOURCE:
        if match.grant == Grant.ACCOUNT:
            return "allows it to the account: identity-based policies of the account decide"
        if match.grant & Grant.ROLE and not match.grant & (Grant.DIRECT | Grant.EVERYBODY):
            return "allows it to the role: within its boundary and the session policies"
    return "allows it" if match.is_allow else "denies it"


def _missed(case: Case, missed: Sequence[Miss]) -> Iterator[str]:
    """What would have changed the decision: Allows where something was denied, Denies where it was allowed."""
    if case.decision.is_allowed:
        wanted = [miss for miss in missed if not miss.is_allow and miss.obstacle is Obstacle.CONDITION]
    else:
        helpful = _helpful(case)
        wanted = [miss for miss in missed if miss.is_allow and miss.layer in helpful]
    for miss in sorted(wanted, key=_nearness)[:MISSES_SHOWN]:
        effect = "allow" if miss.is_allow else "deny"
        yield f"  would {effect} it: {_name(miss.layer, miss.entry)}, but {_why_not(miss, case.request.context)}"
    if len(wanted) > MISSES_SHOWN:
        yield f"  and {len(wanted) - MISSES_SHOWN} more that do not apply"


def _helpful(case: Case) -> Collection[Layer]:
    """Kinds of policies of which one more Allow would help."""
    layer, request = case.decision.layer, case.request
    if layer is None or case.decision.outcome is Outcome.EXPLICIT_DENY:
        return ()
    if layer is Layer.RESOURCE:
        return _ON_RESOURCE
    if layer is Layer.IDENTITY and request.subject.account_id == request.resource_account_id:
        return (layer, *_ON_RESOURCE)
    return (layer,)


_NEARNESS: Final = (Obstacle.CONDITION, Obstacle.PRINCIPAL, Obstacle.RESOURCE)


def _nearness(miss: Miss) -> int:
    return _NEARNESS.index(miss.obstacle)


def _why_not(miss: Miss, context: Context) -> str:
    if miss.obstacle is Obstacle.PRINCIPAL:
        return "it means other principals"
    if miss.obstacle is Obstacle.RESOURCE:
        return "it means other resources"
    return " and ".join(_broken(condition, context) for condition in miss.conditions)


def _broken(condition: Condition, context: Context) -> str:
    values = context.get(condition.key)
    has = _shown(values) if values else "no such key"
    return f"`{condition.written}` {_shown(condition.values)} does not hold: the request has {has}"


def _shown(values: Iterable[str]) -> str:
    quoted = [f'"{value}"' for value in values]
    more = [f"and {len(quoted) - _VALUES_SHOWN} more"] if len(quoted) > _VALUES_SHOWN else []
    return ", ".join(quoted[:_VALUES_SHOWN] + more) or "nothing"


def _name(layer: Layer, entry: Entry) -> str:
    statement = entry.statement
    sid = f' "{statement.sid}"' if statement.sid else ""
    kind = "" if entry.source.endswith(" policy") else f"{layer.value} "  # "repository policy" says what it is
    return f"{kind}{entry.source}, {statement.position}{sid}"
