"""Explained decisions, as lines for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from entrepot.app.explain import Explained
from entrepot.domain.policy.evaluate import Match, Outcome
from entrepot.domain.policy.explanation import explain
from entrepot.domain.policy.miss import KeyUse, Miss, keys_used


def to_lines(explained: Explained) -> list[str]:
    """The question, the decision with its reasons, the condition keys, and what was taken for granted."""
    question = explained.question
    head = f"{explained.caller.principal.arn}: {question.action} on {question.resource}"
    return [head, *_reasons(explained), *_keys(explained), *_assumed(explained), *_notes(explained)]


def to_document(explained: Explained) -> dict[str, Any]:
    """The same as JSON. `statements` holds every statement that speaks of the action; `decides` those that decided."""
    question, case, decision = explained.question, explained.case, explained.case.decision
    return {
        "decision": _outcome(explained).value,
        "principal": explained.caller.principal.arn,
        "action": question.action,
        "resource": case.request.resource,
        "deniedBy": decision.layer.value if decision.layer and not explained.always else None,
        "statements": [] if explained.always else _statements(explained),
        "conditionKeys": [_key(explained, use) for use in _uses(explained)],
        "given": {key: list(values) for key, values in question.context.items()},
        "assumed": explained.assumed,
        "notes": list(_all_notes(explained)),
        "explanation": list(_reasons(explained)),
    }


def _outcome(explained: Explained) -> Outcome:
    if explained.always:
        return Outcome.ALLOWED if explained.is_allowed else Outcome.EXPLICIT_DENY
    return explained.case.decision.outcome


def _reasons(explained: Explained) -> list[str]:
    if explained.always:
        return [f"{'Allowed' if explained.is_allowed else 'Denied'}: {explained.always[1]}."]
    return explain(explained.case, explained.missed)


def _statements(explained: Explained) -> list[dict[str, Any]]:
    decision = explained.case.decision
    decided = {id(match.entry) for match in decision.decided_by}
    applied = [
        {**_statement(match), "applies": True, "decides": id(match.entry) in decided} for match in decision.matched
    ]
    return applied + [{**_statement(miss), "applies": False, **_obstacle(miss)} for miss in explained.missed]


def _statement(one: Match | Miss) -> dict[str, Any]:
    return {
        "effect": "Allow" if one.is_allow else "Deny",
        "layer": one.layer.value,
        "policy": one.entry.source,
        "statement": one.entry.statement.position,
        "sid": one.entry.statement.sid or None,
    }


def _obstacle(miss: Miss) -> dict[str, Any]:
    """What it lacks: other principals, other resources, or conditions that do not hold."""
    found: dict[str, Any] = {"decides": False, "because": miss.obstacle.value}
    if miss.conditions:
        found["conditions"] = [{"condition": one.written, "values": list(one.values)} for one in miss.conditions]
    return found


def _uses(explained: Explained) -> tuple[KeyUse, ...]:
    return () if explained.always else keys_used(explained.case, explained.missed)


def _key(explained: Explained, use: KeyUse) -> dict[str, Any]:
    values = None if use.values is None else list(use.values)
    return {"key": use.name, "values": values, "from": _origin(explained, use)}


def _origin(explained: Explained, use: KeyUse) -> str:
    if use.values is None:
        return "absent"
    if use.name.lower() in explained.question.context:
        return "given"
    is_assumed = use.name.lower() in {name.lower() for name in explained.assumed}
    return "assumed" if is_assumed else "known"


def _keys(explained: Explained) -> Iterator[str]:
    uses = _uses(explained)
    if uses:
        yield "It depends on the condition keys"
    for use in uses:
        origin = _origin(explained, use)
        if use.values is None:
            yield f"  {use.name}: absent; if requests have it, give it with --context {use.name}=VALUE"
        else:
            yield f"  {use.name}: {', '.join(use.values) or 'empty'} ({origin})"


def _assumed(explained: Explained) -> Iterator[str]:
    if explained.assumed and not explained.always:
        taken = ", ".join(f"{name}={value}" for name, value in explained.assumed.items())
        yield f"Assumed: {taken}; --context says otherwise."


def _notes(explained: Explained) -> Iterator[str]:
    yield from (f"Note: {note}." for note in _all_notes(explained))


def _all_notes(explained: Explained) -> Iterator[str]:
    yield from explained.notes
    asked = {use.name.lower() for use in _uses(explained)}
    if explained.caller.source_arn:
        asked.add("aws:sourcearn")  # says who asks
    for key in explained.question.context:
        if key not in asked and not explained.always:
            yield f"nothing here depends on {key}"
