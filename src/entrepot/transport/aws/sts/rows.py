"""STS's operations.

Spec: Service Authorization Reference, "Actions, resources, and condition keys for AWS Security Token Service".
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from entrepot.domain.role_session import inherited_tags
from entrepot.transport.aws.resource import ResourceKind
from entrepot.transport.aws.row import row
from entrepot.transport.aws.sts import caller_identity, session

_ANY, _ROLE, _NONE = ResourceKind.ANY, ResourceKind.ASSUMED_ROLE, ResourceKind.NONE
_CALLER = ResourceKind.CALLER
"""No policy needs to allow GetSessionToken, but one can deny it: AWS's example for users without a second factor lists
it among what stays open. Spec: IAM user guide, "Allows MFA-authenticated IAM users to manage their own credentials"."""

_ALSO: Final = (("sts:TagSession", "Tags"), ("sts:SetSourceIdentity", "SourceIdentity"))
"""What AssumeRole needs beside its own action."""

_HANDED_ON: Final = (("sts:TagSession", inherited_tags), ("sts:SetSourceIdentity", attrgetter("source_identity")))
"""What it needs for that which a session hands on to the sessions it makes. Spec: IAM user guide, "Chaining roles with
session tags", "Permissions required to set a source identity"."""

ROWS: Final = (
    row("sts", "AssumeRole", _ROLE, session.assume_role, also=_ALSO, handed_on=_HANDED_ON),
    row("sts", "AssumeRoleWithSAML", _ROLE),
    row("sts", "AssumeRoleWithWebIdentity", _ROLE, session.assume_role_with_web_identity, also=_ALSO),
    row("sts", "AssumeRoot", _ANY),
    row("sts", "DecodeAuthorizationMessage", _ANY),
    row("sts", "GetAccessKeyInfo", _ANY, session.get_access_key_info),
    row("sts", "GetCallerIdentity", _NONE, caller_identity.get_caller_identity),
    row("sts", "GetDelegatedAccessToken", _ANY),
    row("sts", "GetFederationToken", _ANY),
    row("sts", "GetSessionToken", _CALLER, session.get_session_token),
    row("sts", "GetWebIdentityToken", _ANY),
)
