"""Sessions on both engines: made, found as keys again, and gone a day after their end."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from entrepot.domain.error import AccessDenied, UnrecognizedClient
from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.iam_error import MalformedPolicy, ValidationFailed
from entrepot.domain.limit import EXPIRED_KEY_RETENTION_SECONDS
from entrepot.domain.principal import Caller, PrincipalKind, Session, root_of, user_of
from entrepot.domain.role_session import SessionRequest
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.session import SessionService
from entrepot.store.aws_policy import package_policies
from entrepot.store.metadata.base import Database
from tests.support.iam_rows import document, put_entity, put_key, put_policy, put_role
from tests.support.service import ACCOUNT, Clock

KEY_ID = "AKIAMIA0000000000000"
USER = Caller(user_of(ACCOUNT, "AIDAMIA", "/", "mia"), KEY_ID)
REQUEST = SessionRequest("build", policy=document(), tags=(("team", "web"),), source_identity="mia")
ARN = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"


@pytest.fixture
def sessions(
    database: Database, context: Context, key_service: KeyService, identity_service: IdentityService
) -> SessionService:
    """Of an account that exists."""
    return SessionService(database, context, key_service, package_policies())


@pytest.fixture
async def role(database: Database, identity_service: IdentityService) -> Entity:
    return await database.write(lambda connection: put_role(connection, "deploy", path="/ci/", seconds_max=7200))


async def test_what_is_issued_is_what_is_found(
    sessions: SessionService, identity_service: IdentityService, role: Entity, clock: Clock
) -> None:
    issued = await sessions.assume_role(USER, ARN, replace(REQUEST, seconds=7200))

    key = await identity_service.find_access_key(issued.access_key_id)

    assert key is not None
    assert (key.secret, key.is_active, key.session) == (issued.secret, True, issued.session)
    assert key.session_token_hash == hashlib.sha256(issued.token.encode()).digest()
    assert key.principal == issued.principal
    assert (key.principal.kind, key.principal.unique_id) == (PrincipalKind.ROLE, role.id)
    assert key.principal.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build"
    assert key.principal.identity_arn == role.arn
    assert issued.session == Session(
        clock.now,
        clock.now + timedelta(hours=2),
        "build",
        policy=document(),
        tags={"team": "web"},
        source_identity="mia",
    )
    assert issued.secret not in repr(issued)
    assert issued.token not in repr(issued)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{ACCOUNT}:role/deploy",
        f"arn:aws:iam::{ACCOUNT}:role/ci/Deploy",
        f"arn:aws:iam::{ACCOUNT}:role/ci/other",
        "arn:aws:iam::210987654321:role/ci/deploy",
    ],
)
async def test_roles_that_are_not_there_cannot_be_assumed(sessions: SessionService, role: Entity, arn: str) -> None:
    with pytest.raises(AccessDenied) as refused:
        await sessions.assume_role(USER, arn, REQUEST)

    assert role.arn == ARN
    assert (refused.value.action, refused.value.resource) == ("sts:AssumeRole", arn)


async def test_session_policies_must_be_policies(sessions: SessionService, database: Database, role: Entity) -> None:
    own = await database.write(lambda connection: put_policy(connection, "limit", document()))
    known = (own, "arn:aws:iam::aws:policy/ReadOnlyAccess")

    issued = await sessions.assume_role(USER, role.arn, replace(REQUEST, policy_arns=known))

    assert issued.session.policy_arns == known
    with pytest.raises(MalformedPolicy, match="Syntax errors in policy"):
        await sessions.assume_role(USER, role.arn, replace(REQUEST, policy="{}"))
    for unknown in (f"arn:aws:iam::{ACCOUNT}:policy/none", own.replace(ACCOUNT, "210987654321"), "nonsense"):
        with pytest.raises(ValidationFailed, match=unknown):
            await sessions.assume_role(USER, role.arn, replace(REQUEST, policy_arns=(unknown,)))


async def test_a_user_in_a_session_is_the_user(
    sessions: SessionService,
    identity_service: IdentityService,
    database: Database,
    key_service: KeyService,
    clock: Clock,
) -> None:
    user = await _user(database, key_service)
    caller = Caller(user_of(ACCOUNT, user.id, "/", "mia"), KEY_ID)

    issued = await sessions.session_token(caller, 900, token_length=4096)

    key = await identity_service.find_access_key(issued.access_key_id)
    assert key is not None
    assert key.principal == caller.principal
    assert key.session == Session(clock.now, clock.now + timedelta(minutes=15))
    assert len(issued.token) == 4096


async def test_how_long_they_last_by_default(
    sessions: SessionService, identity_service: IdentityService, database: Database, key_service: KeyService
) -> None:
    await _user(database, key_service)
    root = Caller(root_of(ACCOUNT), (await identity_service.root_key(ACCOUNT)).id)

    users, roots = await sessions.session_token(USER), await sessions.session_token(root, 129_600)

    assert users.session.expires_at - users.session.issued_at == timedelta(hours=12)
    assert roots.session.expires_at - roots.session.issued_at == timedelta(hours=1)


async def test_who_has_lost_his_key_gets_no_session(
    sessions: SessionService, identity_service: IdentityService
) -> None:
    root = Caller(root_of(ACCOUNT), (await identity_service.root_key(ACCOUNT)).id)
    issued = await sessions.session_token(root)

    await identity_service.rotate_root_key(ACCOUNT)

    assert await identity_service.find_access_key(issued.access_key_id) is None
    with pytest.raises(UnrecognizedClient):
        await sessions.session_token(root)


async def test_whose_a_key_is(sessions: SessionService, identity_service: IdentityService, role: Entity) -> None:
    issued = await sessions.assume_role(USER, role.arn, REQUEST)

    for key_id in (issued.access_key_id, (await identity_service.root_key(ACCOUNT)).id):
        assert await sessions.account_of(key_id) == ACCOUNT
    with pytest.raises(ValidationFailed):
        await sessions.account_of("AKIAIOSFODNN7EXAMPLE")


async def test_keys_go_a_day_after_their_end(
    sessions: SessionService, identity_service: IdentityService, role: Entity, clock: Clock
) -> None:
    issued = await sessions.assume_role(USER, role.arn, REQUEST)

    clock.forward(seconds=3600 + EXPIRED_KEY_RETENTION_SECONDS)
    assert await sessions.purge_expired() == 0
    clock.forward(seconds=1)

    assert await sessions.purge_expired() == 1
    assert await identity_service.find_access_key(issued.access_key_id) is None
    assert await identity_service.root_key(ACCOUNT)


async def _user(database: Database, key_service: KeyService) -> Entity:
    """The user `mia`, with a key."""

    def change(connection: Connection) -> Entity:
        user = put_entity(connection, EntityKind.USER, "mia")
        put_key(connection, key_service, user)
        return user

    return await database.write(change)
