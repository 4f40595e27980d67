"""Robot tokens as they are managed: made, listed, revoked, forgotten.

Whether the caller may have one was decided before. A token is bound to the unique id of its role: who makes the role
anew gains nothing. Making and revoking raise the access epoch of the account, and with that row lock it against every
other change, so that names are given once and a revoked token is refused with the next request, on every worker.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from entrepot.domain.error import InvalidParameter, LimitExceeded
from entrepot.domain.iam import parse_role_arn
from entrepot.domain.limit import (
    ENDED_ROBOT_TOKEN_RETENTION_SECONDS,
    ROBOT_TOKEN_SECONDS_MAX,
    ROBOT_TOKENS_MAX,
)
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.evaluate import Policies, Request, evaluate
from entrepot.domain.policy.principal import Grant, service
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.domain.robot_error import RobotRoleUnusable, RobotTokenAlreadyExists, RobotTokenNotFound
from entrepot.domain.robot_token import (
    ID_BYTES,
    SECRET_BYTES,
    TRUSTED_SERVICE,
    MadeRobotToken,
    NewRobotToken,
    RobotStatus,
    RobotToken,
    new_password,
    password_hash,
    robot_arn,
)
from entrepot.service.compiled_policy import saved_set
from entrepot.service.context import Context
from entrepot.service.iam.entity import begin_change
from entrepot.store.metadata import robot_token as rows
from entrepot.store.metadata.base import Database, from_micros, to_micros
from entrepot.store.metadata.iam_role import find_role
from entrepot.store.metadata.maintenance import own

PURGE_BATCH = 1_000
"""Ended rows that go in one transaction."""
_MICROS = 1_000_000
_ASSUME = "sts:AssumeRole"


class RobotTokenService:
    """What can be done with robot tokens, but for logging in."""

    def __init__(self, database: Database, context: Context, tokens_max: int = ROBOT_TOKENS_MAX) -> None:
        self._database, self._context, self._tokens_max = database, context, tokens_max

    async def create(self, wanted: NewRobotToken) -> MadeRobotToken:
        """Make a token; its password is shown this once. One of that name that has expired makes room.

        Raises:
            InvalidParameter: it would end in the past, or in more than ten years.
            RobotRoleUnusable: there is no such role in the account, or it does not trust robot tokens.
            RobotTokenAlreadyExists: one of that name is valid.
            LimitExceeded: the registry has as many as it can have.
        """
        _check_end(wanted.expires_at, self._context.now())
        token_id = base64.b32encode(self._context.random_bytes(ID_BYTES)).decode()
        password = new_password(token_id, self._context.random_bytes(SECRET_BYTES))
        await self._database.write(lambda connection: self._create(connection, wanted, token_id, password))
        found = await self._database.read(lambda connection: rows.find_token(connection, token_id))
        if found is None:
            raise RobotTokenNotFound(wanted.registry, wanted.name)  # revoked and purged at once: somebody is quick
        return MadeRobotToken(self._shown(found), password)

    async def describe(self, registry: Registry, names: Sequence[str]) -> list[RobotToken]:
        """The tokens of these names, by name.

        Raises:
            RobotTokenNotFound: there is none of one of the names.
        """
        found = await self._database.read(lambda connection: rows.find_tokens(connection, registry, names))
        known = {row.wanted.name for row in found}
        for name in names:
            if name not in known:
                raise RobotTokenNotFound(registry, name)
        return [self._shown(row) for row in found]

    async def list(self, registry: Registry, page: PageRequest) -> Page[RobotToken]:
        """A page of the tokens of a registry, by name."""
        after = "" if page.after is None else str(page.after[0])
        found = await self._database.read(lambda c: rows.list_tokens(c, registry, after, page.size + 1))
        return cut_page([self._shown(row) for row in found], page.size, lambda token: (token.wanted.name,))

    async def revoke(self, registry: Registry, name: str) -> RobotToken:
        """Take a token back, for good; as it was.

        Raises:
            RobotTokenNotFound: there is none of that name.
        """

        def change(connection: Connection) -> rows.RobotTokenRow:
            begin_change(connection, registry.account_id)
            found = rows.find_tokens(connection, registry, [name])
            if not found:
                raise RobotTokenNotFound(registry, name)
            rows.revoke(connection, found[0].id, self._context.now_micros())
            return found[0]

        return self._shown(await self._database.write(change))

    async def purge_ended(self) -> int:
        """Delete the tokens that were revoked or expired some time ago, a batch in a transaction; how many went."""
        before = self._context.now_micros() - ENDED_ROBOT_TOKEN_RETENTION_SECONDS * _MICROS
        database, purged = own(self._database), 0
        while True:
            count = await database.write(lambda connection: rows.delete_ended(connection, before, PURGE_BATCH))
            purged += count
            if count < PURGE_BATCH:
                return purged

    def _create(self, connection: Connection, wanted: NewRobotToken, token_id: str, password: str) -> None:
        registry, now = wanted.registry, self._context.now_micros()
        begin_change(connection, registry.account_id)
        role_id = self._find_role(connection, wanted)
        for earlier in rows.find_tokens(connection, registry, [wanted.name]):
            if earlier.expires_at is None or earlier.expires_at > now:
                raise RobotTokenAlreadyExists(registry, wanted.name)
            rows.revoke(connection, earlier.id, now)
        if rows.count_valid(connection, registry, now) >= self._tokens_max:
            raise LimitExceeded(f"A registry can have at most {self._tokens_max} valid robot tokens")
        expires_at = None if wanted.expires_at is None else to_micros(wanted.expires_at)
        row = rows.RobotTokenRow(token_id, wanted, role_id, password_hash(password), now, expires_at)
        if not rows.insert_token(connection, row):
            raise RobotTokenAlreadyExists(registry, wanted.name)

    def _find_role(self, connection: Connection, wanted: NewRobotToken) -> str:
        """The unique id of the role."""
        arn = parse_role_arn(wanted.role_arn)
        if arn.account_id != wanted.registry.account_id:
            raise RobotRoleUnusable(wanted.role_arn, "it belongs to another account")
        role = find_role(connection, arn.account_id, arn.name)
        if role is None or (role.entity.path, role.entity.name) != (arn.path, arn.name):
            raise RobotRoleUnusable(wanted.role_arn, "it does not exist")
        trust = SavedPolicy(role.trust_policy, role.trust_principals)
        if not trusts_robot(trust, wanted, self._context.now()):
            raise RobotRoleUnusable(
                wanted.role_arn, f"its trust policy does not let {TRUSTED_SERVICE} assume it for this token"
            )
        return role.entity.id

    def _shown(self, row: rows.RobotTokenRow) -> RobotToken:
        return RobotToken(
            row.wanted, row.id, from_micros(row.created_at), status_of(row, self._context.now()), row.last_use
        )


def status_of(row: rows.RobotTokenRow, now: datetime) -> RobotStatus:
    """Whether a token that was not revoked can be used."""
    if row.expires_at is not None and row.expires_at <= to_micros(now):
        return RobotStatus.EXPIRED
    if row.role is None or row.trust is None:
        return RobotStatus.ROLE_DELETED
    is_trusted = trusts_robot(row.trust, row.wanted, now)
    return RobotStatus.ACTIVE if is_trusted else RobotStatus.ROLE_NOT_TRUSTING


def trusts_robot(trust: SavedPolicy, wanted: NewRobotToken, now: datetime) -> bool:
    """Whether a role's trust policy lets robot tokens assume it, by name, as the condition keys of this one are.

    What it says to everybody is meant for those who sign: a role that was never meant for robots is not theirs.
    """
    registry = wanted.registry
    context = {
        "aws:currenttime": (f"{now:%Y-%m-%dT%H:%M:%SZ}",),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:principalisawsservice": ("true",),
        "aws:requestedregion": (registry.region,),
        "aws:sourceaccount": (registry.account_id,),
        "aws:sourcearn": (robot_arn(registry, wanted.name),),
    }
    request = Request(service(TRUSTED_SERVICE), _ASSUME, wanted.role_arn, registry.account_id, context)
    decision = evaluate(request, Policies(resource=saved_set("trust policy", trust, Kind.TRUST)))
    return decision.is_allowed and any(match.grant & Grant.DIRECT for match in decision.decided_by)


def _check_end(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is None:
        return
    if expires_at <= now:
        raise InvalidParameter("expiresAt", "must be in the future")
    if expires_at > now + timedelta(seconds=ROBOT_TOKEN_SECONDS_MAX):
        days = ROBOT_TOKEN_SECONDS_MAX // (24 * 3600)
        raise InvalidParameter("expiresAt", f"must be at most {days} days ahead, or left out for a token without end")
