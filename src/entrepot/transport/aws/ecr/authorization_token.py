"""Authorization tokens: GetAuthorizationToken.

Spec: ECR API, version 2015-09-21; ECR user guide, "Private registry authentication".
"""

from __future__ import annotations

import base64
from typing import Any

from entrepot.domain.registry import Registry
from entrepot.transport.aws.call import Call

USER = "AWS"


async def get_authorization_token(call: Call) -> dict[str, Any]:
    accounts = call.parameters.get("registryIds", [call.registry.account_id])
    registries = [Registry(account_id, call.registry.region) for account_id in accounts]
    return {"authorizationData": [await _issue(call, registry) for registry in registries]}


async def _issue(call: Call, registry: Registry) -> dict[str, Any]:
    issued = await call.services.registry_token.issue(call.caller, registry)
    return {
        "authorizationToken": base64.b64encode(f"{USER}:{issued.password}".encode()).decode(),
        "expiresAt": issued.expires_at,
        "proxyEndpoint": call.registry_url.endpoint(registry),
    }
