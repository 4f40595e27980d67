"""Caller identity: GetCallerIdentity, which needs no permission.

Spec: STS API, version 2011-06-15.
"""

from __future__ import annotations

from typing import Any

from entrepot.transport.aws.call import Call


async def get_caller_identity(call: Call) -> dict[str, Any]:
    principal = call.caller.principal
    return {"UserId": call.caller.user_id, "Account": principal.account_id, "Arn": principal.arn}
