"""Repository policy operations: SetRepositoryPolicy, GetRepositoryPolicy and DeleteRepositoryPolicy.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.transport.aws.call import Call
from entrepot.transport.aws.ecr.policy_text import policy_text


async def set_repository_policy(call: Call) -> dict[str, Any]:
    text, is_forced = call.parameters["policyText"], call.parameters.get("force", False)
    may_set_again = None if is_forced else call.permission.may_with
    shown = await call.services.repository_policy.set(call.registry, call.repository, text, may_set_again)
    return _answer(call, shown)


async def get_repository_policy(call: Call) -> dict[str, Any]:
    return _answer(call, await call.services.repository_policy.get(call.registry, call.repository))


async def delete_repository_policy(call: Call) -> dict[str, Any]:
    return _answer(call, await call.services.repository_policy.delete(call.registry, call.repository))


def _answer(call: Call, document: str) -> dict[str, Any]:
    return {
        "registryId": call.registry.account_id,
        "repositoryName": call.repository,
        "policyText": policy_text(document),
    }
