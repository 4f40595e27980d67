"""Who may make a repository under a KMS key: DescribeKey and CreateGrant on it, through ECR."""

from __future__ import annotations

import json
from typing import Any

from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import document
from tests.support.kms import new_key
from tests.support.person import Person, make_user
from tests.support.registry import HOME, OTHER_ACCOUNT

VIA = {"StringEquals": {"kms:ViaService": "ecr.us-east-1.amazonaws.com"}}
FOR_AWS = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
ECR = document("ecr:*")


def policy(action: str, condition: dict[str, Any] | None = None, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": "*"} | ({"Condition": condition} if condition else {})
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def create(person: Person, name: str, key: str | None) -> Reply:
    configuration = {"encryptionType": "KMS"} | ({"kmsKey": key} if key else {})
    return await person.aws.ecr("CreateRepository", repositoryName=name, encryptionConfiguration=configuration)


def refusal(reply: Reply) -> tuple[str, str]:
    said = json.loads(reply.response.body)
    return said["__type"], said.get("kmsError", "")


DENIED = ("KmsException", "AccessDeniedException")


async def test_both_actions_are_needed(sqlite_aws: AwsWorld) -> None:
    ana = await make_user(sqlite_aws, "ana")
    key = (await new_key(sqlite_aws.client))["Arn"]
    for given, action in ((), "kms:DescribeKey"), (("kms:DescribeKey",), "kms:CreateGrant"):
        await ana.have(ECR, *map(document, given))
        reply = await create(ana, "app", key)
        assert refusal(reply) == DENIED
        assert f"is not authorized to perform: {action} on resource: {key}" in (reply.message or "")
    await ana.have(ECR, document("kms:DescribeKey"), document("kms:CreateGrant"))
    assert (await create(ana, "app", key)).status == 200
    assert (await ana.aws.kms("Encrypt", KeyId=key, Plaintext="YQ==")).status == 400, "nothing else was given"


async def test_permissions_that_hold_through_ecr_only(sqlite_aws: AwsWorld) -> None:
    ana = await make_user(sqlite_aws, "ana")
    key = (await new_key(sqlite_aws.client))["Arn"]
    await ana.have(ECR, policy("kms:DescribeKey", VIA), policy("kms:CreateGrant", VIA | FOR_AWS))
    assert (await create(ana, "app", key)).status == 200
    assert (await ana.aws.kms("DescribeKey", KeyId=key)).code == "AccessDeniedException"
    await ana.have(ECR, document("kms:*"), policy("kms:CreateGrant", FOR_AWS, "Deny"))
    assert refusal(await create(ana, "other", key)) == DENIED


async def test_who_may_not_look_is_not_told_what_there_is(sqlite_aws: AwsWorld) -> None:
    ana = await make_user(sqlite_aws, "ana")
    await ana.have(ECR)
    there = (await new_key(sqlite_aws.client))["Arn"]
    missing = there[:-12] + "0" * 12
    for key in (there, missing, "alias/none"):
        assert refusal(await create(ana, "app", key)) == DENIED
    await ana.have(ECR, document("kms:DescribeKey"))
    assert refusal(await create(ana, "app", missing)) == ("KmsException", "NotFoundException")


async def test_the_default_key_needs_no_permission_but_ecrs(sqlite_aws: AwsWorld) -> None:
    ana = await make_user(sqlite_aws, "ana")
    await ana.have(ECR)
    first, second = [await create(ana, name, None) for name in ("app", "web")]
    configuration = first["repository"]["encryptionConfiguration"]
    assert configuration["encryptionType"] == "KMS"
    assert second["repository"]["encryptionConfiguration"] == configuration
    described = await sqlite_aws.client.kms("DescribeKey", KeyId="alias/aws/ecr")
    assert described["KeyMetadata"]["Arn"] == configuration["kmsKey"]
    assert described["KeyMetadata"]["KeyManager"] == "AWS"
    named = await create(ana, "named", "alias/aws/ecr")
    assert named["repository"]["encryptionConfiguration"] == configuration


async def test_a_key_of_another_account(sqlite_aws: AwsWorld) -> None:
    """Its policy must let the account in; its state counts at once, like an own key's."""
    key = (await new_key(sqlite_aws.stranger))["Arn"]
    given = {"encryptionType": "KMS", "kmsKey": key}
    refused = await sqlite_aws.client.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=given)
    assert refusal(refused) == DENIED
    both = [f"arn:aws:iam::{account}:root" for account in (HOME.account_id, OTHER_ACCOUNT)]
    opened = {"Effect": "Allow", "Principal": {"AWS": both}, "Action": "kms:*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [opened]})
    assert (await sqlite_aws.stranger.kms("PutKeyPolicy", KeyId=key, Policy=text)).status == 200
    made = await sqlite_aws.client.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=given)
    assert made["repository"]["encryptionConfiguration"]["kmsKey"] == key
    client = sqlite_aws.registry.client
    await client.put_image("app", "v1")
    await sqlite_aws.stranger.kms("DisableKey", KeyId=key)
    assert (await client.send("GET", "/v2/app/manifests/v1")).status == 403
    await sqlite_aws.stranger.kms("EnableKey", KeyId=key)
    assert (await client.send("GET", "/v2/app/manifests/v1")).status == 200


async def test_a_grant_is_revoked_and_another_serves(sqlite_aws: AwsWorld) -> None:
    aws, client = sqlite_aws.client, sqlite_aws.registry.client
    key = (await new_key(aws))["Arn"]
    given = {"encryptionType": "KMS", "kmsKey": key}
    await aws.ecr("CreateRepository", repositoryName="app", encryptionConfiguration=given)
    await client.put_image("app", "v1")
    (grant,) = (await aws.kms("ListGrants", KeyId=key))["Grants"]
    context = {"aws:ecr:arn": "arn:aws:ecr:us-east-1:123456789012:repository/app"}
    assert grant["Constraints"] == {"EncryptionContextSubset": context}
    assert (grant["GranteePrincipal"], grant["RetiringPrincipal"]) == ("ecr.us-east-1.amazonaws.com",) * 2
    assert (await client.send("GET", "/v2/app/manifests/v1")).status == 200
    await aws.kms("RevokeGrant", KeyId=key, GrantId=grant["GrantId"])
    answer = await client.send("GET", "/v2/app/manifests/v1")
    assert (answer.status, answer.codes) == (403, ["DENIED"])
    other = {"aws:ecr:arn": "arn:aws:ecr:us-east-1:123456789012:repository/other"}
    again = {"KeyId": key, "GranteePrincipal": "ecr.us-east-1.amazonaws.com", "Operations": ["Decrypt"]}
    for constraint, status in ((other, 403), (context, 200)):
        made = await aws.kms("CreateGrant", **again, Constraints={"EncryptionContextSubset": constraint})
        assert made.status == 200
        assert (await client.send("GET", "/v2/app/manifests/v1")).status == status
