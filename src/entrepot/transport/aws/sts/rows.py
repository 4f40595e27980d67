"""STS's operations.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for AWS Security Token Service".
"""

from __future__ import annotations

from typing import Final

from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import row
from entrepot.transport.aws.sts import caller_identity

_ANY, _ROLE, _NONE = ResourceKind.ANY, ResourceKind.ASSUMED_ROLE, ResourceKind.NONE

ROWS: Final = (
    row("sts", "AssumeRole", _ROLE),
    row("sts", "AssumeRoleWithSAML", _ROLE),
    row("sts", "AssumeRoleWithWebIdentity", _ROLE),
    row("sts", "AssumeRoot", _ANY),
    row("sts", "DecodeAuthorizationMessage", _ANY),
    row("sts", "GetAccessKeyInfo", _ANY),
    row("sts", "GetCallerIdentity", _NONE, caller_identity.get_caller_identity),
    row("sts", "GetDelegatedAccessToken", _ANY),
    row("sts", "GetFederationToken", _ANY),
    row("sts", "GetSessionToken", _NONE),
    row("sts", "GetWebIdentityToken", _ANY),
)
