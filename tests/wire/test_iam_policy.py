"""Managed policies and their versions through the IAM API: what clients see, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.utils import datetime2timestamp

from tests.support.aws import AwsWorld, Reply
from tests.support.iam_rows import decoded, document, held_by
from tests.support.registry import HOME

ACCOUNT = HOME.account_id
AWS_PREFIX = "arn:aws:iam::aws:policy/"
VERSION_PATTERN = (
    "1 validation error detected: Value at 'versionId' failed to satisfy constraint: Member must satisfy regular "
    r"expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"
)


def arn_of(name: str, path: str = "/") -> str:
    return f"arn:aws:iam::{ACCOUNT}:policy{path}{name}"


def refusal(reply: Reply) -> tuple[int, str | None, str]:
    assert reply.parsed["Error"]["Type"] == "Sender"
    return reply.status, reply.code, reply.message


def unattachable(what: str) -> tuple[int, str, str]:
    return 404, "NoSuchEntity", f"Policy {what} does not exist or is not attachable."


def not_found(arn: str) -> tuple[int, str, str]:
    return 404, "NoSuchEntity", f"Policy {arn} was not found."


async def create(aws: AwsWorld, name: str = "Pull", **parameters: Any) -> str:
    made = await aws.client.iam("CreatePolicy", PolicyName=name, **({"PolicyDocument": document()} | parameters))
    arn: str = made["Policy"]["Arn"]
    return arn


async def names(aws: AwsWorld, **parameters: Any) -> list[str]:
    listed = await aws.client.iam("ListPolicies", **parameters)
    assert listed["IsTruncated"] is False
    return [policy["PolicyName"] for policy in listed["Policies"]]


async def versions(aws: AwsWorld, arn: str) -> list[tuple[str, bool]]:
    listed = await aws.client.iam("ListPolicyVersions", PolicyArn=arn)
    assert all(version.keys() == {"VersionId", "IsDefaultVersion", "CreateDate"} for version in listed["Versions"])
    return [(version["VersionId"], version["IsDefaultVersion"]) for version in listed["Versions"]]


async def test_a_policy_is_made_found_and_deleted(aws: AwsWorld) -> None:
    reply = await aws.client.iam(
        "CreatePolicy", PolicyName="Pull", Path="/team/a/", PolicyDocument=document(), Description="to pull"
    )
    made = reply["Policy"]

    assert made.keys() == {
        "PolicyName",
        "PolicyId",
        "Arn",
        "Path",
        "DefaultVersionId",
        "AttachmentCount",
        "PermissionsBoundaryUsageCount",
        "IsAttachable",
        "CreateDate",
        "UpdateDate",
    }
    assert (made["PolicyName"], made["Path"], made["Arn"]) == ("Pull", "/team/a/", arn_of("Pull", "/team/a/"))
    assert (made["PolicyId"][:4], len(made["PolicyId"])) == ("ANPA", 21)
    assert (made["DefaultVersionId"], made["IsAttachable"]) == ("v1", True)
    assert (made["AttachmentCount"], made["PermissionsBoundaryUsageCount"]) == (0, 0)
    assert made["CreateDate"] == made["UpdateDate"]
    found = (await aws.client.iam("GetPolicy", PolicyArn=made["Arn"]))["Policy"]
    assert found == {**made, "Description": "to pull", "Tags": []}
    assert (await aws.client.iam("ListPolicies", Scope="Local"))["Policies"] == [made]

    assert (await aws.client.iam("DeletePolicy", PolicyArn=made["Arn"])).status == 200
    assert refusal(await aws.client.iam("GetPolicy", PolicyArn=made["Arn"])) == not_found(made["Arn"])
    assert refusal(await aws.client.iam("DeletePolicy", PolicyArn=made["Arn"])) == not_found(made["Arn"])
    assert await names(aws, Scope="Local") == []


async def test_tags_at_creation(aws: AwsWorld) -> None:
    tags = [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": ""}]
    made = await aws.client.iam("CreatePolicy", PolicyName="Pull", PolicyDocument=document(), Tags=tags)

    assert made["Policy"]["Tags"] == tags
    found = await aws.client.iam("GetPolicy", PolicyArn=arn_of("Pull"))
    assert found["Policy"]["Tags"] == tags[::-1]


async def test_a_name_is_taken_once_whatever_its_case_and_path(aws: AwsWorld) -> None:
    await create(aws)
    again = await aws.client.iam("CreatePolicy", PolicyName="PULL", Path="/b/", PolicyDocument=document())
    assert refusal(again) == (
        409,
        "EntityAlreadyExists",
        "A policy called PULL already exists. Duplicate names are not allowed.",
    )


async def test_arns_are_exact(aws: AwsWorld) -> None:
    await create(aws, Path="/a/")
    for arn in (arn_of("Pull"), arn_of("pull", "/a/"), f"arn:aws:iam::{'9' * 12}:policy/Pull"):
        reply = await aws.client.iam("GetPolicy", PolicyArn=arn)
        expected = "AccessDenied" if ":9999" in arn else "NoSuchEntity"
        assert reply.code == expected
    odd = f"arn:aws:iam::{ACCOUNT}:policy/no such"
    assert refusal(await aws.client.iam("GetPolicy", PolicyArn=odd)) == (
        400,
        "InvalidInput",
        f"ARN {odd} is not valid.",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no JSON", "Syntax errors in policy."),
        (document(Principal="*"), "Policy document should not specify a principal."),
        (document(Resource="no-arn"), 'Resource no-arn must be in ARN format or "*".'),
        (document("GetObject"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
    ],
)
async def test_documents_that_are_no_policies(sqlite_aws: AwsWorld, text: str, sentence: str) -> None:
    arn = await create(sqlite_aws)
    for operation, parameters in (
        ("CreatePolicy", {"PolicyName": "Other"}),
        ("CreatePolicyVersion", {"PolicyArn": arn}),
    ):
        reply = await sqlite_aws.client.iam(operation, PolicyDocument=text, **parameters)
        assert refusal(reply) == (400, "MalformedPolicyDocument", sentence)
    assert await names(sqlite_aws, Scope="Local") == ["Pull"]


async def test_a_document_has_6144_characters_without_white_space(sqlite_aws: AwsWorld) -> None:
    longest = document("ecr:" + "a" * (6144 - len("".join(document("ecr:").split()))))
    await create(sqlite_aws, "Longest", PolicyDocument=longest + " " * 1000)
    reply = await sqlite_aws.client.iam(
        "CreatePolicy", PolicyName="Longer", PolicyDocument=longest.replace("ecr:", "ecr:b")
    )
    assert refusal(reply) == (409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")


async def test_bad_input(sqlite_aws: AwsWorld) -> None:
    iam = sqlite_aws.client.iam
    assert refusal(await iam("CreatePolicy", PolicyName="a b", PolicyDocument=document())) == (
        400,
        "ValidationError",
        (
            "The specified value for policyName is invalid. It must contain only alphanumeric characters and/or the "
            "following: +=,.@_-"
        ),
    )
    assert (await iam("CreatePolicy", PolicyName="a", PolicyDocument="")).code == "ValidationError"
    assert (await iam("CreatePolicy", PolicyName="a", PolicyDocument=document(), Path="a")).code == "ValidationError"
    assert (await iam("CreatePolicy", PolicyName="a")).code == "ValidationError"
    assert (await iam("GetPolicy", PolicyArn="short")).code == "ValidationError"
    assert (await iam("ListPolicies", Scope="Mine")).code == "ValidationError"
    assert (await iam("ListPolicies", Marker="nonsense")).code == "ValidationError"


async def test_lists_by_scope_path_and_use(aws: AwsWorld) -> None:
    for name, path in (("beta", "/"), ("Alpha", "/x/"), ("gamma", "/x/y/"), ("Delta", "/xy/")):
        await create(aws, name, Path=path)
    administrator = f"{AWS_PREFIX}AdministratorAccess"
    await aws.client.iam("CreateUser", UserName="mia", PermissionsBoundary=arn_of("gamma", "/x/y/"))
    await aws.client.iam("AttachUserPolicy", UserName="mia", PolicyArn=arn_of("beta"))
    await aws.client.iam("AttachUserPolicy", UserName="mia", PolicyArn=administrator)

    assert await names(aws, Scope="Local") == ["Alpha", "beta", "Delta", "gamma"]
    of_aws = await names(aws, Scope="AWS")
    assert of_aws[:3] == ["AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess"]
    assert await names(aws) == ["Alpha", "beta", "Delta", "gamma", *of_aws]
    assert await names(aws, Scope="Local", PathPrefix="/x/") == ["Alpha", "gamma"]
    assert await names(aws, Scope="AWS", PathPrefix="/service-role/") == [
        "AWSLambdaBasicExecutionRole",
        "AmazonECSTaskExecutionRolePolicy",
    ]
    assert await names(aws, OnlyAttached=True) == ["beta", "AdministratorAccess"]
    assert await names(aws, PolicyUsageFilter="PermissionsPolicy") == ["beta", "AdministratorAccess"]
    assert await names(aws, PolicyUsageFilter="PermissionsBoundary") == ["gamma"]
    counted = (await aws.client.iam("GetPolicy", PolicyArn=administrator))["Policy"]
    assert (counted["AttachmentCount"], counted["PermissionsBoundaryUsageCount"]) == (1, 0)
    counted = (await aws.client.iam("GetPolicy", PolicyArn=arn_of("gamma", "/x/y/")))["Policy"]
    assert (counted["AttachmentCount"], counted["PermissionsBoundaryUsageCount"]) == (0, 1)
    seen_by_others = await aws.stranger.iam("GetPolicy", PolicyArn=administrator)
    assert seen_by_others["Policy"]["AttachmentCount"] == 0


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_pages_hold_every_policy_once(aws: AwsWorld, size: int) -> None:
    for name in ("b", "A", "c", "D"):
        await create(aws, name)
    whole, found = await names(aws), list[str]()
    parameters: dict[str, Any] = {"MaxItems": size}
    while True:
        page = await aws.client.iam("ListPolicies", **parameters)
        found += [policy["PolicyName"] for policy in page["Policies"]]
        if not page["IsTruncated"]:
            break
        assert len(page["Policies"]) == size
        parameters["Marker"] = page["Marker"]
        assert len(page["Marker"]) <= 320
    assert found == whole


async def test_policies_of_aws_are_read_and_never_changed(aws: AwsWorld) -> None:
    arn = f"{AWS_PREFIX}service-role/AmazonECSTaskExecutionRolePolicy"
    found = (await aws.client.iam("GetPolicy", PolicyArn=arn))["Policy"]
    assert (found["Path"], found["DefaultVersionId"], found["Tags"]) == ("/service-role/", "v1", [])
    assert datetime2timestamp(found["CreateDate"]) == 1510858102
    version = (await aws.client.iam("GetPolicyVersion", PolicyArn=arn, VersionId="v1"))["PolicyVersion"]
    assert "ecr:BatchGetImage" in decoded(version["Document"])["Statement"][0]["Action"]
    assert await versions(aws, arn) == [("v1", True)]
    missing = await aws.client.iam("GetPolicyVersion", PolicyArn=arn, VersionId="v2")
    assert refusal(missing) == unattachable(f"{arn} version v2")
    unknown = f"{AWS_PREFIX}NoSuchPolicy"
    assert refusal(await aws.client.iam("GetPolicy", PolicyArn=unknown)) == not_found(unknown)

    for operation, parameters in (
        ("DeletePolicy", {}),
        ("CreatePolicyVersion", {"PolicyDocument": document()}),
        ("DeletePolicyVersion", {"VersionId": "v1"}),
        ("SetDefaultPolicyVersion", {"VersionId": "v1"}),
    ):
        denied = await aws.client.iam(operation, PolicyArn=arn, **parameters)
        assert (denied.status, denied.code) == (403, "AccessDenied"), operation


async def test_versions_come_and_go(aws: AwsWorld) -> None:
    arn = await create(aws)
    second = await aws.client.iam(
        "CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document("ecr:Get*"), SetAsDefault=True
    )
    assert second["PolicyVersion"].keys() == {"VersionId", "IsDefaultVersion", "CreateDate"}
    assert (second["PolicyVersion"]["VersionId"], second["PolicyVersion"]["IsDefaultVersion"]) == ("v2", True)
    await aws.client.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document("ecr:List*"))
    assert await versions(aws, arn) == [("v3", False), ("v2", True), ("v1", False)]
    assert (await aws.client.iam("GetPolicy", PolicyArn=arn))["Policy"]["DefaultVersionId"] == "v2"
    got = (await aws.client.iam("GetPolicyVersion", PolicyArn=arn, VersionId="v3"))["PolicyVersion"]
    assert (decoded(got["Document"])["Statement"][0]["Action"], got["IsDefaultVersion"]) == ("ecr:List*", False)

    await aws.client.iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v1")
    await aws.client.iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v3")
    assert await versions(aws, arn) == [("v2", False), ("v1", True)]
    again = await aws.client.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document())
    assert again["PolicyVersion"]["VersionId"] == "v4"

    page = await aws.client.iam("ListPolicyVersions", PolicyArn=arn, MaxItems=2)
    rest = await aws.client.iam("ListPolicyVersions", PolicyArn=arn, MaxItems=2, Marker=page["Marker"])
    shown = [version["VersionId"] for one in (page, rest) for version in one["Versions"]]
    assert (shown, rest["IsTruncated"]) == (["v4", "v2", "v1"], False)


async def test_five_versions_and_no_more(aws: AwsWorld) -> None:
    arn = await create(aws)
    for _ in range(4):
        await aws.client.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document())
    sixth = await aws.client.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document())
    assert refusal(sixth) == (
        409,
        "LimitExceeded",
        (
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
            "version."
        ),
    )
    await aws.client.iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    made = await aws.client.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document())
    assert made["PolicyVersion"]["VersionId"] == "v6"


async def test_versions_that_are_not_there(aws: AwsWorld) -> None:
    arn, nowhere = await create(aws), arn_of("Nowhere")
    for operation in ("GetPolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion"):
        for of, version in ((nowhere, "v1"), (arn, "v9"), (arn, "v1.x")):
            reply = await aws.client.iam(operation, PolicyArn=of, VersionId=version)
            assert refusal(reply) == unattachable(f"{of} version {version}")
        reply = await aws.client.iam(operation, PolicyArn=arn, VersionId="v2-does-not-exist")
        assert refusal(reply) == (400, "ValidationError", VERSION_PATTERN)
    made = await aws.client.iam("CreatePolicyVersion", PolicyArn=nowhere, PolicyDocument=document())
    assert refusal(made) == unattachable(nowhere)
    assert refusal(await aws.client.iam("ListPolicyVersions", PolicyArn=nowhere)) == not_found(nowhere)
    default = await aws.client.iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v1")
    assert refusal(default) == (409, "DeleteConflict", "Cannot delete the default version of a policy.")


async def test_a_policy_that_is_used_or_has_versions_stays(aws: AwsWorld) -> None:
    arn = await create(aws)
    attached = (409, "DeleteConflict", "Cannot delete a policy attached to entities.")
    await aws.client.iam("CreateUser", UserName="mia")
    await aws.client.iam("AttachUserPolicy", UserName="mia", PolicyArn=arn)
    assert refusal(await aws.client.iam("DeletePolicy", PolicyArn=arn)) == attached
    await aws.client.iam("DetachUserPolicy", UserName="mia", PolicyArn=arn)
    await aws.client.iam("PutUserPermissionsBoundary", UserName="mia", PermissionsBoundary=arn)
    assert refusal(await aws.client.iam("DeletePolicy", PolicyArn=arn)) == attached
    await aws.client.iam("DeleteUserPermissionsBoundary", UserName="mia")
    await aws.client.iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=document())
    assert refusal(await aws.client.iam("DeletePolicy", PolicyArn=arn)) == (
        409,
        "DeleteConflict",
        (
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        ),
    )
    await aws.client.iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v2")
    assert (await aws.client.iam("DeletePolicy", PolicyArn=arn)).status == 200


@pytest.mark.parametrize("word", ["User", "Group", "Role"])
async def test_policies_hang_on_users_groups_and_roles(aws: AwsWorld, word: str) -> None:
    who = {f"{word}Name": await held_by(aws, word, "mia")}
    mine, theirs = await create(aws, Path="/a/"), f"{AWS_PREFIX}AdministratorAccess"

    async def attached(**parameters: Any) -> list[dict[str, str]]:
        listed = await aws.client.iam(f"ListAttached{word}Policies", **who, **parameters)
        found: list[dict[str, str]] = listed["AttachedPolicies"]
        return found

    assert await attached() == []
    for arn in (mine, theirs, mine):
        assert (await aws.client.iam(f"Attach{word}Policy", **who, PolicyArn=arn)).status == 200
    both = [
        {"PolicyName": "Pull", "PolicyArn": mine},
        {"PolicyName": "AdministratorAccess", "PolicyArn": theirs},
    ]
    assert await attached() == both
    assert await attached(PathPrefix="/a/") == both[:1]
    assert await attached(MaxItems=1) == both[:1]
    assert (await aws.client.iam("GetPolicy", PolicyArn=mine))["Policy"]["AttachmentCount"] == 1

    assert (await aws.client.iam(f"Detach{word}Policy", **who, PolicyArn=mine)).status == 200
    assert await attached() == both[1:]
    assert refusal(await aws.client.iam(f"Detach{word}Policy", **who, PolicyArn=mine)) == not_found(mine)
    missing = arn_of("Nowhere")
    assert refusal(await aws.client.iam(f"Attach{word}Policy", **who, PolicyArn=missing)) == unattachable(missing)
    odd = f"arn:aws:iam::{ACCOUNT}:user/mia-mia"
    for operation in ("Attach", "Detach"):
        reply = await aws.client.iam(f"{operation}{word}Policy", **who, PolicyArn=odd)
        assert refusal(reply) == (400, "InvalidInput", f"ARN {odd} is not valid.")
    nobody = {f"{word}Name": "nobody"}
    sentence = f"The {word.lower()} with name nobody cannot be found."
    for operation in (f"Attach{word}Policy", f"Detach{word}Policy"):
        assert refusal(await aws.client.iam(operation, **nobody, PolicyArn=mine)) == (404, "NoSuchEntity", sentence)
    listed = await aws.client.iam(f"ListAttached{word}Policies", **nobody)
    assert refusal(listed) == (404, "NoSuchEntity", sentence)


@pytest.mark.parametrize("word", ["User", "Group", "Role"])
async def test_ten_policies_hang_on_one(sqlite_aws: AwsWorld, word: str) -> None:
    who = {f"{word}Name": await held_by(sqlite_aws, word, "mia")}
    for number in range(11):
        arn = await create(sqlite_aws, f"p{number}")
        reply = await sqlite_aws.client.iam(f"Attach{word}Policy", **who, PolicyArn=arn)
    assert refusal(reply) == (409, "LimitExceeded", f"Cannot exceed quota for PoliciesPer{word}: 10")
    first = await sqlite_aws.client.iam(f"Attach{word}Policy", **who, PolicyArn=arn_of("p0"))
    assert first.status == 200


async def test_who_has_a_policy(aws: AwsWorld) -> None:
    arn = await create(aws)
    empty = await aws.client.iam("ListEntitiesForPolicy", PolicyArn=arn)
    nobody: dict[str, Any] = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": [], "IsTruncated": False}
    assert {key: empty[key] for key in nobody} == nobody
    for word, name in (("User", "mia"), ("Group", "team"), ("Role", "deploy")):
        await held_by(aws, word, name)
        await aws.client.iam(f"Attach{word}Policy", **{f"{word}Name": name}, PolicyArn=arn)
    await aws.client.iam("CreateUser", UserName="ben", Path="/b/", PermissionsBoundary=arn)
    await aws.client.iam("CreateUser", UserName="none")

    async def found(**parameters: Any) -> list[str]:
        listed = await aws.client.iam("ListEntitiesForPolicy", PolicyArn=arn, **parameters)
        return [one[f"{word}Name"] for word in ("Group", "Role", "User") for one in listed[f"Policy{word}s"]]

    assert await found() == ["team", "deploy", "ben", "mia"]
    assert await found(EntityFilter="User") == ["ben", "mia"]
    assert await found(EntityFilter="Role") == ["deploy"]
    assert await found(EntityFilter="LocalManagedPolicy") == []
    assert await found(PolicyUsageFilter="PermissionsBoundary") == ["ben"]
    assert await found(PolicyUsageFilter="PermissionsPolicy") == ["team", "deploy", "mia"]
    assert await found(PathPrefix="/b/") == ["ben"]
    page = await aws.client.iam("ListEntitiesForPolicy", PolicyArn=arn, MaxItems=3)
    assert (len(page["PolicyUsers"]), page["IsTruncated"]) == (1, True)
    assert await found(MaxItems=3, Marker=page["Marker"]) == ["mia"]
    missing = arn_of("Nowhere")
    assert refusal(await aws.client.iam("ListEntitiesForPolicy", PolicyArn=missing)) == unattachable(missing)
