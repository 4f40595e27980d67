"""A change of access holds from the next request on: on every worker, both planes and both engines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.iam_rows import document
from tests.support.registry_client import RegistryClient, digest_of, exchange
from tests.support.server import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY
from tests.support.two_workers import LOG_IN, Asker, asking, client_of, make_ana

ROOT = {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}
REPOSITORY = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/faults"
USER = f"arn:aws:iam::{ACCOUNT}:user/ana"
READ = ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]
MAY, MAY_NOT = document(READ), document(READ, "Deny")

Step = tuple[str, Callable[[], object], str]
"""What is done, how, and what is heard of every worker afterwards."""


@pytest.fixture
def iam(client: RegistryClient) -> Any:
    client.push_image("faults", "v1", [b"layer"])
    return client_of(client.server, "iam", ROOT)


def walk(asker: Asker, steps: Iterable[Step]) -> None:
    for what, change, heard in steps:
        change()
        assert asker.hears() == heard, what


def saying(effect: str, principal: Any, **members: Any) -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": READ, **members}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def tagged(key: str) -> str:
    return document(READ, Condition={"StringEquals": {key: "yes"}})


def test_policies_of_a_user(client: RegistryClient, iam: Any) -> None:
    with asking(client, "faults", make_ana(iam)) as ana:
        walk(ana, [("nothing yet", lambda: None, "denied"), *_inline(iam), *_managed(iam), *_group(iam)])


def _inline(iam: Any) -> list[Step]:
    def put(name: str, text: str) -> Callable[[], object]:
        return lambda: iam.put_user_policy(UserName="ana", PolicyName=name, PolicyDocument=text)

    def delete(name: str) -> Callable[[], object]:
        return lambda: iam.delete_user_policy(UserName="ana", PolicyName=name)

    return [
        ("inline put", put("a", MAY), "open"),
        ("a Deny beside it", put("b", MAY_NOT), "denied"),
        ("the Deny deleted", delete("b"), "open"),
        ("replaced", put("a", document("ecr:PutImage")), "denied"),
        ("replaced again", put("a", MAY), "open"),
        ("deleted", delete("a"), "denied"),
    ]


def _managed(iam: Any) -> list[Step]:
    arn = iam.create_policy(PolicyName="read", PolicyDocument=MAY)["Policy"]["Arn"]
    nothing = iam.create_policy(PolicyName="nothing", PolicyDocument=document("iam:GetUser"))["Policy"]["Arn"]
    version = {"PolicyArn": arn, "PolicyDocument": MAY_NOT, "SetAsDefault": True}
    ana, bounded = {"UserName": "ana", "PolicyArn": arn}, {"UserName": "ana", "PermissionsBoundary": nothing}
    return [
        ("attached", lambda: iam.attach_user_policy(**ana), "open"),
        ("a new default version", lambda: iam.create_policy_version(**version), "denied"),
        ("the old one again", lambda: iam.set_default_policy_version(PolicyArn=arn, VersionId="v1"), "open"),
        ("a boundary", lambda: iam.put_user_permissions_boundary(**bounded), "denied"),
        ("no boundary", lambda: iam.delete_user_permissions_boundary(UserName="ana"), "open"),
        ("detached", lambda: iam.detach_user_policy(**ana), "denied"),
    ]


def _group(iam: Any) -> list[Step]:
    iam.create_group(GroupName="readers")
    member = {"GroupName": "readers", "UserName": "ana"}
    pull = {"GroupName": "readers", "PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}
    inline = {"GroupName": "readers", "PolicyName": "p"}
    return [
        ("in a group without policies", lambda: iam.add_user_to_group(**member), "denied"),
        ("attached to the group", lambda: iam.attach_group_policy(**pull), "open"),
        ("detached from the group", lambda: iam.detach_group_policy(**pull), "denied"),
        ("inline of the group", lambda: iam.put_group_policy(**inline, PolicyDocument=MAY), "open"),
        ("out of the group", lambda: iam.remove_user_from_group(**member), "denied"),
    ]


def test_policies_of_resources_and_tags(client: RegistryClient, iam: Any) -> None:
    ecr, app = client.ecr, {"repositoryName": "faults"}

    def give(text: str) -> Callable[[], object]:
        return lambda: iam.put_user_policy(UserName="ana", PolicyName="a", PolicyDocument=text)

    def on_repository(text: str) -> Callable[[], object]:
        return lambda: ecr.set_repository_policy(**app, policyText=text, force=True)

    tags = [{"Key": "open", "Value": "yes"}]
    of_registry = saying("Allow", {"AWS": USER}, Resource=REPOSITORY, Sid="all")
    with asking(client, "faults", make_ana(iam)) as ana:
        walk(
            ana,
            [
                ("to whom the user is named", on_repository(saying("Allow", {"AWS": USER})), "open"),
                ("denied to everybody", on_repository(saying("Deny", "*")), "denied"),
                ("no repository policy", lambda: ecr.delete_repository_policy(**app), "denied"),
                ("registry policy", lambda: ecr.put_registry_policy(policyText=of_registry), "open"),
                ("no registry policy", ecr.delete_registry_policy, "denied"),
                ("if the user has a tag", give(tagged("aws:PrincipalTag/open")), "denied"),
                ("the user has it", lambda: iam.tag_user(UserName="ana", Tags=tags), "open"),
                ("no more", lambda: iam.untag_user(UserName="ana", TagKeys=["open"]), "denied"),
                ("if the repository has a tag", give(tagged("ecr:ResourceTag/open")), "denied"),
                ("it has", lambda: ecr.tag_resource(resourceArn=REPOSITORY, tags=tags), "open"),
                ("no more", lambda: ecr.untag_resource(resourceArn=REPOSITORY, tagKeys=["open"]), "denied"),
            ],
        )


def test_keys_of_a_user(client: RegistryClient, iam: Any) -> None:
    key = make_ana(iam)
    ana = {"UserName": "ana", "AccessKeyId": key["AccessKeyId"]}
    iam.put_user_policy(UserName="ana", PolicyName="a", PolicyDocument=MAY)
    with asking(client, "faults", key) as asker:
        given = {"repositoryName": "faults", "layerDigest": digest_of(b"layer")}
        url = client_of(client.server, "ecr", key).get_download_url_for_layer(**given)["downloadUrl"]

        def delete_user() -> None:
            for name in ("a", "log-in"):
                iam.delete_user_policy(UserName="ana", PolicyName=name)
            iam.delete_user(UserName="ana")

        walk(
            asker,
            [
                ("active", lambda: None, "open"),
                ("inactive", lambda: iam.update_access_key(**ana, Status="Inactive"), "revoked"),
                ("active again", lambda: iam.update_access_key(**ana, Status="Active"), "open"),
                ("deleted", lambda: iam.delete_access_key(**ana), "revoked"),
                ("the user deleted", delete_user, "revoked"),
            ],
        )
        assert downloads(asker, url) == {200}, "what was given is valid for its hour"
        client.ecr.delete_repository(repositoryName="faults", force=True)
        assert downloads(asker, url) == {404}, "as long as the repository has the layer"


def downloads(asker: Asker, url: str) -> set[int]:
    """What every worker answers to a URL that was given before."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    return {exchange(one, "GET", path, None, {}).status for one in asker.connections}


def trust(principal: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}],
        }
    )


def test_policies_of_a_role(client: RegistryClient, iam: Any) -> None:
    user = make_ana(iam)
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(USER))["Role"]["Arn"]
    iam.put_role_policy(RoleName="reader", PolicyName="log-in", PolicyDocument=LOG_IN)
    nothing = iam.create_policy(PolicyName="nothing", PolicyDocument=document("iam:GetUser"))["Policy"]["Arn"]
    read = {"RoleName": "reader", "PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"}
    inline, bounded = {"RoleName": "reader", "PolicyName": "a"}, {"RoleName": "reader"}
    sts = client_of(client.server, "sts", user)
    session = sts.assume_role(RoleArn=role, RoleSessionName="work")["Credentials"]
    tags = [{"Key": "open", "Value": "yes"}]

    def delete_role() -> None:
        iam.delete_role_policy(RoleName="reader", PolicyName="log-in")
        iam.delete_role(RoleName="reader")

    with asking(client, "faults", user) as ana, asking(client, "faults", session) as reader:
        walk(
            reader,
            [
                ("inline put", lambda: iam.put_role_policy(**inline, PolicyDocument=MAY), "open"),
                (
                    "a boundary",
                    lambda: iam.put_role_permissions_boundary(**bounded, PermissionsBoundary=nothing),
                    "denied",
                ),
                ("no boundary", lambda: iam.delete_role_permissions_boundary(**bounded), "open"),
                (
                    "if it has a tag",
                    lambda: iam.put_role_policy(**inline, PolicyDocument=tagged("aws:PrincipalTag/open")),
                    "denied",
                ),
                ("it has", lambda: iam.tag_role(RoleName="reader", Tags=tags), "open"),
                ("no more", lambda: iam.untag_role(RoleName="reader", TagKeys=["open"]), "denied"),
                ("inline deleted", lambda: iam.delete_role_policy(**inline), "denied"),
                ("attached", lambda: iam.attach_role_policy(**read), "open"),
            ],
        )
        assert ana.hears_of_role(role) == "open"
        iam.update_assume_role_policy(RoleName="reader", PolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))
        assert ana.hears_of_role(role) == "denied", "said to the account, and her own policies are silent"
        iam.put_user_policy(UserName="ana", PolicyName="a", PolicyDocument=document("sts:AssumeRole"))
        assert ana.hears_of_role(role) == "open"
        assert reader.hears() == "open", "who has assumed it before has it still"
        walk(
            reader,
            [
                ("detached", lambda: iam.detach_role_policy(**read), "denied"),
                ("the role deleted", delete_role, "revoked"),
            ],
        )
        assert ana.hears_of_role(role) == "denied", "as if it had never been"
