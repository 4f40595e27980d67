"""The vectors of the pages in docs/design, computed again: whoever changes a format must change its version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot.domain.digest import Digest
from entrepot.domain.download_url import Download, signed_path
from entrepot.domain.key import SigningKey
from entrepot.domain.registry import Registry
from entrepot.domain.registry_token import TokenText, has_valid_mac, read_token_text
from entrepot.domain.repository import RepositoryName
from entrepot.service.wrapped_key import unwrap
from entrepot.transport.aws import page_token

DESIGN = Path(__file__).parents[2] / "docs/design"
SECRET = bytes(range(32))
KEY = SigningKey("0001020304050607", SECRET)
HERE = Registry("123456789012", "us-east-1")


def lines_of(page: str) -> list[str]:
    return (DESIGN / page).read_text(encoding="utf-8").splitlines()


class Keys:
    def signing_key(self, purpose: str) -> SigningKey:
        return KEY

    def verification_key(self, purpose: str, key_id: str) -> SigningKey | None:
        return KEY if key_id == KEY.id else None


def test_registry_token() -> None:
    text = TokenText(KEY.id, "AAECAwQFBgcICQoLDA0ODw", HERE, 1_790_000_000_000_000, 1_790_043_200_000_000)
    made = text.sign(SECRET)
    assert f"    {made}" in lines_of("registry_token.md")
    assert read_token_text(made) == text
    assert has_valid_mac(made, SECRET)


def test_download_url() -> None:
    download = Download(HERE, RepositoryName("team/app"), Digest.of(b"layer"), 1_790_000_000)
    assert f"    {signed_path(download, KEY)}" in lines_of("signed_text.md")


def test_page_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(count)))
    question = b'["ListImages", "123456789012", "us-east-1", "team/app"]'
    made = page_token.seal(Keys(), question, (41,))
    assert f"    {made}" in lines_of("signed_text.md")
    assert page_token.unseal(Keys(), question, made) == (41,)


def test_wrapped_blob_key() -> None:
    storage_key = "000102030405060708090a0b0c0d0e0f"
    nonce = bytes(range(12))
    wrapped = b"\1" + nonce + AESGCM(SECRET).encrypt(nonce, bytes(32), b"blob-key\0" + storage_key.encode())
    assert any(wrapped.hex() in line for line in lines_of("key.md"))
    assert unwrap(SECRET, storage_key, wrapped) == bytes(32)
