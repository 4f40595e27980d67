"""Rows of IAM, written without any service: users, groups, roles and policies of one account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from sqlalchemy import Connection, insert

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.key import ACCESS_KEY_PURPOSE
from entrepot.service.key import KeyService
from entrepot.store.metadata.base import from_micros
from entrepot.store.metadata.iam_entity import insert_entity
from entrepot.store.metadata.iam_role import RoleRow, insert_role
from entrepot.store.metadata.identity import AccessKeyRow, insert_access_key
from entrepot.store.metadata.schema import (
    iam_attachment,
    iam_inline_policy,
    iam_member,
    iam_policy,
    iam_policy_version,
    iam_tag,
)
from tests.support.service import ACCOUNT

if TYPE_CHECKING:
    from tests.support.aws import AwsWorld


def document(action: str | list[str] = "ecr:ListImages", effect: str = "Allow", **members: Any) -> str:
    """A policy of one statement about everything."""
    statement = {"Effect": effect, "Action": action, "Resource": "*", **members}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def decoded(text: str) -> dict[str, Any]:
    """A document as an answer of IAM has it, percent-encoded."""
    assert "{" not in text
    found: dict[str, Any] = json.loads(unquote(text))
    return found


def put_entity(
    connection: Connection,
    kind: EntityKind,
    name: str,
    *,
    path: str = "/",
    boundary: str | None = None,
    account_id: str = ACCOUNT,
) -> Entity:
    """A bare entity, whose id is made of its name."""
    unique_id = kind.id_prefix + name.upper().ljust(17, "0")
    entity = Entity(unique_id, account_id, kind, path, name, from_micros(0), None, boundary)
    assert insert_entity(connection, entity)
    return entity


def put_policy(
    connection: Connection, name: str, *documents: str, path: str = "/", default: int = 1, account_id: str = ACCOUNT
) -> str:
    """A managed policy with a version for each document; its ARN."""
    policy = put_entity(connection, EntityKind.POLICY, name, path=path, account_id=account_id)
    row = {"id": policy.id, "default_version": default, "last_version": len(documents), "updated_at": 0}
    connection.execute(insert(iam_policy).values(row))
    for number, text in enumerate(documents, 1):
        version = {"policy_id": policy.id, "number": number, "document": text, "created_at": 0}
        connection.execute(insert(iam_policy_version).values(version))
    return policy.arn


def put_inline(connection: Connection, entity: Entity, name: str, text: str) -> None:
    connection.execute(insert(iam_inline_policy).values(entity_id=entity.id, name=name, document=text))


def attach(connection: Connection, entity: Entity, arn: str) -> None:
    connection.execute(insert(iam_attachment).values(entity_id=entity.id, policy_arn=arn, attached_at=0))


def join(connection: Connection, group: Entity, user: Entity) -> None:
    connection.execute(insert(iam_member).values(group_id=group.id, user_id=user.id))


async def held_by(aws: AwsWorld, word: str, name: str) -> str:
    """A user, group or role (`word` is `User`, `Group` or `Role`) that policies can hang on; its name."""
    kind = EntityKind(word.lower())
    await aws.registry.database.write(lambda connection: put_entity(connection, kind, name))
    return name


def put_tag(connection: Connection, entity: Entity, key: str, value: str) -> None:
    connection.execute(insert(iam_tag).values(entity_id=entity.id, key_lower=key.lower(), key=key, value=value))


def put_role(
    connection: Connection, name: str, *trusted: Entity, path: str = "/", seconds_max: int = 3600, condition: Any = None
) -> Entity:
    """A role that some users and roles, and its own sessions, may assume with tags and a source identity."""
    role = put_entity(connection, EntityKind.ROLE, name, path=path)
    ids = {entity.arn: entity.id for entity in (*trusted, role)}
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    statement = {"Effect": "Allow", "Principal": {"AWS": list(ids)}, "Action": actions, "Condition": condition or {}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    insert_role(connection, RoleRow(role, trust, ids, seconds_max))
    return role


def put_key(connection: Connection, keys: KeyService, user: Entity) -> tuple[str, str]:
    """An access key of a user: id and secret."""
    key_id, secret = f"AKIA{user.name.upper().ljust(16, '0')}", f"secret of {user.name}"
    sealed = keys.seal(connection, ACCESS_KEY_PURPOSE, secret.encode(), key_id)
    assert insert_access_key(connection, AccessKeyRow(key_id, user.account_id, user.id, sealed, True, 0), 0)
    return key_id, secret
