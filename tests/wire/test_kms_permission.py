"""Who may do what to a key: its policy first, identity policies where that delegates, and AWS's condition keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import document
from tests.support.kms import described, error_of, new_key
from tests.support.person import Person, make_session, make_user
from tests.support.registry import HOME, OTHER_ACCOUNT

ROOT = f"arn:aws:iam::{HOME.account_id}:root"
LOCKED_OUT = (
    400,
    "MalformedPolicyDocumentException",
    "The new key policy will not allow you to update the key policy in the future.",
)


def statement(principal: Any, action: Any = "kms:*", effect: str = "Allow", **members: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **members}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


DELEGATES = statement({"AWS": ROOT})


def arn_of(person: Person) -> str:
    return person.entity.arn


def is_denied(reply: Reply) -> bool:
    return reply.code == "AccessDeniedException"


async def put(aws: AwsWorld, key_id: str, *statements: dict[str, Any]) -> Reply:
    return await aws.client.kms("PutKeyPolicy", KeyId=key_id, Policy=policy(*statements))


async def test_the_policy_is_shown_as_it_was_put(aws: AwsWorld) -> None:
    made = await new_key(aws.client)
    shown = await aws.client.kms("GetKeyPolicy", KeyId=made["KeyId"], PolicyName="default")
    assert shown["PolicyName"] == "default"
    assert json.loads(shown["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [statement({"AWS": ROOT}) | {"Sid": "Enable IAM User Permissions"}],
    }
    ana = await make_user(aws, "ana")
    text = policy(DELEGATES, statement({"AWS": arn_of(ana)}, "kms:DescribeKey"))
    assert (await aws.client.kms("PutKeyPolicy", KeyId=made["Arn"], PolicyName="default", Policy=text)).status == 200
    assert (await aws.client.kms("GetKeyPolicy", KeyId=made["Arn"]))["Policy"] == text
    listed = await aws.client.kms("ListKeyPolicies", KeyId=made["KeyId"])
    assert (listed["PolicyNames"], listed["Truncated"]) == (["default"], False)
    named = await aws.client.kms("GetKeyPolicy", KeyId=made["KeyId"], PolicyName="other")
    assert error_of(named) == (400, "NotFoundException", "No such policy exists")
    of_ram = await aws.client.kms("PutKeyPolicy", KeyId=made["KeyId"], PolicyName="AWS_RAM", Policy=text)
    managed = "The AWS_RAM policy can only be managed by the RAM service"
    assert error_of(of_ram) == (400, "ValidationException", managed)


async def test_without_delegation_identity_policies_count_for_nothing(aws: AwsWorld) -> None:
    ana, ben = await make_user(aws, "ana"), await make_user(aws, "ben")
    key_id = (await new_key(aws.client))["KeyId"]
    await ana.allow("kms:*")

    assert (await ana.aws.kms("DescribeKey", KeyId=key_id)).status == 200
    denied = await ben.aws.kms("DescribeKey", KeyId=key_id)
    assert is_denied(denied)
    assert denied.message.endswith("because no identity-based policy allows the kms:DescribeKey action")

    await aws.client.kms(
        "PutKeyPolicy",
        KeyId=key_id,
        Policy=policy(statement({"AWS": arn_of(ben)}, "kms:DescribeKey")),
        BypassPolicyLockoutSafetyCheck=True,
    )
    assert (await ben.aws.kms("DescribeKey", KeyId=key_id)).status == 200, "the key's policy is enough"
    for client in (ana.aws, aws.client):
        denied = await client.kms("DescribeKey", KeyId=key_id)
        assert is_denied(denied), "root has no more of a key than its policy says"


async def test_a_deny_of_either_side_decides(sqlite_aws: AwsWorld) -> None:
    ana = await make_user(sqlite_aws, "ana")
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    await ana.have(document("kms:*"), document("kms:DisableKey", "Deny"))
    assert is_denied(await ana.aws.kms("DisableKey", KeyId=key_id))
    assert (await ana.aws.kms("EnableKey", KeyId=key_id)).status == 200
    await put(sqlite_aws, key_id, DELEGATES, statement("*", "kms:EnableKey", "Deny"))
    assert is_denied(await ana.aws.kms("EnableKey", KeyId=key_id))
    assert is_denied(await sqlite_aws.client.kms("EnableKey", KeyId=key_id))


async def test_a_change_holds_from_the_next_request_on(aws: AwsWorld) -> None:
    ana = await make_user(aws, "ana")
    key_id = (await new_key(aws.client))["KeyId"]
    await ana.allow("kms:*")
    for _ in range(3):
        assert (await ana.aws.kms("DescribeKey", KeyId=key_id)).status == 200
        await put(aws, key_id, DELEGATES, statement({"AWS": arn_of(ana)}, "kms:DescribeKey", "Deny"))
        assert is_denied(await ana.aws.kms("DescribeKey", KeyId=key_id))
        await put(aws, key_id, DELEGATES)


async def test_other_accounts_need_both_sides(aws: AwsWorld) -> None:
    made = await new_key(aws.client)
    zoe = await make_user(aws, "zoe", OTHER_ACCOUNT)
    await zoe.allow("kms:*")
    refused = await zoe.aws.kms("DescribeKey", KeyId=made["Arn"])
    nowhere = await zoe.aws.kms(
        "DescribeKey", KeyId=made["Arn"].rpartition("/")[0] + "/12366f9b-1230-123d-123e-123e6ae60c02"
    )
    assert is_denied(refused)
    assert is_denied(nowhere)
    assert refused.message.partition("resource:")[0] == nowhere.message.partition("resource:")[0]

    await put(aws, made["KeyId"], DELEGATES, statement({"AWS": OTHER_ACCOUNT}))
    assert (await zoe.aws.kms("DescribeKey", KeyId=made["Arn"])).status == 200
    assert (await zoe.aws.kms("DescribeKey", KeyId=made["KeyId"])).code == "NotFoundException", "by ARN only"
    for operation in ("DisableKey", "GetKeyPolicy", "ScheduleKeyDeletion", "RotateKeyOnDemand"):
        assert is_denied(await zoe.aws.kms(operation, KeyId=made["Arn"])), operation
    alias = await zoe.aws.kms("CreateAlias", AliasName="alias/theirs", TargetKeyId=made["Arn"])
    assert is_denied(alias)
    await zoe.have()
    assert is_denied(await zoe.aws.kms("DescribeKey", KeyId=made["Arn"]))


async def test_who_is_made_anew_under_an_old_name_gains_nothing(sqlite_aws: AwsWorld) -> None:
    await sqlite_aws.client.iam("CreateUser", UserName="eve")
    made = await sqlite_aws.client.iam("GetUser", UserName="eve")
    arn, unique_id = made["User"]["Arn"], made["User"]["UserId"]
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    await put(sqlite_aws, key_id, DELEGATES, statement({"AWS": arn}, "kms:DescribeKey"))
    await sqlite_aws.client.iam("DeleteUser", UserName="eve")
    eve = await make_user(sqlite_aws, "eve")

    assert is_denied(await eve.aws.kms("DescribeKey", KeyId=key_id))
    shown = await sqlite_aws.client.kms("GetKeyPolicy", KeyId=key_id)
    assert unique_id in shown["Policy"]


# ── what may be put ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("{}", "MalformedPolicyDocumentException", None),
        ("my policy", "MalformedPolicyDocumentException", None),
        (policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}), "MalformedPolicyDocumentException", None),
        (policy(statement({"AWS": ROOT}, "nonsense")), "MalformedPolicyDocumentException", None),
        (
            policy(DELEGATES, statement({"AWS": f"arn:aws:iam::{HOME.account_id}:user/nobody"})),
            "MalformedPolicyDocumentException",
            "Policy contains a statement with one or more invalid principals.",
        ),
        (policy(DELEGATES, statement({"AWS": ROOT}, Sid="a" * 32_768)), "LimitExceededException", None),
        (policy(statement({"AWS": ROOT}, "kms:Describe*")), *LOCKED_OUT[1:]),
        (policy(DELEGATES, statement("*", "kms:PutKeyPolicy", "Deny")), *LOCKED_OUT[1:]),
    ],
)
async def test_policies_that_no_key_can_have(sqlite_aws: AwsWorld, text: str, code: str, message: str | None) -> None:
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    for reply in (
        await sqlite_aws.client.kms("PutKeyPolicy", KeyId=key_id, Policy=text),
        await sqlite_aws.client.kms("CreateKey", Policy=text),
    ):
        assert (reply.status, reply.code) == (400, code)
        assert message in (None, reply.message)
    assert len((await sqlite_aws.client.kms("ListKeys"))["Keys"]) == 1
    assert "key-default-1" in (await sqlite_aws.client.kms("GetKeyPolicy", KeyId=key_id))["Policy"]


async def test_who_makes_a_key_can_lock_himself_out_if_he_insists(sqlite_aws: AwsWorld) -> None:
    text = policy(statement({"AWS": ROOT}, "kms:Describe*"))
    made = await new_key(sqlite_aws.client, Policy=text, BypassPolicyLockoutSafetyCheck=True)
    assert is_denied(await put(sqlite_aws, made["KeyId"], DELEGATES))
    assert (await described(sqlite_aws.client, made["KeyId"]))["Enabled"]


async def test_the_check_of_a_lock_out_asks_for_who_puts_the_policy(sqlite_aws: AwsWorld) -> None:
    ana = await make_user(sqlite_aws, "ana")
    await ana.allow("kms:CreateKey")
    assert error_of(await ana.aws.kms("CreateKey")) == LOCKED_OUT
    of_her_own = policy(DELEGATES, statement({"AWS": arn_of(ana)}))
    assert (await ana.aws.kms("CreateKey", Policy=of_her_own)).status == 200
    await ana.allow("kms:CreateKey", "kms:PutKeyPolicy")
    assert (await ana.aws.kms("CreateKey")).status == 200


# ── condition keys ───────────────────────────────────────────────────────────────────────────


async def decide(aws: AwsWorld, person: Person, condition: dict[str, Any], operation: str, **given: Any) -> bool:
    """Whether an identity policy with this condition lets somebody do it."""
    await person.have(document("kms:*", Condition=condition))
    return not is_denied(await person.aws.kms(operation, **given))


async def test_conditions_of_keys(aws: AwsWorld) -> None:
    ana = await make_user(aws, "ana")
    tagged = (await new_key(aws.client, Tags=[{"TagKey": "Team", "TagValue": "web"}]))["KeyId"]
    await aws.client.kms("CreateAlias", AliasName="alias/web/key", TargetKeyId=tagged)
    plain = (await new_key(aws.client))["KeyId"]

    for condition, is_of_tagged, is_of_plain in (
        ({"StringEquals": {"kms:CallerAccount": HOME.account_id}}, True, True),
        ({"StringEquals": {"kms:CallerAccount": OTHER_ACCOUNT}}, False, False),
        ({"StringEquals": {"kms:ViaService": "ecr.us-east-1.amazonaws.com"}}, False, False),
        ({"Null": {"kms:ViaService": "true"}}, True, True),
        ({"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}}, True, True),
        ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT"}}, True, True),
        ({"StringEquals": {"aws:ResourceTag/team": "web"}}, True, False),
        ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/web/*"}}, True, False),
        ({"StringEquals": {"kms:RequestAlias": "alias/web/key"}}, False, False),
    ):
        assert await decide(aws, ana, condition, "DescribeKey", KeyId=tagged) == is_of_tagged, condition
        assert await decide(aws, ana, condition, "DescribeKey", KeyId=plain) == is_of_plain, condition


async def test_conditions_of_requests(sqlite_aws: AwsWorld) -> None:
    aws, ana = sqlite_aws, await make_user(sqlite_aws, "ana")
    key_id = (await new_key(aws.client))["KeyId"]
    await aws.client.kms("CreateAlias", AliasName="alias/a", TargetKeyId=key_id)
    by_alias = {"StringEquals": {"kms:RequestAlias": "alias/a"}}
    for name in ("alias/a", f"arn:aws:kms:us-east-1:{HOME.account_id}:alias/a"):
        assert await decide(aws, ana, by_alias, "DescribeKey", KeyId=name)

    tag = {"StringEquals": {"aws:RequestTag/a": "b"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}
    for given, is_fine in (
        ([{"TagKey": "a", "TagValue": "b"}], True),
        ([{"TagKey": "a", "TagValue": "c"}], False),
        ([{"TagKey": "a", "TagValue": "b"}, {"TagKey": "c", "TagValue": ""}], False),
    ):
        assert await decide(aws, ana, tag, "TagResource", KeyId=key_id, Tags=given) == is_fine

    soon = {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "20"}}
    assert not await decide(aws, ana, soon, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=30)
    safe = {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}
    assert not await decide(aws, ana, safe, "CreateKey", BypassPolicyLockoutSafetyCheck=True)
    assert await decide(aws, ana, safe, "CreateKey")
    named = {"StringEquals": {"kms:PolicyName": "default"}}
    assert await decide(aws, ana, named, "GetKeyPolicy", KeyId=key_id)
    assert not await decide(aws, ana, named, "GetKeyPolicy", KeyId=key_id, PolicyName="AWS_RAM")
    spec = {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}
    assert await decide(aws, ana, spec, "CreateKey")
    assert not await decide(aws, ana, spec, "CreateKey", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")


# ── aliases ──────────────────────────────────────────────────────────────────────────────────


async def test_aliases_need_permission_on_themselves_and_on_their_keys(sqlite_aws: AwsWorld) -> None:
    aws, ana = sqlite_aws, await make_user(sqlite_aws, "ana")
    mine, other = [await new_key(aws.client) for _ in range(2)]
    alias_arn = f"arn:aws:kms:us-east-1:{HOME.account_id}:alias/a"

    async def may(*arns: str) -> None:
        await ana.have(document("kms:*", Resource=list(arns)))

    create = {"AliasName": "alias/a", "TargetKeyId": mine["KeyId"]}
    for arns in ([alias_arn], [mine["Arn"]]):
        await may(*arns)
        assert is_denied(await ana.aws.kms("CreateAlias", **create))
    await may(alias_arn, mine["Arn"])
    assert (await ana.aws.kms("CreateAlias", **create)).status == 200

    move = {"AliasName": "alias/a", "TargetKeyId": other["KeyId"]}
    for arns in ([alias_arn, mine["Arn"]], [alias_arn, other["Arn"]], [mine["Arn"], other["Arn"]]):
        await may(*arns)
        assert is_denied(await ana.aws.kms("UpdateAlias", **move)), arns
    await may(alias_arn, mine["Arn"], other["Arn"])
    assert (await ana.aws.kms("UpdateAlias", **move)).status == 200

    for arns in ([alias_arn], [other["Arn"]], [alias_arn, mine["Arn"]]):
        await may(*arns)
        assert is_denied(await ana.aws.kms("DeleteAlias", AliasName="alias/a")), arns
    await may(alias_arn, other["Arn"])
    assert (await ana.aws.kms("DeleteAlias", AliasName="alias/a")).status == 200


async def test_an_alias_opens_no_more_than_its_key(sqlite_aws: AwsWorld) -> None:
    aws, ana = sqlite_aws, await make_user(sqlite_aws, "ana")
    made = await new_key(aws.client)
    await aws.client.kms("CreateAlias", AliasName="alias/a", TargetKeyId=made["KeyId"])
    await ana.have(document("kms:*", Resource=f"arn:aws:kms:us-east-1:{HOME.account_id}:alias/a"))
    assert is_denied(await ana.aws.kms("DescribeKey", KeyId="alias/a"))
    await ana.have(document("kms:*", Resource=made["Arn"]))
    assert (await ana.aws.kms("DescribeKey", KeyId="alias/a")).status == 200
    assert is_denied(await ana.aws.kms("DescribeKey", KeyId="alias/nothing"))


async def test_sessions_stay_within_their_limits(sqlite_aws: AwsWorld) -> None:
    limits = document(["ecr:GetAuthorizationToken", "kms:DescribeKey"])
    builder = await make_session(sqlite_aws, "builder", policy=limits)
    await builder.allow("kms:*")
    key_id = (await new_key(sqlite_aws.client))["KeyId"]
    assert (await builder.aws.kms("DescribeKey", KeyId=key_id)).status == 200
    assert is_denied(await builder.aws.kms("DisableKey", KeyId=key_id))
    await put(sqlite_aws, key_id, DELEGATES, statement({"AWS": arn_of(builder)}, "kms:DisableKey"))
    assert is_denied(await builder.aws.kms("DisableKey", KeyId=key_id)), "what is said to a role is limited too"
