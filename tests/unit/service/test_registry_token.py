"""Registry tokens: what verifies, what ends them, and what a worker remembers."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from entrepot.domain.error import TokenExpired, TokenInvalid
from entrepot.domain.principal import Caller
from entrepot.domain.registry import Registry
from entrepot.domain.registry_token import IssuedToken
from entrepot.service import registry_token
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.key import KeyService
from entrepot.service.registry_token import RegistryTokenService
from entrepot.store.metadata import schema
from entrepot.store.metadata.base import Database
from tests.support.service import ACCOUNT, REGISTRY, Clock

URL_SAFE = set(string.ascii_letters + string.digits + "-._~")


@pytest.fixture
def tokens(
    database: Database, context: Context, key_service: KeyService, identity_service: IdentityService
) -> RegistryTokenService:
    return RegistryTokenService(database, context, key_service)


@pytest.fixture
async def caller(identity_service: IdentityService) -> Caller:
    key = await identity_service.root_key(ACCOUNT)
    return Caller(key.principal, key.id, key.account_epoch)


@pytest.fixture
async def issued(tokens: RegistryTokenService, caller: Caller) -> IssuedToken:
    return await tokens.issue(caller, REGISTRY)


async def epoch(database: Database) -> int | None:
    query = select(schema.account.c.access_epoch).where(schema.account.c.id == ACCOUNT)
    return await database.read(lambda connection: connection.scalar(query))


async def count_rows(database: Database) -> int | None:
    return await database.read(lambda c: c.scalar(select(func.count()).select_from(schema.registry_token)))


async def test_a_password_suits_every_client(issued: IssuedToken, clock: Clock) -> None:
    assert set(issued.password) <= URL_SAFE
    assert len(issued.password) < 400
    assert (issued.expires_at - clock.now).total_seconds() == 12 * 3600
    assert issued.password not in repr(issued)


async def test_a_token_leads_to_its_caller(
    database: Database, tokens: RegistryTokenService, issued: IssuedToken, caller: Caller, clock: Clock
) -> None:
    token = tokens.verify(issued.password)
    assert (token.registry, token.issued_at, token.expires_at) == (REGISTRY, clock.now, issued.expires_at)
    session = await tokens.caller(token)
    assert session == caller
    assert await tokens.confirm(token, session, await epoch(database)) == caller


async def test_another_worker_knows_the_token(
    second_database: Database, context: Context, issued: IssuedToken, caller: Caller
) -> None:
    key = await KeyService.open(second_database, context, bytes(range(32)))
    other = RegistryTokenService(second_database, context, key)
    assert await other.caller(other.verify(issued.password)) == caller


async def test_a_token_may_be_for_a_registry_that_does_not_exist(tokens: RegistryTokenService, caller: Caller) -> None:
    elsewhere = Registry("999999999999", "eu-west-1")
    assert tokens.verify((await tokens.issue(caller, elsewhere)).password).registry == elsewhere


async def test_every_changed_character_is_noticed(tokens: RegistryTokenService, issued: IssuedToken) -> None:
    for place, character in enumerate(issued.password):
        for other in "AB0.-":
            if other != character:
                with pytest.raises(TokenInvalid):
                    tokens.verify(issued.password[:place] + other + issued.password[place + 1 :])


@pytest.mark.parametrize("text", ["", "x", "é", "e1." * 500, "e1.a.b.123456789012.us-east-1.1.2." + "A" * 43, "\0" * 9])
def test_what_is_not_ours_is_invalid(tokens: RegistryTokenService, text: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens.verify(text)


async def test_padding_and_more_text_are_invalid(tokens: RegistryTokenService, issued: IssuedToken) -> None:
    for text in (issued.password + "=", issued.password + "\n", " " + issued.password, issued.password * 2):
        with pytest.raises(TokenInvalid):
            tokens.verify(text)


async def test_it_ends_at_its_time(
    database: Database, context: Context, key_service: KeyService, caller: Caller, clock: Clock
) -> None:
    tokens = RegistryTokenService(database, context, key_service, lifetime_seconds=60)
    password = (await tokens.issue(caller, REGISTRY)).password
    clock.forward(seconds=59, milliseconds=999)
    tokens.verify(password)
    clock.forward(milliseconds=1)
    with pytest.raises(TokenExpired):
        tokens.verify(password)


async def test_a_remembered_token_ends_with_its_signing_key(
    database: Database, key_service: KeyService, tokens: RegistryTokenService, issued: IssuedToken
) -> None:
    tokens.verify(issued.password)
    retired = update(schema.signing_key).values(retired_at=0)
    await database.write(lambda connection: connection.execute(retired))
    await key_service.refresh()
    with pytest.raises(TokenInvalid):
        tokens.verify(issued.password)


async def test_a_rotated_key_ends_remembered_tokens_at_once(
    database: Database, tokens: RegistryTokenService, issued: IssuedToken, identity_service: IdentityService
) -> None:
    token = tokens.verify(issued.password)
    await tokens.caller(token)
    await identity_service.rotate_root_key(ACCOUNT)
    remembered = await tokens.caller(token)
    with pytest.raises(TokenExpired):
        await tokens.confirm(token, remembered, await epoch(database))
    with pytest.raises(TokenExpired):
        await tokens.caller(token)


async def test_an_inactive_key_ends_its_tokens(
    database: Database, tokens: RegistryTokenService, issued: IssuedToken
) -> None:
    await database.write(lambda connection: connection.execute(update(schema.access_key).values(is_active=False)))
    with pytest.raises(TokenExpired):
        await tokens.caller(tokens.verify(issued.password))


async def test_a_token_outlives_changes_that_leave_its_key(
    database: Database, tokens: RegistryTokenService, issued: IssuedToken, caller: Caller
) -> None:
    token = tokens.verify(issued.password)
    session = await tokens.caller(token)
    raised = update(schema.account).values(access_epoch=schema.account.c.access_epoch + 1)
    await database.write(lambda connection: connection.execute(raised))
    now = await epoch(database)
    assert await tokens.confirm(token, session, now) == replace(caller, epoch=now or 0)
    assert (await tokens.caller(token)).epoch == now


async def test_a_remembered_session_needs_no_read(tokens: RegistryTokenService, issued: IssuedToken) -> None:
    token = tokens.verify(issued.password)
    assert await tokens.caller(token) is await tokens.caller(token)


async def test_memory_is_bounded_and_forgets_the_longest_unused(
    database: Database, context: Context, key_service: KeyService, caller: Caller
) -> None:
    tokens = RegistryTokenService(database, context, key_service, sessions_max=2)
    first, second, third = [tokens.verify((await tokens.issue(caller, REGISTRY)).password) for _ in range(3)]
    remembered = await tokens.caller(first)
    forgotten = await tokens.caller(second)
    await tokens.caller(first)
    await tokens.caller(third)
    assert await tokens.caller(first) is remembered
    assert await tokens.caller(second) is not forgotten


async def test_a_remembered_password_is_checked_by_its_bytes(tokens: RegistryTokenService, issued: IssuedToken) -> None:
    tokens.verify(issued.password)
    tokens.verify(issued.password)
    with pytest.raises(TokenInvalid):
        tokens.verify(issued.password[:-1])


async def test_false_passwords_are_not_remembered(
    database: Database, context: Context, key_service: KeyService, caller: Caller
) -> None:
    tokens = RegistryTokenService(database, context, key_service, sessions_max=1)
    password = (await tokens.issue(caller, REGISTRY)).password
    known = tokens.verify(password)
    with pytest.raises(TokenInvalid):
        tokens.verify(password[:-1] + "!")
    assert tokens.verify(password) is known


async def test_rows_go_when_their_tokens_have_expired(
    database: Database, tokens: RegistryTokenService, caller: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_token, "PURGE_BATCH", 2)
    for _ in range(5):
        await tokens.issue(caller, REGISTRY)
    clock.forward(hours=6)
    late = await tokens.issue(caller, REGISTRY)
    clock.forward(hours=6)
    assert await tokens.purge_expired() == 5
    assert await count_rows(database) == 1
    assert await tokens.caller(tokens.verify(late.password)) == caller
