"""Keys: what the master key seals, signing keys, the keys of encryption domains, and their rotation.

See `docs/design/key.md`.
"""

from __future__ import annotations

from typing import Self

from sqlalchemy import Connection

from entrepot.domain.key import (
    CHECK_PURPOSE,
    DOMAIN_PURPOSE,
    KEY_BYTES,
    MasterKeyMissing,
    MasterKeyWrong,
    SealBroken,
    SigningKey,
    SigningKeysRotating,
    signing_key_purpose,
)
from entrepot.service.context import Context
from entrepot.service.master_key import FindKeys, MasterKey, MasterKeys
from entrepot.store.metadata import key as rows
from entrepot.store.metadata import sealed
from entrepot.store.metadata.base import Database

SIGNING_PURPOSES = ("registry-token", "download-url", "page-token", "anonymous-token")


class KeyService:
    """Every secret of one process. `open` is the way in."""

    def __init__(self, database: Database, context: Context, master_key: bytes, find_keys: FindKeys = tuple) -> None:
        self._database = database
        self._context = context
        self._masters = MasterKeys(master_key, context.random_bytes, find_keys)
        self._domain_keys: dict[int, bytes] = {}
        self._signing_keys: dict[str, list[SigningKey]] = {}

    @classmethod
    async def open(
        cls,
        database: Database,
        context: Context,
        master_key: bytes,
        database_is_new: bool = False,
        find_keys: FindKeys = tuple,
    ) -> Self:
        """Check the master key against the database and load the signing keys, making those that are absent.

        `master_key` is 32 bytes, or empty when there is none. `database_is_new` says that the key was made just
        now, for a database that was taken to be new. `find_keys` is asked for others where that one does not open.

        Raises:
            MasterKeyMissing: the database was sealed before, and there is no key or only a fresh one.
            MasterKeyWrong: the key does not open what the database holds.
        """
        if not master_key:
            raise MasterKeyMissing("no master key was given")
        if len(master_key) != KEY_BYTES:
            raise MasterKeyWrong(f"a master key has {KEY_BYTES} bytes, this one has {len(master_key)}")
        service = cls(database, context, master_key, find_keys)
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

    def seal(self, connection: Connection, purpose: str, data: bytes, subject: str = "") -> bytes:
        """Encrypt `data` for one purpose, for a row that the transaction of `connection` writes.

        It is sealed with the master key that the database counts on until that transaction ends, so that a rotation
        misses no row. `subject` names the row.
        """
        return self._current(rows.share_check(connection)).seal(purpose, data, subject)

    def unseal(self, purpose: str, sealed: bytes, subject: str = "") -> bytes:
        """Decrypt what `seal` made.

        Raises:
            SealBroken: damaged, or sealed for another purpose, subject or master key.
        """
        return self._masters.unseal(purpose, sealed, subject)

    def master_key_of(self, check: bytes) -> bytes:
        """The master key that a database with that check is sealed with.

        Raises:
            MasterKeyWrong: none that can be found.
        """
        return self._current(check).key

    async def is_sealed_with(self, master_key: bytes) -> bool:
        """Whether that is the master key that the database counts on now."""
        check = await self._database.read(rows.find_check)
        return check is not None and MasterKey(master_key).opens(check)

    async def rotate_master_key(self, master_key: bytes) -> int:
        """Seal everything with another master key, in one transaction; how many values.

        Whoever uses the database must be able to find that key by now.

        Raises:
            SealBroken: something does not open. Nothing is changed.
        """
        return await self._database.write(lambda connection: self._reseal(connection, MasterKey(master_key)))

    async def rotate_signing_keys(self, begins_micros: int, verifies_until_micros: int) -> None:
        """Make a signing key for each purpose that signs from a time on; the ones before verify until another.

        By the first time every process must have refreshed.

        Raises:
            SigningKeysRotating: the rotation before is not over.
        """
        await self._database.write(
            lambda connection: self._rotate_signing_keys(connection, begins_micros, verifies_until_micros)
        )

    def signing_key(self, purpose: str) -> SigningKey:
        """The key that signs now: the one that began last."""
        now = self._context.now_micros()
        keys = self._signing_keys[purpose]
        return next((key for key in keys if key.signs_at <= now), keys[-1])  # clocks of machines differ a little

    def verification_key(self, purpose: str, key_id: str) -> SigningKey | None:
        """The key of that id, if it still verifies."""
        return next((key for key in self._signing_keys.get(purpose, ()) if key.id == key_id), None)

    def new_domain(self, connection: Connection, name: str) -> int:
        """Get or create an encryption domain inside a transaction; its row id."""
        found = rows.find_domain_id(connection, name)
        if found is not None:
            return found
        return rows.insert_domain(connection, name, self._new_domain_key(connection, name), self._context.now_micros())

    def new_kms_domain(self, connection: Connection, account_id: str, key_arn: str, *, is_doubled: bool) -> int:
        """Get or create the encryption domain of an account's repositories under a KMS key; its row id.

        Only a doubled one has a key of ours: for the outer layer.
        """
        name = f"{'kms-dsse' if is_doubled else 'kms'}:{account_id}:{key_arn}"
        found = rows.find_domain_id(connection, name)
        if found is not None:
            return found
        wrapped = self._new_domain_key(connection, name) if is_doubled else None
        return rows.insert_domain(connection, name, wrapped, self._context.now_micros(), key_arn)

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

    def _new_domain_key(self, connection: Connection, name: str) -> bytes:
        return self.seal(connection, DOMAIN_PURPOSE, self._context.random_bytes(KEY_BYTES), name)

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
            rows.insert_check(connection, self._masters.first.seal(CHECK_PURPOSE, CHECK_PURPOSE.encode()), now)
        self._verify(rows.hold_check(connection) or b"", database_is_new)
        present = _signing(rows.list_signing_keys(connection, now))
        for purpose in SIGNING_PURPOSES:
            if purpose not in present:
                rows.insert_signing_key(connection, self._new_signing_key(connection, purpose, now, now))
        return rows.list_signing_keys(connection, now)

    def _verify(self, check: bytes, database_is_new: bool) -> None:
        if self._masters.find(check) is None:
            if database_is_new:
                raise MasterKeyMissing("the database was sealed with another master key before")
            raise MasterKeyWrong("the master key does not open this database")

    def _current(self, check: bytes | None) -> MasterKey:
        """The master key that the database counts on."""
        key = None if check is None else self._masters.find(check)
        if key is None:
            raise MasterKeyWrong("the master key does not open this database any more")
        return key

    def _new_signing_key(self, connection: Connection, purpose: str, now: int, signs_at: int) -> rows.SigningKeyRow:
        key_id = self._context.random_bytes(8).hex()
        sealed = self.seal(connection, signing_key_purpose(purpose), self._context.random_bytes(KEY_BYTES), key_id)
        return rows.SigningKeyRow(key_id, purpose, sealed, now, None, signs_at)

    def _reseal(self, connection: Connection, master: MasterKey) -> int:
        values = sealed.list_sealed(connection, is_locked=True)
        for value in values:
            data = self.unseal(value.purpose, value.sealed, value.subject)
            sealed.replace_sealed(connection, value, master.seal(value.purpose, data, value.subject))
        return len(values)

    def _rotate_signing_keys(self, connection: Connection, begins: int, verifies_until: int) -> None:
        now = self._context.now_micros()
        rows.hold_check(connection)
        if any((key.signs_at or 0) > now for key in rows.list_signing_keys(connection, now)):
            raise SigningKeysRotating
        rows.retire_signing_keys(connection, verifies_until, now)
        for purpose in SIGNING_PURPOSES:
            rows.insert_signing_key(connection, self._new_signing_key(connection, purpose, now, begins))

    def _take(self, keys: list[rows.SigningKeyRow]) -> None:
        """Keep the keys, the one that begins last first."""
        taken: dict[str, list[SigningKey]] = {}
        for row in sorted(keys, key=_begins, reverse=True):
            secret = self.unseal(signing_key_purpose(row.purpose), row.sealed, row.id)
            taken.setdefault(row.purpose, []).append(SigningKey(row.id, secret, _begins(row)))
        self._signing_keys = taken


def _begins(row: rows.SigningKeyRow) -> int:
    return row.created_at if row.signs_at is None else row.signs_at


def _signing(keys: list[rows.SigningKeyRow]) -> set[str]:
    """The purposes that have a key to sign with."""
    return {row.purpose for row in keys if row.retired_at is None}


def _cover(keys: list[rows.SigningKeyRow]) -> bool:
    return _signing(keys).issuperset(SIGNING_PURPOSES)
