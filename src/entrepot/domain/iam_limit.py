"""Every limit of IAM in one place, each with its unit, the name that AWS gives it, and its source.

Spec: IAM user guide, "IAM and AWS STS quotas"; IAM API, GetAccountSummary, whose default values these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrepot.domain.iam import EntityKind


@dataclass(frozen=True, slots=True)
class Quota:
    """A count that cannot be exceeded, and what AWS calls it in `Cannot exceed quota for NAME: MOST`."""

    name: str
    most: int


ENTITIES: Final = {
    EntityKind.USER: Quota("UsersPerAccount", 5000),
    EntityKind.GROUP: Quota("GroupsPerAccount", 300),
    EntityKind.ROLE: Quota("RolesPerAccount", 1000),
    EntityKind.POLICY: Quota("PoliciesPerAccount", 1500),
    EntityKind.PROVIDER: Quota("OpenIdConnectProvidersPerAccount", 100),
    EntityKind.INSTANCE_PROFILE: Quota("InstanceProfilesPerAccount", 1000),
}
"""Entities of a kind in one account."""

GROUPS_OF_USER: Final = Quota("GroupsPerUser", 10)
"""Groups that one user is in."""

ACCESS_KEYS: Final = Quota("AccessKeysPerUser", 2)
"""Access keys that do not expire, of one user or of root."""

ATTACHED_POLICIES: Final = {
    EntityKind.USER: Quota("PoliciesPerUser", 10),
    EntityKind.GROUP: Quota("PoliciesPerGroup", 10),
    EntityKind.ROLE: Quota("PoliciesPerRole", 10),
}
"""Managed policies attached to one user, group or role."""

POLICY_VERSIONS: Final = Quota("PolicyVersionsPerPolicy", 5)
"""Versions of one managed policy."""

POLICY_VERSIONS_OF_ACCOUNT: Final = Quota("PolicyVersionsInUse", 10_000)
"""Versions of all managed policies of one account."""

POLICY_LENGTH_MAX: Final = 6_144
"""Characters of a managed policy, white space not counted."""

INLINE_LENGTH_MAX: Final = {EntityKind.USER: 2_048, EntityKind.GROUP: 5_120, EntityKind.ROLE: 10_240}
"""Characters of all inline policies of one user, group or role together, white space not counted."""

TRUST_LENGTH_MAX: Final = 2_048
"""Characters of a role's trust policy, white space not counted."""

CLIENT_IDS: Final = Quota("ClientIdsPerOpenIdConnectProvider", 100)
"""Audiences of one OpenID Connect provider."""

THUMBPRINTS_MAX: Final = 5
"""Thumbprints of one OpenID Connect provider."""

PROVIDER_URL_LENGTH_MAX: Final = 255
"""Characters of the URL of an OpenID Connect provider."""

TAGS_MAX: Final = 50
"""Tags on one user, role or policy."""

ROLES_OF_INSTANCE_PROFILE: Final = Quota("InstanceSessionsPerInstanceProfile", 1)
"""Roles in one instance profile."""

SERVER_CERTIFICATES_MAX: Final = 20
"""Server certificates in one account."""

SIGNING_CERTIFICATES_MAX: Final = 2
"""Signing certificates of one user."""
