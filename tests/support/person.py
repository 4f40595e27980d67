"""People of IAM with credentials for both planes: users and sessions of roles, written as rows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, delete

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.key import ACCESS_KEY_PURPOSE
from entrepot.domain.principal import Session
from entrepot.domain.session_record import write_session
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.identity import AccessKeyRow, insert_access_key, raise_access_epoch
from entrepot.store.metadata.schema import iam_inline_policy
from tests.support.aws import AwsClient, AwsWorld
from tests.support.iam_rows import document, put_entity, put_inline
from tests.support.registry import HOME
from tests.support.wire import Client

T = TypeVar("T")

SESSION = "work"
"""The name of every role's session here."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user, or a session of a role, who has logged in already."""

    world: AwsWorld
    entity: Entity
    aws: AwsClient
    oci: Client

    async def allow(self, *actions: str) -> None:
        """Have one inline policy, which allows these actions on everything, and no other."""
        await self.have(*[document(action) for action in actions])

    async def have(self, *texts: str) -> None:
        """Have these inline policies, and no others."""

        def query(connection: Connection) -> None:
            connection.execute(delete(iam_inline_policy).where(iam_inline_policy.c.entity_id == self.entity.id))
            for number, text in enumerate(texts):
                put_inline(connection, self.entity, f"p{number}", text)

        await change(self.world, query, self.entity.account_id)


async def change(world: AwsWorld, query: Callable[[Connection], T], account_id: str = HOME.account_id) -> T:
    """Change rows of IAM as its operations do: the account's access epoch rises with them."""

    def both(connection: Connection) -> T:
        made = query(connection)
        raise_access_epoch(connection, account_id)
        return made

    return await world.registry.database.write(both)


async def make_user(world: AwsWorld, name: str, account_id: str = HOME.account_id) -> Person:
    """A user without policies."""

    def query(connection: Connection) -> tuple[Entity, tuple[str, str]]:
        user = put_entity(connection, EntityKind.USER, name, account_id=account_id)
        return user, _put_key(connection, world, user)

    user, key = await change(world, query, account_id)
    return await _log_in(world, user, replace(world.client, key=key))


async def make_session(world: AwsWorld, role_name: str, **members: Any) -> Person:
    """A session of a new role without policies; `members` are those of the session."""
    now = world.registry.clock.now()
    session = Session(now, now + timedelta(hours=1), SESSION, **members)
    token = f"token of {role_name}"

    def query(connection: Connection) -> tuple[Entity, tuple[str, str]]:
        role = put_entity(connection, EntityKind.ROLE, role_name)
        return role, _put_key(connection, world, role, session, token)

    role, key = await change(world, query)
    return await _log_in(world, role, replace(world.client, key=key, token=token))


def _put_key(
    connection: Connection, world: AwsWorld, entity: Entity, session: Session | None = None, token: str = ""
) -> tuple[str, str]:
    """An access key, lasting or with a session and its token: id and secret."""
    key_id = f"{'ASIA' if session else 'AKIA'}{entity.name.upper().ljust(16, '0')}"
    secret = f"secret of {entity.name}"
    sealed = world.registry.services.key.seal(connection, ACCESS_KEY_PURPOSE, secret.encode(), key_id)
    row = AccessKeyRow(key_id, entity.account_id, entity.id, sealed, True, 0)
    expires_at = None
    if session is not None:
        row = replace(row, session=write_session(session), session_token=hashlib.sha256(token.encode()).digest())
        expires_at = to_micros(session.expires_at)
    assert insert_access_key(connection, row, 0, expires_at)
    return key_id, secret


async def _log_in(world: AwsWorld, entity: Entity, aws: AwsClient) -> Person:
    """Fetch a registry token, for which the person is allowed to for that moment."""
    nobody = Person(world, entity, aws, world.registry.client)
    await nobody.allow("ecr:GetAuthorizationToken")
    person = replace(nobody, oci=await log_in(world, aws))
    await person.have()
    return person


async def log_in(world: AwsWorld, aws: AwsClient) -> Client:
    """A client of `/v2/` with a token that GetAuthorizationToken gave."""
    data = (await aws.ecr("GetAuthorizationToken"))["authorizationData"][0]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    return replace(world.registry.client, authorization=f"Basic {data['authorizationToken']}")
