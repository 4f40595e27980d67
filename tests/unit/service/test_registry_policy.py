"""Registry policies and account settings: kept for each region of an account, on both engines."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.domain.account_setting import AWS_DEFAULTS, Setting
from entrepot.domain.error import InvalidParameter
from entrepot.domain.policy_error import PolicyPrincipalNotFound, PolicyTextInvalid, RegistryPolicyNotFound
from entrepot.domain.registry import Registry
from entrepot.service.account_setting import AccountSettingService
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.registry_policy import RegistryPolicyService
from entrepot.store.metadata.access import find_epoch
from entrepot.store.metadata.base import Database
from tests.support.policy import text_of
from tests.support.service import ACCOUNT, REGISTRY

ELSEWHERE = Registry(ACCOUNT, "eu-west-1")
NOBODYS = Registry("999999999999", "us-east-1")
SCOPE, MOUNTING = Setting.REGISTRY_POLICY_SCOPE, Setting.BLOB_MOUNTING


def policy_of(action: str | list[str] = "ecr:CreateRepository", resource: str | None = "*") -> str:
    """A policy for another account."""
    statement = {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": action, "Resource": resource}
    return text_of({name: value for name, value in statement.items() if value is not None})


@pytest.fixture
def settings(database: Database, context: Context, identity_service: IdentityService) -> AccountSettingService:
    """Settings of an account that exists."""
    del identity_service
    return AccountSettingService(database, context)


@pytest.fixture
def policies(database: Database, context: Context, settings: AccountSettingService) -> RegistryPolicyService:
    return RegistryPolicyService(database, context, settings)


async def _epoch(database: Database) -> int | None:
    return await database.lookup(lambda connection: find_epoch(connection, ACCOUNT))


async def test_a_policy_belongs_to_one_region_and_each_change_is_known_at_once(
    policies: RegistryPolicyService, database: Database
) -> None:
    epochs = [await _epoch(database)]
    for text in (policy_of(), policy_of("ecr:*")):
        assert await policies.put(REGISTRY, text) == text
        assert await policies.get(REGISTRY) == text
        epochs.append(await _epoch(database))
    for call in (policies.get, policies.delete):
        with pytest.raises(RegistryPolicyNotFound):
            await call(ELSEWHERE)
    assert await policies.delete(REGISTRY) == policy_of("ecr:*")
    epochs.append(await _epoch(database))
    assert len(set(epochs)) == 4
    for call in (policies.get, policies.delete):
        with pytest.raises(RegistryPolicyNotFound):
            await call(REGISTRY)


async def test_one_of_many_removals_at_once_is_told_the_text(policies: RegistryPolicyService) -> None:
    text = await policies.put(REGISTRY, policy_of())
    answers = await asyncio.gather(*(policies.delete(REGISTRY) for _ in range(5)), return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, RegistryPolicyNotFound)] == [text]


async def test_the_scope_decides_which_actions_it_can_speak_of(
    policies: RegistryPolicyService, settings: AccountSettingService
) -> None:
    wide = await policies.put(REGISTRY, policy_of(["ecr:ReplicateImage", "ecr:DescribeRepositories"]))
    await settings.put(REGISTRY, SCOPE, "V1")
    assert await policies.get(REGISTRY) == wide
    with pytest.raises(PolicyTextInvalid) as caught:
        await policies.put(REGISTRY, wide)
    assert caught.value.kind == "registry"
    assert "Statement[0].Action[1]" in caught.value.reason
    await policies.put(REGISTRY, policy_of(["ecr:ReplicateImage", "ecr:CreateRepository"]))
    await policies.put(ELSEWHERE, wide)


@pytest.mark.parametrize(
    "text", ["", "[]", policy_of("s3:GetObject"), policy_of(resource=None), policy_of(resource="")]
)
async def test_what_is_no_policy(policies: RegistryPolicyService, text: str) -> None:
    with pytest.raises(PolicyTextInvalid):
        await policies.put(REGISTRY, text)
    with pytest.raises(RegistryPolicyNotFound):
        await policies.get(REGISTRY)


async def test_people_must_exist(policies: RegistryPolicyService) -> None:
    with pytest.raises(PolicyPrincipalNotFound):
        await policies.put(REGISTRY, policy_of().replace("111111111111", f"arn:aws:iam::{ACCOUNT}:role/none"))


async def test_an_account_that_does_not_exist(policies: RegistryPolicyService, settings: AccountSettingService) -> None:
    with pytest.raises(InvalidParameter):
        await policies.put(NOBODYS, policy_of())
    with pytest.raises(InvalidParameter):
        await settings.put(NOBODYS, MOUNTING, "DISABLED")


async def test_settings_hold_until_they_are_set_again(settings: AccountSettingService) -> None:
    assert await settings.get(REGISTRY, MOUNTING) == "ENABLED"
    await settings.put(REGISTRY, MOUNTING, "DISABLED")
    await settings.put(REGISTRY, SCOPE, "V1")
    assert [await settings.get(REGISTRY, setting) for setting in (MOUNTING, SCOPE)] == ["DISABLED", "V1"]
    assert [await settings.get(ELSEWHERE, setting) for setting in (MOUNTING, SCOPE)] == ["ENABLED", "V2"]


async def test_what_was_set_wins_over_either_default(
    database: Database, context: Context, settings: AccountSettingService
) -> None:
    as_aws = AccountSettingService(database, context, AWS_DEFAULTS)
    assert await as_aws.get(REGISTRY, MOUNTING) == "DISABLED"
    await settings.put(REGISTRY, MOUNTING, "ENABLED")
    assert await as_aws.get(REGISTRY, MOUNTING) == "ENABLED"


async def test_only_the_scope_has_to_do_with_access(settings: AccountSettingService, database: Database) -> None:
    before = await _epoch(database)
    await settings.put(REGISTRY, MOUNTING, "DISABLED")
    assert await _epoch(database) == before
    await settings.put(REGISTRY, SCOPE, "V1")
    assert await _epoch(database) != before


async def test_settings_of_many_at_once_are_all_kept(
    settings: AccountSettingService, second_database: Database, context: Context
) -> None:
    other = AccountSettingService(second_database, context)
    await asyncio.gather(settings.put(REGISTRY, MOUNTING, "DISABLED"), other.put(REGISTRY, SCOPE, "V1"))
    assert [await settings.get(REGISTRY, setting) for setting in (MOUNTING, SCOPE)] == ["DISABLED", "V1"]
