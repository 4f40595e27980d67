"""Sessions: temporary keys of roles and users, which carry what limits them, and go a day after their end.

Spec: STS API, AssumeRole, GetSessionToken, GetAccessKeyInfo; IAM user guide, "Temporary security credentials in IAM".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from entrepot.domain.error import AccessDenied, UnrecognizedClient
from entrepot.domain.iam import parse_role_arn
from entrepot.domain.iam_error import MalformedPolicy, ValidationFailed
from entrepot.domain.key import ACCESS_KEY_PURPOSE
from entrepot.domain.limit import (
    EXPIRED_KEY_RETENTION_SECONDS,
    ROOT_SESSION_SECONDS_MAX,
    USER_SESSION_SECONDS_DEFAULT,
)
from entrepot.domain.managed_policy import AWS_ACCOUNT, AwsPolicies
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.principal import Caller, Principal, PrincipalKind, Session, role_session_of
from entrepot.domain.role_session import SessionRequest, start_session
from entrepot.domain.session_record import write_session
from entrepot.service.context import Context
from entrepot.service.credential import TEMPORARY_PREFIX, new_key_id, new_secret, new_session_token
from entrepot.service.iam.standing import load_managed
from entrepot.service.key import KeyService
from entrepot.store.metadata import identity as rows
from entrepot.store.metadata.base import Database, to_micros
from entrepot.store.metadata.iam_role import find_role

PURGE_BATCH = 1_000
"""Expired keys that go in one transaction."""
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A temporary key as its holder is given it, once."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    principal: Principal
    session: Session


class SessionService:
    """Makes temporary keys; whether the caller may have them was decided before."""

    def __init__(self, database: Database, context: Context, key: KeyService, aws: AwsPolicies) -> None:
        self._database, self._context, self._key, self._aws = database, context, key, aws

    async def assume_role(
        self, caller: Caller, role_arn: str, request: SessionRequest, token_length: int = 0
    ) -> IssuedSession:
        """A session of a role; the token has `token_length` characters at least.

        Raises:
            NeverAllowed: another source identity than the caller's session has.
            AccessDenied: there is no such role.
            ValidationFailed, InvalidSessionTag, PackedPolicyTooLarge: what is asked for does not go.
            MalformedPolicy: the session policy cannot be read.
        """
        arn = parse_role_arn(role_arn)
        _check_policy(request.policy)

        def change(connection: Connection) -> IssuedSession:
            rows.keep_account(connection, arn.account_id)
            role = find_role(connection, arn.account_id, arn.name)
            if role is None or (role.entity.path, role.entity.name) != (arn.path, arn.name):
                raise AccessDenied(caller.principal.arn, "sts:AssumeRole", role_arn)
            session = start_session(request, caller.session, role.session_seconds_max, self._context.now())
            self._check_managed(connection, arn.account_id, request)
            principal = role_session_of(arn.account_id, role.entity.id, arn.path, role.entity.name, request.name)
            return self._issue(connection, principal, session, token_length)

        return await self._database.write(change)

    async def session_token(self, caller: Caller, seconds: int | None = None, token_length: int = 0) -> IssuedSession:
        """A session of the calling user himself.

        Raises:
            UnrecognizedClient: his key has just been deleted.
        """
        now = self._context.now()
        seconds = USER_SESSION_SECONDS_DEFAULT if seconds is None else seconds
        if caller.principal.kind is PrincipalKind.ROOT:
            seconds = min(seconds, ROOT_SESSION_SECONDS_MAX)
        session = Session(issued_at=now, expires_at=now + timedelta(seconds=seconds))

        def change(connection: Connection) -> IssuedSession:
            rows.keep_account(connection, caller.account_id)
            key = rows.find_access_key(connection, caller.access_key_id)
            if key is None or not key.is_active:
                raise UnrecognizedClient
            return self._issue(connection, caller.principal, session, token_length)

        return await self._database.write(change)

    async def account_of(self, access_key_id: str) -> str:
        """The account that a key belongs to, whatever its state.

        Raises:
            ValidationFailed: there is no such key.
        """
        row = await self._database.lookup(lambda connection: rows.find_access_key(connection, access_key_id))
        if row is None or row.account_id == AWS_ACCOUNT:
            raise ValidationFailed(f"The access key {access_key_id} does not exist")
        return row.account_id

    async def purge_expired(self) -> int:
        """Delete the temporary keys whose end is some time ago, a batch in each transaction; how many went."""
        before = self._context.now_micros() - EXPIRED_KEY_RETENTION_SECONDS * _MICROS
        purged = 0
        while True:
            count = await self._database.write(
                lambda connection: rows.delete_expired_keys(connection, before, PURGE_BATCH)
            )
            purged += count
            if count < PURGE_BATCH:
                return purged

    def _issue(
        self, connection: Connection, principal: Principal, session: Session, token_length: int
    ) -> IssuedSession:
        key_id, secret = new_key_id(self._context, TEMPORARY_PREFIX), new_secret(self._context)
        token = new_session_token(self._context, token_length)
        row = rows.AccessKeyRow(
            id=key_id,
            account_id=principal.account_id,
            unique_id=principal.unique_id,
            sealed_secret=self._key.seal(connection, ACCESS_KEY_PURPOSE, secret.encode(), key_id),
            is_active=True,
            access_epoch=0,
            session=write_session(session),
            session_token=hashlib.sha256(token.encode()).digest(),
        )
        if not rows.insert_access_key(connection, row, to_micros(session.issued_at), to_micros(session.expires_at)):
            raise AssertionError(key_id)  # 80 random bits
        return IssuedSession(key_id, secret, token, principal, session)

    def _check_managed(self, connection: Connection, account_id: str, request: SessionRequest) -> None:
        for arn in request.policy_arns:
            if load_managed(connection, self._aws, account_id, arn) is None:
                raise ValidationFailed(f"The specified managed policy {arn} does not exist.")


def _check_policy(text: str | None) -> None:
    if text is None:
        return
    try:
        parse_policy(text, Kind.IDENTITY)
    except PolicyInvalid as error:
        raise MalformedPolicy(error.sentence) from error
