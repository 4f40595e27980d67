"""Saved policies: principals found when saved and shown as they are called now, on both engines."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.saved import PrincipalNotFound
from entrepot.service.identity import IdentityService
from entrepot.service.saved_policy import find_principals, show
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import delete_entity, insert_entity, update_entity
from tests.support.policy import text_of
from tests.support.service import ACCOUNT

_ANA = f"arn:aws:iam::{ACCOUNT}:user/team/ana"
_BUILD = f"arn:aws:iam::{ACCOUNT}:role/build"
_ENTITIES = (
    Entity("AIDAANAANAANAANAANAAA", ACCOUNT, EntityKind.USER, "/team/", "ana", datetime(2026, 11, 1, tzinfo=UTC)),
    Entity("AROABUILDBUILDBUILDBU", ACCOUNT, EntityKind.ROLE, "/", "build", datetime(2026, 11, 1, tzinfo=UTC)),
    Entity("AGPAANAANAANAANAANAAA", ACCOUNT, EntityKind.GROUP, "/", "ana", datetime(2026, 11, 1, tzinfo=UTC)),
)


@pytest.fixture
async def people(database: Database, identity_service: IdentityService) -> Database:
    """A database with a user, a role, and a group of the user's name."""
    del identity_service  # made the account
    await database.write(lambda connection: [insert_entity(connection, entity) for entity in _ENTITIES])
    return database


async def _find(database: Database, *names: str) -> dict[str, str]:
    document = text_of({"Effect": "Allow", "Principal": {"AWS": list(names)}, "Action": "ecr:BatchGetImage"})
    policy = parse_policy(document, Kind.REPOSITORY)
    return await database.read(lambda connection: find_principals(connection, policy))


async def _show(database: Database, document: str, principals: dict[str, str]) -> list[str]:
    shown = await database.read(lambda connection: show(connection, document, principals))
    names: list[str] = json.loads(shown)["Statement"][0]["Principal"]["AWS"]
    return names


async def test_users_and_roles_are_found_and_accounts_need_not_exist(people: Database) -> None:
    assert await _find(people, _ANA, _BUILD, "999999999999", "*") == {
        _ANA: "AIDAANAANAANAANAANAAA",
        _BUILD: "AROABUILDBUILDBUILDBU",
    }


async def test_the_arn_of_another_partition_and_a_unique_id_name_the_same(people: Database) -> None:
    chinese = _ANA.replace("arn:aws:", "arn:aws-cn:")
    assert await _find(people, chinese, "AROABUILDBUILDBUILDBU") == {
        chinese: "AIDAANAANAANAANAANAAA",
        "AROABUILDBUILDBUILDBU": "AROABUILDBUILDBUILDBU",
    }


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{ACCOUNT}:user/ana",  # in no path
        f"arn:aws:iam::{ACCOUNT}:user/team/Ana",
        f"arn:aws:iam::{ACCOUNT}:role/ana",
        "arn:aws:iam::999999999999:user/team/ana",
        "AGPAANAANAANAANAANAAA",  # a group is no principal
        "AIDANOBODYNOBODYNOBOD",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/none/ci",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/ana/ci",  # a user has no such sessions
        "AIDAANAANAANAANAANAAA:ci",
        "AROANOBODYNOBODYNOBOD:ci",
    ],
)
async def test_who_does_not_exist_is_told(people: Database, name: str) -> None:
    with pytest.raises(PrincipalNotFound) as caught:
        await _find(people, _BUILD, name)
    assert caught.value.name == name


async def test_sessions_go_with_their_role(people: Database) -> None:
    ci, again = f"arn:aws:sts::{ACCOUNT}:assumed-role/build/ci", "AROABUILDBUILDBUILDBU:ci"
    document = text_of({"Effect": "Allow", "Principal": {"AWS": [ci, again]}, "Action": "ecr:BatchGetImage"})
    principals = await _find(people, ci, again)
    assert principals == {ci: again, again: again}
    assert await _show(people, document, principals) == [ci, ci]
    await people.write(lambda connection: delete_entity(connection, "AROABUILDBUILDBUILDBU"))
    assert await _show(people, document, principals) == [again, again]


async def test_names_are_those_of_today(people: Database) -> None:
    chinese = _ANA.replace("arn:aws:", "arn:aws-cn:")
    written = [_ANA, chinese, _BUILD, "AIDAANAANAANAANAANAAA", ACCOUNT]
    document = text_of({"Effect": "Allow", "Principal": {"AWS": written}, "Action": "ecr:BatchGetImage"})
    principals = await _find(people, *written)
    assert await _show(people, document, principals) == [_ANA, chinese, _BUILD, _ANA, ACCOUNT]

    await people.write(lambda connection: update_entity(connection, "AIDAANAANAANAANAANAAA", name="eve", path="/"))
    await people.write(lambda connection: delete_entity(connection, "AROABUILDBUILDBUILDBU"))
    eve = f"arn:aws:iam::{ACCOUNT}:user/eve"
    assert await _show(people, document, principals) == [
        eve,
        eve.replace("arn:aws:", "arn:aws-cn:"),
        "AROABUILDBUILDBUILDBU",
        eve,
        ACCOUNT,
    ]
