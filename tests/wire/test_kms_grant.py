"""Grants through the KMS API: what they open at once, what they never open, and how they end."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from entrepot.domain import kms_limit
from entrepot.service.kms import grant as service
from tests.support.aws import AwsClient, AwsWorld, Reply
from tests.support.iam_rows import document
from tests.support.kms import error_of, new_key
from tests.support.person import Person, make_session, make_user
from tests.support.registry import HOME, OTHER_ACCOUNT

ROOT = f"arn:aws:iam::{HOME.account_id}:root"
SECRET = base64.b64encode(b"secret").decode()
CONTEXT = {"app": "shop"}


async def grant(aws: AwsWorld, key_id: str, grantee: str, *operations: str, **more: Any) -> Reply:
    return await aws.client.kms(
        "CreateGrant", KeyId=key_id, GranteePrincipal=grantee, Operations=list(operations), **more
    )


async def encrypt(person: Person, key: dict[str, Any], **context: str) -> Reply:
    given = {"EncryptionContext": context} if context else {}
    return await person.aws.kms("Encrypt", KeyId=key["Arn"], Plaintext=SECRET, **given)


async def listed(aws: AwsWorld, key_id: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await aws.client.kms("ListGrants", KeyId=key_id, **more))["Grants"]
    return found


async def test_it_opens_what_it_says_at_once_and_no_more(aws: AwsWorld) -> None:
    key, ana, ben = await new_key(aws.client), await make_user(aws, "ana"), await make_user(aws, "ben")
    assert (await encrypt(ana, key)).code == "AccessDeniedException"
    made = await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt")
    assert len(made["GrantId"]) == 64

    assert (await encrypt(ana, key)).status == 200
    assert (await encrypt(ben, key)).code == "AccessDeniedException"
    denied = await ana.aws.kms("GenerateDataKey", KeyId=key["Arn"], KeySpec="AES_256")
    assert denied.code == "AccessDeniedException"
    (shown,) = await listed(aws, key["KeyId"])
    assert shown.pop("CreationDate") is not None
    assert shown == {
        "KeyId": key["Arn"],
        "GrantId": made["GrantId"],
        "GranteePrincipal": ana.entity.arn,
        "IssuingAccount": ROOT,
        "Operations": ["Encrypt"],
    }

    assert (await aws.client.kms("RevokeGrant", KeyId=key["KeyId"], GrantId=made["GrantId"])).status == 200
    assert (await encrypt(ana, key)).code == "AccessDeniedException"
    assert await listed(aws, key["KeyId"]) == []


@pytest.mark.parametrize("constraint", ["EncryptionContextEquals", "EncryptionContextSubset"])
async def test_the_context_must_be_as_it_says(aws: AwsWorld, constraint: str) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt", "DescribeKey", Constraints={constraint: CONTEXT})

    assert (await encrypt(ana, key, app="shop")).status == 200
    assert (await encrypt(ana, key)).code == "AccessDeniedException"
    assert (await encrypt(ana, key, app="bank")).code == "AccessDeniedException"
    assert (await encrypt(ana, key, App="shop")).code == "AccessDeniedException"
    more = await encrypt(ana, key, app="shop", stage="prod")
    assert (more.status == 200) == (constraint == "EncryptionContextSubset")
    assert (await ana.aws.kms("DescribeKey", KeyId=key["Arn"])).status == 200
    (shown,) = await listed(aws, key["KeyId"])
    assert shown["Constraints"] == {constraint: CONTEXT}


async def test_a_deny_still_counts(aws: AwsWorld) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt")
    await ana.have(document("kms:Encrypt", "Deny"))
    assert (await encrypt(ana, key)).code == "AccessDeniedException"


async def test_to_a_role_it_is_for_all_of_its_sessions(aws: AwsWorld) -> None:
    key, build = await new_key(aws.client), await make_session(aws, "build")
    limited = await make_session(aws, "limited", policy=document("ecr:*"))
    for person in (build, limited):
        await grant(aws, key["KeyId"], person.entity.arn, "Encrypt")
    assert (await encrypt(build, key)).status == 200
    assert (await encrypt(limited, key)).code == "AccessDeniedException", "its session policy does not allow"


async def test_it_is_for_who_had_the_name_then(aws: AwsWorld) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt")
    await aws.client.iam("DeleteAccessKey", UserName="ana", AccessKeyId=ana.aws.key[0])
    assert (await aws.client.iam("DeleteUser", UserName="ana")).status == 200
    assert (await aws.client.iam("CreateUser", UserName="ana"))["User"]["Arn"] == ana.entity.arn
    made = (await aws.client.iam("CreateAccessKey", UserName="ana"))["AccessKey"]
    other = replace(aws.client, key=(made["AccessKeyId"], made["SecretAccessKey"]))
    denied = await other.kms("Encrypt", KeyId=key["Arn"], Plaintext=SECRET)
    assert denied.code == "AccessDeniedException"


async def test_the_other_account_needs_both_sides(aws: AwsWorld) -> None:
    key, eve = await new_key(aws.client), await make_user(aws, "eve", OTHER_ACCOUNT)
    await grant(aws, key["KeyId"], eve.entity.arn, "Encrypt")
    assert (await encrypt(eve, key)).code == "AccessDeniedException"
    await eve.allow("kms:Encrypt")
    assert (await encrypt(eve, key)).status == 200


async def test_who_is_granted_hands_on_no_more_than_he_has(aws: AwsWorld) -> None:
    key, ana, ben = await new_key(aws.client), await make_user(aws, "ana"), await make_user(aws, "ben")
    limits = {"Constraints": {"EncryptionContextSubset": CONTEXT}}
    await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt", "CreateGrant", **limits)
    given = {"KeyId": key["Arn"], "GranteePrincipal": ben.entity.arn}
    for wrong in (
        {"Operations": ["Decrypt"], **limits},
        {"Operations": ["Encrypt"]},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": {"app": "bank"}}},
    ):
        assert (await ana.aws.kms("CreateGrant", **given, **wrong)).code == "AccessDeniedException"
    assert (await ana.aws.kms("CreateGrant", **given, Operations=["Encrypt"], **limits)).status == 200
    assert (await encrypt(ben, key, app="shop")).status == 200
    assert (await encrypt(ben, key)).code == "AccessDeniedException"


async def test_it_is_retired_by_whom_it_names(aws: AwsWorld) -> None:
    key, ana, ben = await new_key(aws.client), await make_user(aws, "ana"), await make_user(aws, "ben")
    given = (aws, key["KeyId"], ana.entity.arn, "Encrypt")
    made = await grant(*given, RetiringPrincipal=ben.entity.arn)
    assert (await ana.aws.kms("RetireGrant", GrantToken=made["GrantToken"])).code == "AccessDeniedException"
    found = await aws.client.kms("ListRetirableGrants", RetiringPrincipal=ben.entity.arn)
    assert [one["GrantId"] for one in found["Grants"]] == [made["GrantId"]]
    assert (await ben.aws.kms("RetireGrant", GrantToken=made["GrantToken"])).status == 200
    assert await listed(aws, key["KeyId"]) == []

    made = await grant(*given, "RetireGrant")
    assert (await ana.aws.kms("RetireGrant", KeyId=key["Arn"], GrantId=made["GrantId"])).status == 200
    made = await grant(*given)
    assert (await aws.client.kms("RetireGrant", KeyId=key["Arn"], GrantId=made["GrantId"])).status == 200
    gone = await aws.client.kms("RetireGrant", GrantToken=made["GrantToken"])
    assert gone.code == "InvalidGrantTokenException"
    unknown = await ana.aws.kms("RetireGrant", KeyId=key["Arn"], GrantId=made["GrantId"])
    assert unknown.code == "AccessDeniedException"


async def test_who_may_retire_his_own_retires_no_other(aws: AwsWorld) -> None:
    key, ana, ben = await new_key(aws.client), await make_user(aws, "ana"), await make_user(aws, "ben")
    await grant(aws, key["KeyId"], ben.entity.arn, "Encrypt", "RetireGrant")
    made = await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt")
    for given in ({"GrantToken": made["GrantToken"]}, {"KeyId": key["Arn"], "GrantId": made["GrantId"]}):
        assert (await ben.aws.kms("RetireGrant", **given)).code == "AccessDeniedException"
    assert len(await listed(aws, key["KeyId"])) == 2


@pytest.mark.parametrize("role", ["RetiringPrincipal", "GranteePrincipal"])
async def test_what_an_account_may_retire_its_users_need_their_policies_for(aws: AwsWorld, role: str) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    eve = await make_user(aws, "eve", OTHER_ACCOUNT)
    for person in (ana, eve):
        root = f"arn:aws:iam::{person.entity.account_id}:root"
        given = {"GranteePrincipal": ana.entity.arn, "RetiringPrincipal": ana.entity.arn} | {role: root}
        operations = ["Encrypt", "RetireGrant"] if role == "GranteePrincipal" else ["Encrypt"]
        made = await aws.client.kms("CreateGrant", KeyId=key["KeyId"], Operations=operations, **given)
        if role == "GranteePrincipal" and person is ana:
            continue  # he is named as well
        token = {"GrantToken": made["GrantToken"]}
        assert (await person.aws.kms("RetireGrant", **token)).code == "AccessDeniedException"
        await person.allow("kms:RetireGrant")
        assert (await person.aws.kms("RetireGrant", **token)).status == 200


async def test_whom_it_names_can_be_denied_to_retire_it(aws: AwsWorld) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    limited = await make_session(aws, "limited", policy=document("ecr:*"))
    for person in (ana, limited):
        made = await grant(aws, key["KeyId"], ROOT, "Encrypt", RetiringPrincipal=person.entity.arn)
        if person is ana:
            await person.have(document("kms:RetireGrant", "Deny"))
        denied = await person.aws.kms("RetireGrant", GrantToken=made["GrantToken"])
        assert denied.code == "AccessDeniedException"
    assert len(await listed(aws, key["KeyId"])) == 2


async def test_those_who_may_retire_find_grants_on_all_accounts_keys_of_the_region(aws: AwsWorld) -> None:
    key, eve = await new_key(aws.client), await make_user(aws, "eve", OTHER_ACCOUNT)
    made = await grant(aws, key["KeyId"], ROOT, "Encrypt", RetiringPrincipal=eve.entity.arn)
    given = {"RetiringPrincipal": eve.entity.arn}

    async def found(client: AwsClient) -> list[str]:
        return [one["GrantId"] for one in (await client.kms("ListRetirableGrants", **given))["Grants"]]

    assert await found(aws.stranger) == [made["GrantId"]]
    assert await found(aws.client) == [made["GrantId"]]
    assert await found(replace(aws.client, region="eu-west-1")) == []
    assert (await eve.aws.kms("RetireGrant", GrantToken=made["GrantToken"])).status == 200
    assert await found(aws.stranger) == []


async def test_nobody_sees_grants_between_other_accounts(aws: AwsWorld) -> None:
    key, eve = await new_key(aws.client), await make_user(aws, "eve", OTHER_ACCOUNT)
    await grant(aws, key["KeyId"], eve.entity.arn, "Encrypt", RetiringPrincipal=ROOT)
    found = await aws.stranger.kms("ListRetirableGrants", RetiringPrincipal=ROOT)
    assert found["Grants"] == []


async def test_the_same_under_its_name_is_made_once(aws: AwsWorld) -> None:
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    given = (aws, key["KeyId"], ana.entity.arn)
    one = await grant(*given, "Encrypt", "Decrypt", Name="mine")
    again = await grant(*given, "Decrypt", "Encrypt", Name="mine")
    other = await grant(*given, "Encrypt", Name="mine")
    assert one["GrantId"] == again["GrantId"] != other["GrantId"]
    nameless = [(await grant(*given, "Encrypt"))["GrantId"] for _ in range(2)]
    assert len(set(nameless)) == 2


async def test_lists_in_pages(aws: AwsWorld) -> None:
    key, ana, ben = await new_key(aws.client), await make_user(aws, "ana"), await make_user(aws, "ben")
    made = [(await grant(aws, key["KeyId"], one.entity.arn, "Encrypt"))["GrantId"] for one in (ana, ana, ben)]
    found, marker = list[str](), dict[str, str]()
    while True:
        page = await aws.client.kms("ListGrants", KeyId=key["KeyId"], Limit=2, **marker)
        found += [one["GrantId"] for one in page["Grants"]]
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert found == sorted(made)
    assert len(await listed(aws, key["KeyId"], GranteePrincipal=ana.entity.arn)) == 2
    assert [one["GrantId"] for one in await listed(aws, key["KeyId"], GrantId=made[2])] == [made[2]]


async def test_a_key_has_only_so_many(aws: AwsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "GRANTS_MAX", 2)
    assert kms_limit.GRANTS_MAX == 50_000
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    replies = [await grant(aws, key["KeyId"], ana.entity.arn, "Encrypt") for _ in range(3)]
    assert [reply.code for reply in replies] == [None, None, "LimitExceededException"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"GranteePrincipal": "arn:aws:iam::111122223333:user/nobody"}, "InvalidArnException"),
    ({"GranteePrincipal": "*"}, "ValidationException"),
    ({"GranteePrincipal": "nonsense"}, "InvalidArnException"),
    ({"GranteePrincipal": "arn:aws:iam::111122223333:group/all"}, "InvalidArnException"),
    ({"RetiringPrincipal": "arn:aws:iam::111122223333:role/nobody"}, "InvalidArnException"),
    ({"Operations": []}, "ValidationException"),
    ({"Operations": ["Sign"]}, "ValidationException"),
    ({"Operations": ["nonsense"]}, "ValidationException"),
    ({"Operations": ["CreateGrant"]}, "ValidationException"),
    (
        {"Constraints": {"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": CONTEXT}},
        "ValidationException",
    ),
    ({"Constraints": {"EncryptionContextEquals": dict.fromkeys("abcdefghi", "x")}}, "ValidationException"),
    ({"Constraints": {"EncryptionContextEquals": {"app": "x" * 385}}}, "ValidationException"),
    ({"Constraints": {"EncryptionContextSubset": {"x" * 385: "app"}}}, "ValidationException"),
    ({"Name": "no spaces"}, "ValidationException"),
    ({"GranteePrincipal": None}, "ValidationException"),
    ({"Constraints": {"SourceArn": "arn:aws:s3:us-east-1:111122223333:bucket/b"}}, "ValidationException"),
    ({"GrantTokens": ["nonsense"]}, "InvalidGrantTokenException"),
    ({"DryRun": True}, "DryRunOperationException"),
    ({"KeyId": "alias/any"}, "NotFoundException"),
]


@pytest.mark.parametrize(("given", "code"), REFUSED)
async def test_refusals(sqlite_aws: AwsWorld, given: dict[str, Any], code: str) -> None:
    key = await new_key(sqlite_aws.client)
    whole = {"KeyId": key["KeyId"], "GranteePrincipal": ROOT, "Operations": ["Encrypt"]} | given
    reply = await sqlite_aws.client.kms("CreateGrant", **{name: value for name, value in whole.items() if value})
    assert error_of(reply)[:2] == (400, code)
    assert (await sqlite_aws.client.kms("ListGrants", KeyId=key["KeyId"]))["Grants"] == []


async def test_keys_that_are_off_take_none(aws: AwsWorld) -> None:
    key = await new_key(aws.client)
    await aws.client.kms("DisableKey", KeyId=key["KeyId"])
    assert (await grant(aws, key["KeyId"], ROOT, "Encrypt")).code == "DisabledException"


async def test_policies_can_speak_of_grants(aws: AwsWorld) -> None:
    key, ana, ben = await new_key(aws.client), await make_user(aws, "ana"), await make_user(aws, "ben")
    condition = {
        "ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]},
        "StringEquals": {"kms:GrantConstraintType": "EncryptionContextSubset", "kms:GranteePrincipal": ben.entity.arn},
    }
    await ana.have(document("kms:CreateGrant", Condition=condition))
    right = {
        "KeyId": key["Arn"],
        "GranteePrincipal": ben.entity.arn,
        "Operations": ["Encrypt"],
        "Constraints": {"EncryptionContextSubset": CONTEXT},
    }
    for wrong in (
        {"Operations": ["Encrypt", "Decrypt"]},
        {"Constraints": {"EncryptionContextEquals": CONTEXT}},
        {"GranteePrincipal": ana.entity.arn},
    ):
        assert (await ana.aws.kms("CreateGrant", **right | wrong)).code == "AccessDeniedException"
    assert (await ana.aws.kms("CreateGrant", **right)).status == 200
    assert json.dumps(await listed(aws, key["KeyId"]), default=str)


async def test_only_aws_services_make_grants_for_resources(aws: AwsWorld) -> None:
    """`kms:GrantIsForAWSResource` is false in a call of a person, however it is made."""
    key, ana = await new_key(aws.client), await make_user(aws, "ana")
    await ana.have(document("kms:CreateGrant", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}))
    given = {"KeyId": key["Arn"], "GranteePrincipal": ana.entity.arn, "Operations": ["Encrypt"]}
    assert (await ana.aws.kms("CreateGrant", **given)).code == "AccessDeniedException"
