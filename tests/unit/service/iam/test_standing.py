"""Standing: what counts for a user or role, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.service.iam.standing import DENY_ALL, Standing, load_managed, load_standing
from entrepot.service.identity import IdentityService
from entrepot.store.aws_policy import package_policies
from entrepot.store.metadata.base import Database
from tests.support.iam_rows import attach, document, join, put_entity, put_inline, put_policy, put_tag
from tests.support.service import ACCOUNT

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(scope="module")
def aws() -> AwsPolicies:
    return package_policies()


async def test_of_a_user_with_groups(database: Database, identity_service: IdentityService, aws: AwsPolicies) -> None:
    def change(connection: Connection) -> Standing:
        team, ops, others = (put_entity(connection, EntityKind.GROUP, name) for name in ("team", "Ops", "others"))
        boundary = put_policy(connection, "Fence", document("ecr:*"))
        alice = put_entity(connection, EntityKind.USER, "alice", path="/web/", boundary=boundary)
        bob = put_entity(connection, EntityKind.USER, "bob")
        pull = put_policy(
            connection, "Pull", document("ecr:Get*"), document("ecr:BatchGetImage"), path="/a/", default=2
        )
        put_policy(connection, "Unused", document("ecr:PutImage"))
        for group, user in ((team, alice), (ops, alice), (ops, bob), (others, bob)):
            join(connection, group, user)
        put_inline(connection, alice, "own", document("ecr:ListImages"))
        put_inline(connection, ops, "deny", document("ecr:DeleteRepository", "Deny"))
        put_inline(connection, others, "stranger", document("ecr:*"))
        put_inline(connection, bob, "own", document("ecr:*"))
        attach(connection, alice, pull)
        attach(connection, team, pull)
        attach(connection, team, ADMINISTRATOR)
        attach(connection, others, ADMINISTRATOR)
        put_tag(connection, alice, "Team", "web")
        put_tag(connection, team, "Team", "none")
        return load_standing(connection, aws, alice.id)

    standing = await database.write(change)

    assert standing.identity == (
        ("group/Ops/deny", document("ecr:DeleteRepository", "Deny")),
        ("user/alice/own", document("ecr:ListImages")),
        (f"arn:aws:iam::{ACCOUNT}:policy/a/Pull", document("ecr:BatchGetImage")),
        (ADMINISTRATOR, aws[ADMINISTRATOR].document),
    )
    assert standing.boundary == (f"arn:aws:iam::{ACCOUNT}:policy/Fence", document("ecr:*"))
    assert standing.tags == {"Team": "web"}
    assert all(parse_policy(text, Kind.IDENTITY) for _, text in standing.identity)


async def test_of_a_role(database: Database, identity_service: IdentityService, aws: AwsPolicies) -> None:
    def change(connection: Connection) -> Standing:
        role = put_entity(connection, EntityKind.ROLE, "deploy", boundary=ADMINISTRATOR)
        put_inline(connection, role, "push", document("ecr:PutImage"))
        return load_standing(connection, aws, role.id)

    standing = await database.write(change)

    assert standing.identity == (("role/deploy/push", document("ecr:PutImage")),)
    assert standing.boundary == (ADMINISTRATOR, aws[ADMINISTRATOR].document)
    assert standing.tags == {}


async def test_nobody_stands_for_nothing(
    database: Database, identity_service: IdentityService, aws: AwsPolicies
) -> None:
    assert await database.read(lambda connection: load_standing(connection, aws, "AIDA")) == Standing()


async def test_a_policy_of_aws_that_is_not_known_any_more_denies(
    database: Database, identity_service: IdentityService, aws: AwsPolicies
) -> None:
    gone = "arn:aws:iam::aws:policy/Gone"

    def change(connection: Connection) -> Standing:
        role = put_entity(connection, EntityKind.ROLE, "deploy", boundary=gone)
        attach(connection, role, gone)
        return load_standing(connection, aws, role.id)

    standing = await database.write(change)

    assert (standing.identity, standing.boundary) == (((gone, DENY_ALL),), (gone, DENY_ALL))
    assert not parse_policy(DENY_ALL, Kind.IDENTITY).statements[0].is_allow


async def test_managed_policies_by_arn(database: Database, identity_service: IdentityService, aws: AwsPolicies) -> None:
    other = "999999999999"
    await identity_service.ensure_account(other, "second")

    def change(connection: Connection) -> list[str | None]:
        here = put_policy(connection, "Here", document("ecr:*"), path="/a/")
        put_policy(connection, "There", document(), account_id=other)
        arns = [here, here.replace("/a/", "/"), here.lower(), f"arn:aws:iam::{other}:policy/There", ADMINISTRATOR, "x"]
        return [load_managed(connection, aws, ACCOUNT, arn) for arn in arns]

    assert await database.write(change) == [document("ecr:*"), None, None, None, aws[ADMINISTRATOR].document, None]
