"""The master key: what it seals, and how a process learns that it was rotated.

It never encrypts anything itself: HKDF-SHA256 derives one key for each purpose from it. Sealed bytes are
`1 ‖ 12-byte random nonce ‖ AES-256-GCM ciphertext and tag`, with `purpose ‖ 0 ‖ subject` as associated data, so that a
row copied over another does not open. See `docs/design/key.md`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrepot.domain.key import CHECK_PURPOSE, KEY_BYTES, SealBroken

SEAL_VERSION = b"\x01"
NONCE_BYTES = 12

Random = Callable[[int], bytes]
FindKeys = Callable[[], Sequence[bytes]]
"""Every master key that can be found now, of 32 bytes each, whichever of them the database is sealed with."""


class MasterKey:
    """One master key of 32 bytes, with the keys derived from it."""

    def __init__(self, key: bytes, random_bytes: Random = os.urandom) -> None:
        self.key = key
        self._random_bytes = random_bytes
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, purpose: str, data: bytes, subject: str = "") -> bytes:
        """Encrypt `data` for one purpose; `subject` names the row it belongs to."""
        nonce = self._random_bytes(NONCE_BYTES)
        return SEAL_VERSION + nonce + self._cipher(purpose).encrypt(nonce, data, _bound_to(purpose, subject))

    def unseal(self, purpose: str, sealed: bytes, subject: str = "") -> bytes:
        """Decrypt what `seal` made.

        Raises:
            SealBroken: damaged, or sealed for another purpose, subject or master key.
        """
        nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != SEAL_VERSION or len(nonce) < NONCE_BYTES:
            raise SealBroken(purpose)
        try:
            return self._cipher(purpose).decrypt(nonce, ciphertext, _bound_to(purpose, subject))
        except InvalidTag as error:
            raise SealBroken(purpose) from error

    def opens(self, check: bytes) -> bool:
        """Whether the check of a database was sealed with this key."""
        try:
            self.unseal(CHECK_PURPOSE, check)
        except SealBroken:
            return False
        return True

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            info = b"entrepot/1/" + purpose.encode()
            derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self.key)
            cipher = self._ciphers[purpose] = AESGCM(derived)
        return cipher


class MasterKeys:
    """The master keys that a process knows. Where none opens, it looks whether there is another by now."""

    def __init__(self, first: bytes, random_bytes: Random, find_keys: FindKeys = tuple) -> None:
        self._random_bytes, self._find_keys = random_bytes, find_keys
        self._known = [MasterKey(first, random_bytes)]

    def unseal(self, purpose: str, sealed: bytes, subject: str = "") -> bytes:
        """As `MasterKey.unseal`, with whichever of them opens.

        Raises:
            SealBroken: none does.
        """
        for key in chain(list(self._known), self._learn()):
            try:
                return key.unseal(purpose, sealed, subject)
            except SealBroken:
                continue
        raise SealBroken(purpose)

    def find(self, check: bytes) -> MasterKey | None:
        """The one that a database with this check is sealed with."""
        return next((key for key in chain(list(self._known), self._learn()) if key.opens(check)), None)

    @property
    def first(self) -> MasterKey:
        """The one that the process was started with."""
        return self._known[0]

    def _learn(self) -> Iterator[MasterKey]:
        """Those that are found now and were not known; looked for only by whoever gets as far as this."""
        for key in self._find_keys():
            if all(key != known.key for known in self._known):
                self._known.append(MasterKey(key, self._random_bytes))
                yield self._known[-1]


def _bound_to(purpose: str, subject: str) -> bytes:
    return purpose.encode() + b"\0" + subject.encode()
