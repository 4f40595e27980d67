"""The text of registry tokens, which clients keep for hours: its form is fixed by an example."""

from __future__ import annotations

import pytest

from entrepot.domain.error import TokenInvalid
from entrepot.domain.registry import Registry
from entrepot.domain.registry_token import TokenText, has_valid_mac, read_token_text

SECRET = bytes(range(32))
TEXT = TokenText(
    "0011223344556677", "AAECAwQFBgcICQoLDA0ODw", Registry("123456789012", "us-east-1"), 1_000_000, 2_000_000
)
PASSWORD = (
    "e1.0011223344556677.AAECAwQFBgcICQoLDA0ODw.123456789012.us-east-1.1000000.2000000."
    "IW3juWF5dGgSLAV2WYQ0ABSR9nQ5Om1bWb10KdDD5fE"
)


def test_the_form_is_the_documented_one() -> None:
    assert TEXT.sign(SECRET) == PASSWORD
    assert read_token_text(PASSWORD) == TEXT
    assert has_valid_mac(PASSWORD, SECRET)


def test_another_key_does_not_verify() -> None:
    assert not has_valid_mac(PASSWORD, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        PASSWORD.replace("e1.", "e2."),
        PASSWORD.replace("123456789012", "12345678901"),
        PASSWORD.replace("us-east-1", "US-EAST-1"),
        PASSWORD.replace(".1000000.", ".-1000000."),
        PASSWORD.replace(".1000000.", ".\u0661."),
        PASSWORD + "=",
        PASSWORD + "\n",
        PASSWORD.replace("AAECAwQFBgcICQoLDA0ODw", "A" * 65),
        "e1." + "." * 1990,
        "A" * 5_000_000,
    ],
)
def test_other_forms_are_invalid(text: str) -> None:
    with pytest.raises(TokenInvalid):
        read_token_text(text)
