"""Account settings: their names, values, and what holds until one is set.

Spec: ECR API, GetAccountSetting and PutAccountSetting; ECR user guide, "Registry settings". They belong to an account
in a region.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from entrepot.domain.error import InvalidParameter


class Setting(StrEnum):
    """Names of settings."""

    BASIC_SCAN_TYPE_VERSION = "BASIC_SCAN_TYPE_VERSION"
    REGISTRY_POLICY_SCOPE = "REGISTRY_POLICY_SCOPE"
    """Which actions registry policies decide: V1 three of them, V2 nearly all."""
    BLOB_MOUNTING = "BLOB_MOUNTING"
    """Whether a push may link layers of another repository of the registry."""


ENABLED: Final = "ENABLED"
DISABLED: Final = "DISABLED"

VALUES: Final[dict[Setting, tuple[str, ...]]] = {
    Setting.BASIC_SCAN_TYPE_VERSION: ("AWS_NATIVE",),  # CLAIR was retired on 2026-02-02
    Setting.REGISTRY_POLICY_SCOPE: ("V1", "V2"),
    Setting.BLOB_MOUNTING: (ENABLED, DISABLED),
}

AWS_DEFAULTS: Final[dict[Setting, str]] = {
    Setting.BASIC_SCAN_TYPE_VERSION: "AWS_NATIVE",
    Setting.REGISTRY_POLICY_SCOPE: "V2",
    Setting.BLOB_MOUNTING: DISABLED,
}

DEFAULTS: Final = AWS_DEFAULTS | {Setting.BLOB_MOUNTING: ENABLED}
"""Ours: pushes are faster."""


def parse_setting(name: str) -> Setting:
    """Read the name of a setting.

    Raises:
        InvalidParameter: there is no such setting.
    """
    _check("name", name, tuple(Setting))
    return Setting(name)


def check_value(setting: Setting, value: str) -> None:
    """Check that a setting can have a value.

    Raises:
        InvalidParameter: it cannot.
    """
    _check("value", value, VALUES[setting])


def _check(field: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise InvalidParameter(field, f"Member must satisfy enum value set: [{', '.join(known)}]")
