"""Keys: the master key, what it seals, signing keys, and the keys of encryption domains.

The master key never encrypts anything itself: HKDF-SHA256 derives one key for each purpose from it. Sealed bytes
are `1 ‖ 12-byte random nonce ‖ AES-256-GCM ciphertext and tag`, with `purpose ‖ 0 ‖ subject` as associated data,
so that a row copied over another does not open. See `docs/design/key.md`.
"""

from __future__ import annotations

from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection

from entrepot.domain.key import (
    CHECK_PURPOSE,
    DOMAIN_PURPOSE,
    KEY_BYTES,
    MasterKeyMissing,
    MasterKeyWrong,
    SealBroken,
    SigningKey,
    signing_key_purpose,
)
from entrepot.service.context import Context
from entrepot.store.metadata import key as rows
from entrepot.store.metadata.base import Database

SIGNING_PURPOSES = ("registry-token", "download-url", "page-token")
SEAL_VERSION = b"\x01"
NONCE_BYTES = 12


class KeyService:
    """Every secret of one process. `open` is the way in."""

    def __init__(self, database: Database, context: Context, master_key: bytes) -> None:
        self._database = database
        self._context = context
        self._master_key = master_key
        self._ciphers: dict[str, AESGCM] = {}
        self._domain_keys: dict[int, bytes] = {}
        self._signing_keys: dict[str, list[SigningKey]] = {}

    @classmethod
    async def open(cls, database: Database, context: Context, master_key: bytes, database_is_new: bool = False) -> Self:
        """Check the master key against the database and load the signing keys, making those that are absent.

        `master_key` is 32 bytes, or empty when there is none. `database_is_new` says that the key was made just
        now, for a database that was taken to be new.

        Raises:
            MasterKeyMissing: the database was sealed before, and there is no key or only a fresh one.
            MasterKeyWrong: the key does not open what the database holds.
        """
        if not master_key:
            raise MasterKeyMissing("no master key was given")
        if len(master_key) != KEY_BYTES:
            raise MasterKeyWrong(f"a master key has {KEY_BYTES} bytes, this one has {len(master_key)}")
        service = cls(database, context, master_key)
        keys = await database.read(lambda connection: service._signing_rows(connection, database_is_new))
        if not _cover(keys):
            keys = await database.write(lambda connection: service._create(connection, database_is_new))
        service._take(keys)
        return service

    @staticmethod
    async def is_sealed(database: Database) -> bool:
        """Whether a master key belongs to this database, so that no new one may be made for it."""
        return await database.read(lambda c: rows.find_check(c) is not None or rows.has_sealed_rows(c))

    async def refresh(self) -> None:
        """Load the signing keys again, after another process has made or retired some."""
        self._take(await self._database.read(lambda connection: self._signing_rows(connection, False)))

    def seal(self, purpose: str, data: bytes, subject: str = "") -> bytes:
        """Encrypt `data` for one purpose; `subject` names the row it belongs to."""
        nonce = self._context.random_bytes(NONCE_BYTES)
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

    def signing_key(self, purpose: str) -> SigningKey:
        """The key that signs now: the newest that is not retired."""
        return self._signing_keys[purpose][0]

    def verification_key(self, purpose: str, key_id: str) -> SigningKey | None:
        """The key of that id, if it still verifies."""
        return next((key for key in self._signing_keys.get(purpose, ()) if key.id == key_id), None)

    def new_domain(self, connection: Connection, name: str) -> int:
        """Get or create an encryption domain inside a transaction; its row id."""
        found = rows.find_domain_id(connection, name)
        if found is not None:
            return found
        wrapped = self.seal(DOMAIN_PURPOSE, self._context.random_bytes(KEY_BYTES), name)
        return rows.insert_domain(connection, name, wrapped, self._context.now_micros())

    async def domain_key(self, domain_id: int) -> bytes:
        """The key of an encryption domain, which wraps the keys of its blobs. Cached: it never changes.

        Raises:
            SealBroken: the row is damaged or was sealed under another master key.
        """
        key = self._domain_keys.get(domain_id)
        if key is None:
            row = await self._database.lookup(lambda connection: rows.find_domain(connection, domain_id))
            if row is None or row.wrapped_key is None:
                raise SealBroken(DOMAIN_PURPOSE)
            key = self._domain_keys[domain_id] = self.unseal(DOMAIN_PURPOSE, row.wrapped_key, row.name)
        return key

    # ── opening ──────────────────────────────────────────────────────────────────────────────

    def _signing_rows(self, connection: Connection, database_is_new: bool) -> list[rows.SigningKeyRow]:
        """The signing keys after a check of the master key; none before there is one."""
        check = rows.find_check(connection)
        if check is None:
            return []
        self._verify(check, database_is_new)
        return rows.list_signing_keys(connection, self._context.now_micros())

    def _create(self, connection: Connection, database_is_new: bool) -> list[rows.SigningKeyRow]:
        """Make the check row and the signing keys that are absent, one process at a time."""
        now = self._context.now_micros()
        if rows.find_check(connection) is None:
            # Asked again: on PostgreSQL another process may have made check and keys between the two statements.
            if rows.has_sealed_rows(connection) and rows.find_check(connection) is None:
                raise MasterKeyMissing("the database holds sealed keys but no check of the master key")
            rows.insert_check(connection, self.seal(CHECK_PURPOSE, CHECK_PURPOSE.encode()), now)
        self._verify(rows.hold_check(connection) or b"", database_is_new)
        present = _signing(rows.list_signing_keys(connection, now))
        for purpose in SIGNING_PURPOSES:
            if purpose not in present:
                rows.insert_signing_key(connection, self._new_signing_key(purpose, now))
        return rows.list_signing_keys(connection, now)

    def _verify(self, check: bytes, database_is_new: bool) -> None:
        try:
            self.unseal(CHECK_PURPOSE, check)
        except SealBroken as error:
            if database_is_new:
                raise MasterKeyMissing("the database was sealed with another master key before") from error
            raise MasterKeyWrong("the master key does not open this database") from error

    def _new_signing_key(self, purpose: str, now: int) -> rows.SigningKeyRow:
        key_id = self._context.random_bytes(8).hex()
        secret = self._context.random_bytes(KEY_BYTES)
        return rows.SigningKeyRow(key_id, purpose, self.seal(signing_key_purpose(purpose), secret, key_id), now, None)

    def _take(self, keys: list[rows.SigningKeyRow]) -> None:
        """Keep the keys, those that sign before the retired ones."""
        taken: dict[str, list[SigningKey]] = {}
        for row in sorted(keys, key=lambda row: row.retired_at is not None):
            secret = self.unseal(signing_key_purpose(row.purpose), row.sealed, row.id)
            taken.setdefault(row.purpose, []).append(SigningKey(row.id, secret))
        self._signing_keys = taken

    def _cipher(self, purpose: str) -> AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            info = b"entrepot/1/" + purpose.encode()
            derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._master_key)
            cipher = self._ciphers[purpose] = AESGCM(derived)
        return cipher


def _bound_to(purpose: str, subject: str) -> bytes:
    return purpose.encode() + b"\0" + subject.encode()


def _signing(keys: list[rows.SigningKeyRow]) -> set[str]:
    """The purposes that have a key to sign with."""
    return {row.purpose for row in keys if row.retired_at is None}


def _cover(keys: list[rows.SigningKeyRow]) -> bool:
    return _signing(keys).issuperset(SIGNING_PURPOSES)
