"""Which account ids and access keys an operator may bring."""

from __future__ import annotations

import pytest

from entrepot.domain.error import InvalidParameter
from entrepot.domain.identity import AccessKey, check_access_key, check_account_id
from entrepot.domain.principal import root_of


@pytest.mark.parametrize("text", ["", "12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢", "123456789012\n"])
def test_an_account_id_has_twelve_digits(text: str) -> None:
    check_account_id("123456789012")
    with pytest.raises(InvalidParameter):
        check_account_id(text)


@pytest.mark.parametrize("key_id", ["AKIA" + "A" * 16, "test", "a_1", "x" * 128])
def test_key_ids_that_fit_a_credential_scope(key_id: str) -> None:
    check_access_key(key_id, "secret+/=~!")


@pytest.mark.parametrize("key_id", ["", "ab", "x" * 129, "a/b/c", "a b c", "äbc", "abc\n"])
def test_key_ids_that_do_not(key_id: str) -> None:
    with pytest.raises(InvalidParameter):
        check_access_key(key_id, "secret")


@pytest.mark.parametrize("secret", ["", " ", "a b", "ä", "a\n"])
def test_secrets_that_no_profile_can_hold(secret: str) -> None:
    with pytest.raises(InvalidParameter):
        check_access_key("test", secret)


def test_a_secret_is_not_shown() -> None:
    assert "hidden" not in repr(AccessKey("test", root_of("123456789012"), "hidden", True, 1))
