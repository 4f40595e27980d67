"""Simulation: SimulateCustomPolicy, SimulatePrincipalPolicy and GetContextKeysFor…Policy.

    {"EvalActionName": "ecr:PutImage", "EvalResourceName": "*", "EvalDecision": "allowed", "MatchedStatements":
     [{"SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "none", "StartPosition": {"Line": 1, "Column": 38},
       "EndPosition": {"Line": 1, "Column": 87}}], "MissingContextValues": []}

Where resources are named, missing keys stand in ResourceSpecificResults. Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.policy.position import Position
from entrepot.domain.policy.simulate import MatchedStatement, Result
from entrepot.service.iam.simulation import Question
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def simulate_custom_policy(call: Call) -> dict[str, Any]:
    paging = paging_of(call)
    page = await call.services.iam_simulation.simulate_custom(_question(call), paging.request)
    return paging.answer("EvaluationResults", page, lambda result: _pack(result, call))


async def simulate_principal_policy(call: Call) -> dict[str, Any]:
    paging, source = paging_of(call), call.parameters["PolicySourceArn"]
    page = await call.services.iam_simulation.simulate_principal(source, _question(call), paging.request)
    return paging.answer("EvaluationResults", page, lambda result: _pack(result, call))


async def get_context_keys_for_custom_policy(call: Call) -> dict[str, Any]:
    found = await call.services.iam_simulation.context_keys(call.parameters["PolicyInputList"])
    return {"ContextKeyNames": found}


async def get_context_keys_for_principal_policy(call: Call) -> dict[str, Any]:
    given = call.parameters
    found = await call.services.iam_simulation.context_keys_of(
        call.caller.account_id, given["PolicySourceArn"], given.get("PolicyInputList", [])
    )
    return {"ContextKeyNames": found}


def _question(call: Call) -> Question:
    given = call.parameters
    boundaries = given.get("PermissionsBoundaryPolicyInputList", [])
    return Question(
        account_id=call.caller.account_id,
        actions=given["ActionNames"],
        resources=given.get("ResourceArns") or ["*"],
        policies=given.get("PolicyInputList", []),
        boundary=boundaries[0] if boundaries else None,
        service_control=[
            level["ServiceControlPolicyInputList"]
            for level in given.get("OrderedOrganizationPolicyInputList", [])
            if level.get("ServiceControlPolicyInputList")
        ],
        resource_policy=given.get("ResourcePolicy"),
        resource_owner=given.get("ResourceOwner"),
        caller_arn=given.get("CallerArn"),
        context=_context(given.get("ContextEntries", [])),
        excluded=frozenset(map(_excluded, given.get("PolicyExclusionList", []))),
    )


def _context(entries: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    named = [entry for entry in entries if "ContextKeyName" in entry]
    return {entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ())) for entry in named}


def _excluded(identifier: dict[str, Any]) -> str:
    inline = identifier.get("InlinePolicyIdentifier")
    if inline is None:
        return str(identifier.get("PolicyArn", ""))
    return f"{inline['AttachmentType']}/{inline['AttachmentName']}/{inline['PolicyName']}"


def _pack(result: Result, call: Call) -> dict[str, Any]:
    is_specific = bool(call.parameters.get("ResourceArns"))
    matched, missing = list(map(_pack_statement, result.matched)), list(result.missing)
    boundary, organization = result.is_within_boundary, result.is_within_organization
    within = None if boundary is None else {"AllowedByPermissionsBoundary": boundary}
    specific = {
        "EvalResourceName": result.resource,
        "EvalResourceDecision": result.outcome.value,
        "MatchedStatements": matched,
        "MissingContextValues": missing,
        "PermissionsBoundaryDecisionDetail": within,
    }
    return {
        "EvalActionName": result.action,
        "EvalResourceName": result.resource,
        "EvalDecision": result.outcome.value,
        "MatchedStatements": matched,
        "MissingContextValues": [] if is_specific else missing,
        "OrganizationsDecisionDetail": None if organization is None else {"AllowedByOrganizations": organization},
        "PermissionsBoundaryDecisionDetail": within,
        "ResourceSpecificResults": [specific] if is_specific else None,
    }


def _pack_statement(matched: MatchedStatement) -> dict[str, Any]:
    return {
        "SourcePolicyId": matched.source.id,
        "SourcePolicyType": matched.source.type,
        "StartPosition": _pack_position(matched.span.start),
        "EndPosition": _pack_position(matched.span.end),
    }


def _pack_position(position: Position) -> dict[str, int]:
    return {"Line": position.line, "Column": position.column}


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "GetContextKeysForCustomPolicy": (ResourceKind.ANY, get_context_keys_for_custom_policy),
    "GetContextKeysForPrincipalPolicy": (ResourceKind.SIMULATED, get_context_keys_for_principal_policy),
    "SimulateCustomPolicy": (ResourceKind.ANY, simulate_custom_policy),
    "SimulatePrincipalPolicy": (ResourceKind.SIMULATED, simulate_principal_policy),
}
