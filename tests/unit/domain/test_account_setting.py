"""Account settings: which there are, and which values they take."""

from __future__ import annotations

import pytest

from entrepot.domain.account_setting import AWS_DEFAULTS, DEFAULTS, VALUES, Setting, check_value, parse_setting
from entrepot.domain.error import InvalidParameter
from entrepot.domain.policy.evaluate import RegistryScope


def test_every_setting_has_values_and_defaults_among_them() -> None:
    for setting in Setting:
        assert AWS_DEFAULTS[setting] in VALUES[setting]
        assert DEFAULTS[setting] in VALUES[setting]


def test_the_scopes_are_those_that_decisions_know() -> None:
    assert VALUES[Setting.REGISTRY_POLICY_SCOPE] == tuple(scope.value for scope in RegistryScope)


@pytest.mark.parametrize("name", ["", "blob_mounting", "BLOB_MOUNTING ", "SOMETHING"])
def test_there_are_no_others(name: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_setting(name)
    assert caught.value.field == "name"
    assert caught.value.detail.endswith("[BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING]")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("BLOB_MOUNTING", "enabled"), ("REGISTRY_POLICY_SCOPE", "V3"), ("BASIC_SCAN_TYPE_VERSION", "CLAIR")],
)
def test_other_values_are_refused(setting: str, value: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        check_value(parse_setting(setting), value)
    assert caught.value.field == "value"
