"""Accounts through the IAM API: the summary, aliases, and what no user has."""

from __future__ import annotations

from typing import Any

import pytest

from entrepot.domain import iam_limit
from entrepot.domain.iam import EntityKind
from tests.support.aws import AwsWorld, Reply
from tests.wire.test_iam_user import not_found, refusal

SUMMARY = {
    "AccessKeysPerUserQuota": 2,
    "AccountAccessKeysPresent": 1,
    "AccountMFAEnabled": 0,
    "AccountPasswordPresent": 0,
    "AccountSigningCertificatesPresent": 0,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GlobalEndpointTokenVersion": 1,
    "GroupPolicySizeQuota": 5120,
    "Groups": 0,
    "GroupsPerUserQuota": 10,
    "GroupsQuota": 300,
    "InstanceProfiles": 0,
    "InstanceProfilesQuota": 1000,
    "MFADevices": 0,
    "MFADevicesInUse": 0,
    "Policies": 0,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "PolicyVersionsInUse": 0,
    "PolicyVersionsInUseQuota": 10000,
    "Providers": 0,
    "RolePolicySizeQuota": 10240,
    "Roles": 0,
    "RolesQuota": 1000,
    "ServerCertificates": 0,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "Users": 0,
    "UsersQuota": 5000,
    "VersionsPerPolicyQuota": 5,
}
"""Of an account that has nothing but its root key, as AWS answers."""


async def test_a_summary_counts(aws: AwsWorld) -> None:
    assert (await aws.client.iam("GetAccountSummary"))["SummaryMap"] == SUMMARY

    for name in ("one", "two"):
        await aws.client.iam("CreateUser", UserName=name)
    await aws.client.iam("CreateGroup", GroupName="one")
    await aws.stranger.iam("CreateUser", UserName="theirs")

    assert (await aws.client.iam("GetAccountSummary"))["SummaryMap"] == SUMMARY | {"Users": 2, "Groups": 1}


# ── aliases ──────────────────────────────────────────────────────────────────────────────────


async def aliases(aws: AwsWorld) -> list[str]:
    listed = await aws.client.iam("ListAccountAliases")
    assert listed["IsTruncated"] is False
    found: list[str] = listed["AccountAliases"]
    return found


async def test_an_account_has_one_alias(aws: AwsWorld) -> None:
    assert await aliases(aws) == []
    assert (await aws.client.iam("CreateAccountAlias", AccountAlias="acme")).status == 200
    assert await aliases(aws) == ["acme"]
    assert (await aws.client.iam_form("GetUser"))["User"]["UserName"] == "acme"
    assert (await aws.client.iam("CreateAccountAlias", AccountAlias="acme-web")).status == 200
    assert await aliases(aws) == ["acme-web"]
    assert (await aws.client.iam("DeleteAccountAlias", AccountAlias="acme-web")).status == 200
    assert await aliases(aws) == []


async def test_an_alias_is_one_accounts(aws: AwsWorld) -> None:
    await aws.client.iam("CreateAccountAlias", AccountAlias="mine")
    await aws.stranger.iam("CreateAccountAlias", AccountAlias="theirs")
    taken = (409, "EntityAlreadyExists", "The account alias theirs already exists.")

    assert refusal(await aws.client.iam("CreateAccountAlias", AccountAlias="theirs")) == taken
    assert refusal(await aws.stranger.iam("CreateAccountAlias", AccountAlias="theirs")) == taken
    for name in ("theirs", "nobodys"):
        reply = await aws.client.iam("DeleteAccountAlias", AccountAlias=name)
        assert refusal(reply) == (404, "NoSuchEntity", f"The account alias {name} cannot be found.")
    assert await aliases(aws) == ["mine"]


@pytest.mark.parametrize("alias", ["ab", "a" * 64, "-abc", "abc-", "a--b", "Abc", "a_b"])
async def test_aliases_that_are_none(sqlite_aws: AwsWorld, alias: str) -> None:
    reply = await sqlite_aws.client.iam("CreateAccountAlias", AccountAlias=alias)

    assert (reply.status, reply.code) == (400, "ValidationError")
    assert "at 'accountAlias' failed to satisfy constraint: Member must" in reply.message


# ── what users cannot have ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("ListMFADevices", "MFADevices"),
        ("ListSSHPublicKeys", "SSHPublicKeys"),
        ("ListServiceSpecificCredentials", "ServiceSpecificCredentials"),
        ("ListSigningCertificates", "Certificates"),
    ],
)
async def test_there_is_none_of_it(sqlite_aws: AwsWorld, operation: str, member: str) -> None:
    await sqlite_aws.client.iam("CreateUser", UserName="mia")
    given: list[dict[str, Any]] = [{"UserName": "mia"}, {}]
    for parameters in given:
        listed = await sqlite_aws.client.iam(operation, **parameters)
        assert (listed[member], listed["IsTruncated"]) == ([], False)

    assert refusal(await sqlite_aws.client.iam(operation, UserName="none")) == not_found("none")


async def test_nobody_has_a_password_or_a_virtual_device(sqlite_aws: AwsWorld) -> None:
    await sqlite_aws.client.iam("CreateUser", UserName="mia")
    for operation in ("GetLoginProfile", "DeleteLoginProfile"):
        reply = await sqlite_aws.client.iam(operation, UserName="Mia")
        assert refusal(reply) == (404, "NoSuchEntity", "Login Profile for User mia cannot be found.")
        assert refusal(await sqlite_aws.client.iam(operation, UserName="none")) == not_found("none")
    assert (await sqlite_aws.client.iam("ListVirtualMFADevices"))["VirtualMFADevices"] == []


# ── quotas ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "quota"), [(EntityKind.USER, "UsersPerAccount"), (EntityKind.GROUP, "GroupsPerAccount")]
)
async def test_an_account_has_so_many_of_a_kind(
    aws: AwsWorld, monkeypatch: pytest.MonkeyPatch, kind: EntityKind, quota: str
) -> None:
    assert iam_limit.ENTITIES[kind].name == quota
    monkeypatch.setitem(iam_limit.ENTITIES, kind, iam_limit.Quota(quota, 2))
    noun = kind.value.capitalize()

    async def make(name: str) -> Reply:
        return await aws.client.iam(f"Create{noun}", **{f"{noun}Name": name})

    assert [(await make(name)).status for name in ("one", "two")] == [200, 200]
    assert refusal(await make("three")) == (409, "LimitExceeded", f"Cannot exceed quota for {quota}: 2")
    assert refusal(await make("ONE"))[1] == "EntityAlreadyExists"
    await aws.client.iam(f"Delete{noun}", **{f"{noun}Name": "one"})
    assert (await make("three")).status == 200
