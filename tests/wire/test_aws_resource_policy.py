"""Repository policies, registry policies and account settings in the API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.store.metadata.iam_entity import find_entity
from entrepot.store.metadata.identity import raise_access_epoch
from tests.support.aws import AwsClient, AwsWorld, Reply
from tests.support.iam_rows import document, put_entity, put_inline
from tests.support.policy import text_of
from tests.support.registry import HOME, OTHER_ACCOUNT
from tests.support.wire import Client, basic

NAME = "team/app"
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
NO_REPOSITORY_POLICY = (
    f"Repository policy does not exist for the repository with name '{NAME}' in the registry with id "
    f"'{HOME.account_id}'"
)
NO_REGISTRY_POLICY = f"Registry policy does not exist in the registry with id '{HOME.account_id}'"


def policy_of(principal: Any = "*", action: Any = "ecr:ListImages", **members: Any) -> str:
    """A policy of one statement."""
    return text_of({"Effect": "Allow", "Principal": principal, "Action": action} | members)


def refusal(detail: str) -> tuple[int, str, str]:
    """How a policy is refused."""
    sentence = f"Invalid parameter at 'PolicyText' failed to satisfy constraint: '{detail}'"
    return 400, "InvalidParameterException", sentence


def error_of(reply: Reply) -> tuple[int, str | None, str]:
    return reply.status, reply.code, reply.message


# ── repository policies ──────────────────────────────────────────────────────────────────────


async def test_set_get_and_delete_answer_the_text_in_ecrs_form(aws: AwsWorld) -> None:
    await aws.create(NAME)
    text = policy_of({"AWS": OTHER_ACCOUNT}, PULL, Sid="cross account")

    for operation, given in (
        ("SetRepositoryPolicy", {"policyText": text}),
        ("GetRepositoryPolicy", {}),
        ("GetRepositoryPolicy", {"registryId": HOME.account_id}),
        ("DeleteRepositoryPolicy", {}),
    ):
        reply = await aws.client.ecr(operation, repositoryName=NAME, **given)

        assert (reply["registryId"], reply["repositoryName"]) == (HOME.account_id, NAME), operation
        assert json.loads(reply["policyText"]) == json.loads(text)
        assert reply["policyText"].startswith('{\n  "Version" : "2012-10-17",\n  "Statement" : [ {\n    "Effect" : "Al')

    for operation in ("GetRepositoryPolicy", "DeleteRepositoryPolicy"):
        reply = await aws.client.ecr(operation, repositoryName=NAME)
        assert error_of(reply) == (400, "RepositoryPolicyNotFoundException", NO_REPOSITORY_POLICY)


async def test_no_repository(aws: AwsWorld) -> None:
    for operation, given in (
        ("SetRepositoryPolicy", {"policyText": "{}"}),
        ("GetRepositoryPolicy", {}),
        ("DeleteRepositoryPolicy", {}),
    ):
        reply = await aws.client.ecr(operation, repositoryName=NAME, **given)
        assert reply.code == "RepositoryNotFoundException", operation


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1 column 1: Syntax errors in policy."),
        ("not JSON", "line 1 column 1: Syntax errors in policy."),
        ('"text"', "not a JSON object: Syntax errors in policy."),
        (text_of({"Effect": "Allow"}), "Statement[0]: Policy statement must contain actions."),
        (policy_of("arn:aws:iam::*:root"), "Statement[0].Principal: Syntax errors in policy."),
        (
            policy_of({"größe\r\nX-E: \x7f": "*"}),
            r"Statement[0].Principal.gr\xf6\xdfe??X-E: ?: Syntax errors in policy.",
        ),
        (
            policy_of(action="ecr:GetAuthorizationToken"),
            "Statement[0].Action[0]: The action is none of those that the policy decides",
        ),
        (policy_of(Resource="app"), 'Statement[0].Resource: Resource app must be in ARN format or "*".'),
    ],
)
async def test_ecrs_sentence_hides_the_reason_a_header_tells(sqlite_aws: AwsWorld, text: str, reason: str) -> None:
    await sqlite_aws.create(NAME)

    reply = await sqlite_aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)

    assert error_of(reply) == refusal("Invalid repository policy provided")
    assert reply.response.headers["x-entrepot-reason"] == reason


async def test_people_must_exist(aws: AwsWorld) -> None:
    await aws.create(NAME)
    ana = f"arn:aws:iam::{HOME.account_id}:user/ana"
    text = policy_of({"AWS": [ana, OTHER_ACCOUNT]})

    reply = await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
    assert error_of(reply) == refusal("Principal not found")
    assert reply.response.headers["x-entrepot-reason"] == f"{ana} does not exist"

    await aws.registry.database.write(lambda connection: put_entity(connection, EntityKind.USER, "ana"))
    reply = await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
    assert json.loads(reply["policyText"]) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "locks_out"),
    [
        (policy_of(action="ecr:SetRepositoryPolicy", Effect="Deny"), True),
        (policy_of(action="*", Effect="Deny"), True),
        (text_of({"Effect": "Deny", "Principal": "*", "NotAction": PULL}), True),
        (policy_of(action="ecr:*", Effect="Deny", Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), True),
        (policy_of(action="ecr:*", Effect="Deny", Condition={"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), False),
        (policy_of({"AWS": OTHER_ACCOUNT}, "ecr:*", Effect="Deny"), False),
        (policy_of(action="ecr:DeleteRepositoryPolicy", Effect="Deny"), False),
        (text_of({"Effect": "Deny", "NotPrincipal": {"AWS": HOME.account_id}, "Action": "ecr:*"}), False),
    ],
)
async def test_who_would_lock_himself_out_must_say_so(sqlite_aws: AwsWorld, text: str, locks_out: bool) -> None:
    await sqlite_aws.create(NAME)
    set_policy = {"repositoryName": NAME, "policyText": text}

    for force in ({}, {"force": False}):
        reply = await sqlite_aws.client.ecr("SetRepositoryPolicy", **set_policy, **force)
        if locks_out:
            detail = "The policy would prevent you from setting another policy in the future; use force to set it"
            assert error_of(reply) == refusal(detail)
        else:
            assert reply.status == 200

    forced = await sqlite_aws.client.ecr("SetRepositoryPolicy", **set_policy, force=True)
    assert forced.status == 200
    again = await sqlite_aws.client.ecr("SetRepositoryPolicy", **set_policy, force=True)
    assert again.code == ("AccessDeniedException" if locks_out else None)


async def test_another_account_comes_in_with_the_next_request_and_goes_with_the_next(aws: AwsWorld) -> None:
    await aws.create(NAME)
    listing = {"registryId": HOME.account_id, "repositoryName": NAME}
    policy = {"repositoryName": NAME, "policyText": policy_of({"AWS": OTHER_ACCOUNT})}

    for change, parameters, code in (
        (None, {}, "AccessDeniedException"),
        ("SetRepositoryPolicy", policy, None),
        ("DeleteRepositoryPolicy", {"repositoryName": NAME}, "AccessDeniedException"),
        ("SetRepositoryPolicy", policy, None),
    ):
        if change:
            assert (await aws.client.ecr(change, **parameters)).status == 200
        assert (await aws.stranger.ecr("ListImages", **listing)).code == code
        assert (await aws.stranger.ecr("DescribeImages", **listing)).code == "AccessDeniedException"


async def test_another_account_pulls_and_pushes_as_the_policy_says(aws: AwsWorld) -> None:
    await aws.create(NAME)
    home, registry = aws.registry.client, aws.registry
    manifest = await home.put_image(NAME, "v1")
    theirs = Client(home.session, registry.url, basic(await registry.password(OTHER_ACCOUNT, registry.home)))
    requests = {"pull": ("GET", f"/v2/{NAME}/manifests/{manifest}"), "push": ("POST", f"/v2/{NAME}/blobs/uploads/")}

    for actions, allowed in (
        (None, {"pull": 403, "push": 403}),
        (PULL, {"pull": 200, "push": 403}),
        (["ecr:InitiateLayerUpload"], {"pull": 403, "push": 202}),
        (["ecr:*"], {"pull": 200, "push": 202}),
        (None, {"pull": 403, "push": 403}),
    ):
        if actions:
            text = policy_of({"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, actions)
            await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
        else:
            await aws.client.ecr("DeleteRepositoryPolicy", repositoryName=NAME)
        answers = {name: (await theirs.send(*request)).status for name, request in requests.items()}
        assert answers == allowed, actions


async def test_what_a_stranger_may_set_he_may_lock_himself_out_of(aws: AwsWorld) -> None:
    await aws.create(NAME)
    policy = {"repositoryName": NAME, "policyText": policy_of({"AWS": OTHER_ACCOUNT}, "ecr:SetRepositoryPolicy")}
    assert (await aws.client.ecr("SetRepositoryPolicy", **policy)).status == 200

    theirs = {"registryId": HOME.account_id, "repositoryName": NAME}
    reply = await aws.stranger.ecr("SetRepositoryPolicy", **theirs, policyText=policy_of({"AWS": OTHER_ACCOUNT}))
    assert reply.message.startswith("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy would")
    reply = await aws.stranger.ecr("SetRepositoryPolicy", **theirs, policyText=policy["policyText"])
    assert reply["registryId"] == HOME.account_id


async def new_user(aws: AwsWorld, name: str) -> AwsClient:
    """A user without any policy, with an access key."""
    await aws.client.iam("CreateUser", UserName=name)
    key = (await aws.client.iam("CreateAccessKey", UserName=name))["AccessKey"]
    return replace(aws.client, key=(key["AccessKeyId"], key["SecretAccessKey"]))


async def test_who_is_made_again_under_the_same_name_gains_nothing(aws: AwsWorld) -> None:
    await aws.create(NAME)
    ana = f"arn:aws:iam::{HOME.account_id}:user/ana"
    first = await new_user(aws, "ana")
    assert (await first.ecr("ListImages", repositoryName=NAME)).code == "AccessDeniedException"
    text = policy_of({"AWS": ana})
    await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
    assert (await first.ecr("ListImages", repositoryName=NAME)).status == 200

    unique_id = (await aws.client.iam("GetUser", UserName="ana"))["User"]["UserId"]
    await aws.client.iam("DeleteAccessKey", UserName="ana", AccessKeyId=first.key[0])
    assert (await aws.client.iam("DeleteUser", UserName="ana")).status == 200
    second = await new_user(aws, "ana")

    assert (await second.ecr("ListImages", repositoryName=NAME)).code == "AccessDeniedException"
    shown = (await aws.client.ecr("GetRepositoryPolicy", repositoryName=NAME))["policyText"]
    assert json.loads(shown)["Statement"][0]["Principal"] == {"AWS": unique_id}
    reply = await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=shown)
    assert error_of(reply) == refusal("Principal not found")
    await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
    assert (await second.ecr("ListImages", repositoryName=NAME)).status == 200


async def test_a_user_whom_only_the_policy_lets_in_must_not_shut_himself_out(aws: AwsWorld) -> None:
    await aws.create(NAME)
    user = await new_user(aws, "ana")
    own = policy_of({"AWS": f"arn:aws:iam::{HOME.account_id}:user/ana"}, "ecr:SetRepositoryPolicy")
    await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=own)

    reply = await user.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=policy_of())
    assert reply.message.startswith("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy would")
    assert (await user.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=own)).status == 200

    def allow(connection: Connection) -> None:
        ana = find_entity(connection, HOME.account_id, EntityKind.USER, "ana")
        assert ana
        put_inline(connection, ana, "all", document("ecr:*"))
        raise_access_epoch(connection, HOME.account_id)

    await aws.registry.database.write(allow)
    assert (await user.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=policy_of())).status == 200


async def new_session(aws: AwsWorld, trusted: str, user: AwsClient) -> AwsClient:
    """The session `ci` of a new role `build` that `trusted` may assume, and `user` does."""
    trust = text_of({"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"})
    await aws.client.iam("CreateRole", RoleName="build", AssumeRolePolicyDocument=trust)
    role = f"arn:aws:iam::{HOME.account_id}:role/build"
    keys = (await user.sts("AssumeRole", RoleArn=role, RoleSessionName="ci"))["Credentials"]
    return replace(user, key=(keys["AccessKeyId"], keys["SecretAccessKey"]), token=keys["SessionToken"])


async def test_a_session_goes_with_its_role(aws: AwsWorld) -> None:
    await aws.create(NAME)
    ana, ci = f"arn:aws:iam::{HOME.account_id}:user/ana", f"arn:aws:sts::{HOME.account_id}:assumed-role/build/ci"
    user = await new_user(aws, "ana")
    first = await new_session(aws, ana, user)
    text = policy_of({"AWS": ci})
    reply = await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
    assert json.loads(reply["policyText"]) == json.loads(text)
    assert (await first.ecr("ListImages", repositoryName=NAME)).status == 200
    assert (await user.ecr("ListImages", repositoryName=NAME)).code == "AccessDeniedException"

    role_id = (await aws.client.iam("GetRole", RoleName="build"))["Role"]["RoleId"]
    assert (await aws.client.iam("DeleteRole", RoleName="build")).status == 200
    second = await new_session(aws, ana, user)

    assert (await second.ecr("ListImages", repositoryName=NAME)).code == "AccessDeniedException"
    shown = (await aws.client.ecr("GetRepositoryPolicy", repositoryName=NAME))["policyText"]
    assert json.loads(shown)["Statement"][0]["Principal"] == {"AWS": f"{role_id}:ci"}
    await aws.client.ecr("SetRepositoryPolicy", repositoryName=NAME, policyText=text)
    assert (await second.ecr("ListImages", repositoryName=NAME)).status == 200


# ── registry policies ────────────────────────────────────────────────────────────────────────


async def test_put_get_and_delete(aws: AwsWorld) -> None:
    text = policy_of({"AWS": ["arn:aws:iam::111111111111:root", "222222222222"]}, "ecr:ReplicateImage", Resource="*")

    for operation, given in (
        ("PutRegistryPolicy", {"policyText": text}),
        ("GetRegistryPolicy", {}),
        ("DeleteRegistryPolicy", {}),
    ):
        reply = await aws.client.ecr(operation, **given)
        assert reply["registryId"] == HOME.account_id
        assert json.loads(reply["policyText"]) == json.loads(text)

    for operation in ("GetRegistryPolicy", "DeleteRegistryPolicy"):
        reply = await aws.client.ecr(operation)
        assert error_of(reply) == (400, "RegistryPolicyNotFoundException", NO_REGISTRY_POLICY)


@pytest.mark.parametrize(
    "text", ["", "{}", policy_of(), policy_of(action="s3:*", Resource="*"), policy_of(Resource="repository/*")]
)
async def test_what_is_no_registry_policy(sqlite_aws: AwsWorld, text: str) -> None:
    reply = await sqlite_aws.client.ecr("PutRegistryPolicy", policyText=text)

    assert error_of(reply) == refusal("Invalid registry policy provided")
    assert reply.response.headers["x-entrepot-reason"]


async def test_a_registry_policy_counts_within_its_scope(aws: AwsWorld) -> None:
    await aws.create(NAME)
    listing = {"registryId": HOME.account_id, "repositoryName": NAME}
    making = {"registryId": HOME.account_id, "repositoryName": "theirs/app"}
    arn = f"arn:aws:ecr:us-east-1:{HOME.account_id}:repository/*"
    text = policy_of({"AWS": OTHER_ACCOUNT}, ["ecr:ListImages", "ecr:CreateRepository"], Resource=arn)

    assert (await aws.client.ecr("PutRegistryPolicy", policyText=text)).status == 200
    assert (await aws.stranger.ecr("ListImages", **listing)).status == 200
    for value, code in (("V1", "AccessDeniedException"), ("V2", None), ("V1", "AccessDeniedException")):
        await aws.client.ecr("PutAccountSetting", name="REGISTRY_POLICY_SCOPE", value=value)
        assert (await aws.stranger.ecr("ListImages", **listing)).code == code
    made = await aws.stranger.ecr("CreateRepository", **making)
    assert made["repository"]["registryId"] == HOME.account_id
    await aws.client.ecr("DeleteRegistryPolicy")
    assert (await aws.stranger.ecr("CreateRepository", **making)).code == "AccessDeniedException"


async def test_in_scope_v1_it_speaks_of_three_actions_only(sqlite_aws: AwsWorld) -> None:
    await sqlite_aws.client.ecr("PutAccountSetting", name="REGISTRY_POLICY_SCOPE", value="V1")
    actions = ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:BatchImportUpstreamImage"]
    good, bad = (policy_of(action=names, Resource="*") for names in (actions, [*actions, "ecr:DescribeRepositories"]))

    reply = await sqlite_aws.client.ecr("PutRegistryPolicy", policyText=bad)
    assert error_of(reply) == refusal("Invalid registry policy provided")
    assert (await sqlite_aws.client.ecr("PutRegistryPolicy", policyText=good)).status == 200


# ── account settings ─────────────────────────────────────────────────────────────────────────


async def test_account_settings(aws: AwsWorld) -> None:
    for name, default, other in (
        ("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE", "AWS_NATIVE"),
        ("REGISTRY_POLICY_SCOPE", "V2", "V1"),
        ("BLOB_MOUNTING", "ENABLED", "DISABLED"),
    ):
        got = await aws.client.ecr("GetAccountSetting", name=name)
        assert (got["name"], got["value"]) == (name, default)
        put = await aws.client.ecr("PutAccountSetting", name=name, value=other)
        assert (put["name"], put["value"]) == (name, other)
        assert (await aws.client.ecr("GetAccountSetting", name=name))["value"] == other
        assert (await aws.stranger.ecr("GetAccountSetting", name=name))["value"] == default


async def test_unknown_settings_and_values(sqlite_aws: AwsWorld) -> None:
    names = "[BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING]"
    for operation, given, field, values in (
        ("GetAccountSetting", {"name": "NONE"}, "name", names),
        ("PutAccountSetting", {"name": "NONE", "value": "V1"}, "name", names),
        ("PutAccountSetting", {"name": "REGISTRY_POLICY_SCOPE", "value": "V3"}, "value", "[V1, V2]"),
        ("PutAccountSetting", {"name": "BASIC_SCAN_TYPE_VERSION", "value": "CLAIR"}, "value", "[AWS_NATIVE]"),
    ):
        reply = await sqlite_aws.client.ecr(operation, **given)
        sentence = f"Invalid parameter at '{field}' failed to satisfy constraint: 'Member must satisfy enum value set: "
        assert error_of(reply) == (400, "InvalidParameterException", f"{sentence}{values}'")
