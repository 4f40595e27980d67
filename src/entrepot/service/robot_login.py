"""Logins with robot tokens: a password becomes a caller, or is refused.

A worker remembers what it read of a token at one access epoch of its account; each request's own read brings the epoch
of now, and another one sends it back to the rows. So revoking a token, deleting its role, or a trust policy that no
longer trusts robot tokens, holds from the next request on, on every worker.

Spec: docs/design/robot_token.md.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from entrepot.domain.error import TokenExpired, TokenInvalid
from entrepot.domain.principal import Caller
from entrepot.domain.registry import Registry
from entrepot.domain.robot_token import (
    RobotStatus,
    claimed_id,
    password_hash,
    read_password,
    robot_identity,
)
from entrepot.service.context import Context
from entrepot.service.note_log import NoteLog
from entrepot.service.robot_token import status_of
from entrepot.store.metadata import robot_token as rows
from entrepot.store.metadata.base import Database, from_micros, to_micros

KNOWN_MAX: Final = 10_000
"""Tokens that a worker remembers; about 2 KiB each."""
KNOWN_MICROS: Final = 60_000_000
"""What is remembered is read again after a minute: a trust policy may speak of the time."""


class RobotUseLog(NoteLog[str, tuple[int, str]]):
    """The last use of each token that was not written yet: microseconds UTC, and the address."""

    def __init__(self, database: Database, context: Context) -> None:
        super().__init__(database, context, rows.record_uses)


@dataclass(frozen=True, slots=True)
class RobotLogin:
    """A token whose password was right and which was valid when its rows were read."""

    token_id: str
    registry: Registry
    caller: Caller
    password_hash: bytes
    user: str
    """The token's name, which may stand for `AWS` as the user's name."""
    expires_at: int | None
    read_at: int
    """Microseconds UTC, both."""


class RobotLogins:
    """Logins of one worker."""

    def __init__(self, database: Database, context: Context, known_max: int = KNOWN_MAX) -> None:
        self._database, self._context, self._known_max = database, context, known_max
        self._known: OrderedDict[str, RobotLogin] = OrderedDict()
        self.uses = RobotUseLog(database, context)

    async def log_in(self, user: str, password: str, address: str) -> RobotLogin:
        """Whose a password is, perhaps as of an earlier epoch: `confirm` it against the request's own read.

        Raises:
            TokenInvalid: not one of ours, or of another user's name than `AWS` and the token's.
            TokenExpired: it was, or its role is not to be had any more.
        """
        now = self._context.now_micros()
        login = self._known.get(claimed_id(password))
        if login is None or not 0 <= now - login.read_at < KNOWN_MICROS:
            login = await self._load(read_password(password), password)
        elif not hmac.compare_digest(login.password_hash, password_hash(password)):
            raise TokenInvalid
        if user not in ("AWS", login.user):
            raise TokenInvalid
        if login.expires_at is not None and login.expires_at <= now:
            raise TokenExpired
        self.uses.note(login.token_id, (now, address))
        return login

    async def confirm(self, login: RobotLogin, caller: Caller, epoch: int | None) -> Caller:
        """The caller, after a look at the rows if the access epoch of their account has moved since.

        Raises:
            TokenExpired: the token was revoked in the meantime, or its role is not to be had any more.
        """
        if caller.epoch == epoch:
            return caller
        return (await self._load(login.token_id)).caller

    async def _load(self, token_id: str, password: str | None = None) -> RobotLogin:
        """Read a token; with a `password`, only if that is right."""
        row = await self._database.lookup(lambda connection: rows.find_token(connection, token_id))
        if password and (row is None or not hmac.compare_digest(row.password_hash, password_hash(password))):
            raise TokenInvalid
        now = self._context.now()
        if (
            row is None
            or row.revoked_at is not None
            or row.role is None
            or status_of(row, now) is not RobotStatus.ACTIVE
        ):
            self._known.pop(token_id, None)
            raise TokenExpired
        wanted, caller, read_at = row.wanted, caller_of(row, row.role), to_micros(now)
        login = RobotLogin(row.id, wanted.registry, caller, row.password_hash, wanted.name, row.expires_at, read_at)
        self._known[token_id] = login
        self._known.move_to_end(token_id)
        while len(self._known) > self._known_max:
            self._known.popitem(last=False)
        return login


def _is_valid(row: rows.RobotTokenRow, now: datetime) -> bool:
    return row.revoked_at is None and status_of(row, now) is RobotStatus.ACTIVE


def caller_of(row: rows.RobotTokenRow, role: tuple[str, str, str]) -> Caller:
    """Who a token acts as: a session of its role within its scope."""
    acts_as = robot_identity(row.wanted, role, from_micros(row.created_at))
    scope = row.wanted.scope.policy(row.wanted.registry)
    return Caller(acts_as.principal, row.id, row.access_epoch, acts_as.session, scope=scope)
