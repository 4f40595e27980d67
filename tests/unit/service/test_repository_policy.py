"""Repository policies: set, shown with the names of today, removed, each at once for every worker, on both engines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.iam import EntityKind
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy_error import (
    PolicyLocksOut,
    PolicyPrincipalNotFound,
    PolicyTextInvalid,
    RepositoryPolicyNotFound,
)
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.repository import RepositoryService
from entrepot.service.repository_policy import RepositoryPolicyService
from entrepot.store.metadata.access import find_epoch
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import delete_entity
from tests.support.iam_rows import put_entity
from tests.support.policy import text_of
from tests.support.service import ACCOUNT, REGISTRY

NAME, NONE = RepositoryName("team/app"), RepositoryName("none")
_ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"


def policy_of(principal: Any = "*", **members: Any) -> str:
    """A policy that lets somebody pull."""
    return text_of({"Effect": "Allow", "Principal": principal, "Action": "ecr:BatchGetImage"} | members)


@pytest.fixture
async def policies(database: Database, repository_service: RepositoryService) -> RepositoryPolicyService:
    """Policies of a registry with one repository."""
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    return RepositoryPolicyService(database)


async def _epoch(database: Database) -> int:
    epoch = await database.lookup(lambda connection: find_epoch(connection, ACCOUNT))
    assert epoch
    return epoch


async def test_a_policy_is_kept_as_it_was_written_until_it_is_removed(
    policies: RepositoryPolicyService, database: Database
) -> None:
    first, second = policy_of(), policy_of({"AWS": ACCOUNT})
    epochs = [await _epoch(database)]
    for text in (first, second):
        assert await policies.set(REGISTRY, NAME, text) == text
        assert await policies.get(REGISTRY, NAME) == text
        epochs.append(await _epoch(database))
    assert await policies.delete(REGISTRY, NAME) == second
    epochs.append(await _epoch(database))
    assert epochs == sorted(set(epochs)), "each change voids what workers remember"
    for call in (policies.get, policies.delete):
        with pytest.raises(RepositoryPolicyNotFound):
            await call(REGISTRY, NAME)
    assert await _epoch(database) == epochs[-1]


async def test_no_repository(policies: RepositoryPolicyService) -> None:
    with pytest.raises(RepositoryNotFound):
        await policies.set(REGISTRY, NONE, "not even JSON")
    for call in (policies.get, policies.delete):
        with pytest.raises(RepositoryNotFound):
            await call(REGISTRY, NONE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1 column 1: Syntax errors in policy."),
        ("{}", "Statement: Syntax errors in policy."),
        (text_of({"Effect": "Allow"}), "Statement[0]: Policy statement must contain actions."),
        (
            text_of({"Effect": "Allow", "Action": "ecr:ListImages"}),
            "Statement[0]: Missing required field Principal",
        ),
        (
            policy_of(Action="ecr:GetAuthorizationToken"),
            "Statement[0].Action[0]: The action is none of those that the policy decides",
        ),
        (
            policy_of({"AWS": "arn:aws:iam::1:user/ana"}),
            'Statement[0].Principal.AWS: Invalid principal in policy: "AWS":"arn:aws:iam::1:user/ana"',
        ),
    ],
)
async def test_what_is_no_policy_changes_nothing_and_is_explained(
    policies: RepositoryPolicyService, text: str, reason: str
) -> None:
    before = await policies.set(REGISTRY, NAME, policy_of())
    with pytest.raises(PolicyTextInvalid) as caught:
        await policies.set(REGISTRY, NAME, text)
    assert (caught.value.kind, caught.value.reason) == ("repository", reason)
    assert await policies.get(REGISTRY, NAME) == before


async def test_people_must_exist_and_their_ids_show_when_they_are_gone(
    policies: RepositoryPolicyService, database: Database
) -> None:
    text = policy_of({"AWS": [_ANA, ACCOUNT]})
    with pytest.raises(PolicyPrincipalNotFound) as caught:
        await policies.set(REGISTRY, NAME, text)
    assert caught.value.principal == _ANA

    ana = await database.write(lambda connection: put_entity(connection, EntityKind.USER, "ana"))
    assert await policies.set(REGISTRY, NAME, text) == text

    await database.write(lambda connection: delete_entity(connection, ana.id))
    shown = [await policies.get(REGISTRY, NAME), await policies.delete(REGISTRY, NAME)]
    assert [json.loads(one)["Statement"][0]["Principal"]["AWS"] for one in shown] == [[ana.id, ACCOUNT]] * 2


async def test_who_could_not_set_another_one_must_force_it(policies: RepositoryPolicyService) -> None:
    before = await policies.set(REGISTRY, NAME, policy_of())
    asked: list[PolicySet] = []

    async def refuse(policy: PolicySet) -> bool:
        asked.append(policy)
        return False

    async def agree(_: PolicySet) -> bool:
        return True

    text = policy_of(Effect="Deny", Action="ecr:SetRepositoryPolicy")
    with pytest.raises(PolicyLocksOut):
        await policies.set(REGISTRY, NAME, text, refuse)
    assert [entry.statement.is_allow for policy in asked for entry in policy.entries] == [False]
    assert await policies.get(REGISTRY, NAME) == before
    assert await policies.set(REGISTRY, NAME, text, agree) == text
    assert await policies.set(REGISTRY, NAME, before) == before


async def test_a_policy_goes_with_its_repository(
    policies: RepositoryPolicyService, repository_service: RepositoryService
) -> None:
    await policies.set(REGISTRY, NAME, policy_of())
    await repository_service.delete(REGISTRY, NAME, force=False)
    await repository_service.create(REGISTRY, NAME, RepositorySettings(), {})
    with pytest.raises(RepositoryPolicyNotFound):
        await policies.get(REGISTRY, NAME)
