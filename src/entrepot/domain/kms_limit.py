"""Every limit of KMS in one place, each with its unit and its source.

Spec: KMS developer guide, "Resource quotas"; KMS API, the operations named.
"""

from __future__ import annotations

from typing import Final

KEYS_MAX: Final = 100_000
"""Keys of one account in one region, whatever their state; those of AWS do not count."""

ALIASES_MAX: Final = 50
"""Aliases of one key."""

GRANTS_MAX: Final = 50_000
"""Grants on one key."""

CONSTRAINT_PAIRS_MAX: Final = 8
"""Pairs of an encryption context in a constraint of a grant. Spec: KMS API, GrantConstraints."""

CONSTRAINT_LENGTH_MAX: Final = 384
"""Characters of a key or a value of such a pair. Spec: KMS API, CreateGrant, Constraints."""

KEY_POLICY_LENGTH_MAX: Final = 32_768
"""Characters of a key policy, white space not counted."""

TAGS_MAX: Final = 50
"""Tags on one key. Spec: KMS API, TagResource."""

DELETION_DAYS: Final = (7, 30)
"""Fewest and most days until a key is deleted; the most where the caller names none. Spec: ScheduleKeyDeletion."""

ROTATION_DAYS: Final = (90, 2_560)
"""Shortest and longest period of automatic rotation. Spec: EnableKeyRotation."""

ROTATION_DAYS_DEFAULT: Final = 365
"""Period where the caller names none. Spec: EnableKeyRotation."""

ON_DEMAND_ROTATIONS_MAX: Final = 25
"""Rotations of one key on demand. Spec: KMS API, RotateKeyOnDemand."""
