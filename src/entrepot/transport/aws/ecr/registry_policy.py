"""Registry policy operations: PutRegistryPolicy, GetRegistryPolicy and DeleteRegistryPolicy.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.transport.aws.call import Call
from entrepot.transport.aws.ecr.policy_text import policy_text


async def put_registry_policy(call: Call) -> dict[str, Any]:
    return _answer(call, await call.services.registry_policy.put(call.registry, call.parameters["policyText"]))


async def get_registry_policy(call: Call) -> dict[str, Any]:
    return _answer(call, await call.services.registry_policy.get(call.registry))


async def delete_registry_policy(call: Call) -> dict[str, Any]:
    return _answer(call, await call.services.registry_policy.delete(call.registry))


def _answer(call: Call, document: str) -> dict[str, Any]:
    return {"registryId": call.registry.account_id, "policyText": policy_text(document)}
