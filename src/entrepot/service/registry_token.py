"""Registry tokens: issue, verify, find whose they are, forget.

A token stands for its principal, not for frozen rights: every request is decided by what holds then. A worker
remembers who a token stands for at one access epoch of the account; each request's own read brings the epoch of
now, and another one sends it back to the rows.

Spec: ECR API, GetAuthorizationToken; ECR user guide, "Private registry authentication".
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import Connection

from entrepot.domain.error import TokenExpired, TokenInvalid
from entrepot.domain.key import SigningKey
from entrepot.domain.limit import TOKEN_LIFETIME_SECONDS
from entrepot.domain.principal import Caller, principal_of
from entrepot.domain.registry import Registry, partition_of
from entrepot.domain.registry_token import (
    IssuedToken,
    TokenText,
    VerifiedToken,
    has_valid_mac,
    read_token_text,
)
from entrepot.domain.session_record import read_session
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.store.metadata import registry_token as rows
from entrepot.store.metadata.base import Database, from_micros, to_micros

T = TypeVar("T")

PURPOSE = "registry-token"
ID_BYTES = 16
SESSIONS_MAX = 10_000
"""Sessions that a worker remembers; about 1 KiB each."""
PURGE_BATCH = 1_000
"""Expired rows that go in one transaction."""


class RegistryTokenService:
    """Tokens of one process; those of others verify here too."""

    def __init__(
        self,
        database: Database,
        context: Context,
        key: KeyService,
        lifetime_seconds: int = TOKEN_LIFETIME_SECONDS,
        sessions_max: int = SESSIONS_MAX,
    ) -> None:
        self._database = database
        self._context = context
        self._key = key
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._sessions_max = sessions_max
        self._callers: OrderedDict[str, Caller] = OrderedDict()
        self._verified: OrderedDict[str, tuple[VerifiedToken, int, SigningKey]] = OrderedDict()
        """Password → token, expiry in microseconds, and the key whose MAC it has: 4 µs less for each request."""

    async def issue(self, caller: Caller, registry: Registry) -> IssuedToken:
        """A new token for `registry`, which need not exist; kept when this returns."""
        issued_at = self._context.now_micros()
        expires_at = issued_at + self._lifetime // timedelta(microseconds=1)
        if caller.session is not None:
            expires_at = min(expires_at, to_micros(caller.session.expires_at))
        key = self._key.signing_key(PURPOSE)
        token_id = base64.urlsafe_b64encode(self._context.random_bytes(ID_BYTES)).rstrip(b"=").decode()
        who = caller.account_id, caller.principal.unique_id, caller.access_key_id
        holder = rows.LiveToken(*who, 0, source_arn=caller.source_arn)
        await self._database.write(
            lambda connection: rows.insert_registry_token(connection, token_id, holder, issued_at, expires_at)
        )
        password = TokenText(key.id, token_id, registry, issued_at, expires_at).sign(key.secret)
        return IssuedToken(password, from_micros(expires_at))

    def verify(self, password: str) -> VerifiedToken:
        """Check form, signature and expiry, without the database.

        Raises:
            TokenInvalid: not one of ours.
            TokenExpired: it was.
        """
        token, expires_at, key = self._verified.get(password) or self._check(password)
        if self._key.verification_key(PURPOSE, key.id) is not key:
            token, expires_at, key = self._check(password)  # the keys were loaded again
        if expires_at <= self._context.now_micros():
            self._verified.pop(password, None)
            raise TokenExpired
        return token

    async def caller(self, token: VerifiedToken) -> Caller:
        """Who the token stands for, perhaps as of an earlier epoch: `confirm` it against the request's own read.

        Raises:
            TokenExpired: it was revoked: its key is gone or inactive.
        """
        remembered = self._callers.get(token.id)
        if remembered is None:
            return await self._load(token)
        self._callers.move_to_end(token.id)
        return remembered

    async def confirm(self, token: VerifiedToken, caller: Caller, epoch: int | None) -> Caller:
        """The caller, after a look at the rows if the access epoch of their account has moved since.

        Raises:
            TokenExpired: it was revoked in the meantime.
        """
        if caller.epoch == epoch:
            return caller
        return await self._load(token)

    async def purge_expired(self) -> int:
        """Delete the rows of expired tokens, a batch in each transaction; how many went."""
        purged = 0
        while True:
            count = await self._database.write(self._purge_batch)
            purged += count
            if count < PURGE_BATCH:
                return purged

    def _purge_batch(self, connection: Connection) -> int:
        return rows.delete_expired_tokens(connection, self._context.now_micros(), PURGE_BATCH)

    async def _load(self, token: VerifiedToken) -> Caller:
        row = await self._database.lookup(lambda connection: rows.find_live_token(connection, token.id))
        if row is None:
            self._callers.pop(token.id, None)
            raise TokenExpired
        session = read_session(row.session) if row.session is not None else None
        principal = principal_of(row.account_id, row.unique_id, row.path, row.name, session)
        principal = principal.in_partition(partition_of(token.registry.region))
        caller = Caller(principal, row.access_key_id, row.access_epoch, session, row.source_arn)
        _remember(self._callers, token.id, caller, self._sessions_max)
        return caller

    def _check(self, password: str) -> tuple[VerifiedToken, int, SigningKey]:
        """Check form and signature, and remember what was true: false passwords are nobody's to fill memory with."""
        text = read_token_text(password)
        key = self._key.verification_key(PURPOSE, text.key_id)
        if key is None or not has_valid_mac(password, key.secret):
            self._verified.pop(password, None)
            raise TokenInvalid
        token = VerifiedToken(text.id, text.registry, from_micros(text.issued_at), from_micros(text.expires_at))
        known = token, text.expires_at, key
        _remember(self._verified, password, known, self._sessions_max)
        return known


def _remember(memory: OrderedDict[str, T], key: str, value: T, size_max: int) -> None:
    """Keep a value as the newest, and forget the oldest beyond `size_max`."""
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > size_max:
        memory.popitem(last=False)
