"""Decisions with policies in a database: callers of every kind, and changes that hold from the next request on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from entrepot.auth import authorize
from entrepot.auth.authorize import Authorizer
from entrepot.auth.condition_key import RequestFacts
from entrepot.domain.error import AccessDenied
from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.policy.evaluate import Decision, Outcome, Policies, Request, evaluate
from entrepot.domain.principal import Caller, Session, role_session_of, root_of, user_of
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositorySettings, parse_repository_name
from entrepot.domain.view import RepositoryView
from entrepot.service.access import AccessService
from entrepot.service.identity import IdentityService
from entrepot.service.repository import RepositoryService
from entrepot.store.aws_policy import package_policies
from entrepot.store.metadata import schema
from entrepot.store.metadata.access import find_epoch
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from entrepot.store.metadata.view import view_repository
from tests.support.iam_rows import attach, document, join, put_entity, put_inline, put_policy, put_tag
from tests.support.service import ACCOUNT, REGISTRY, Clock

OTHER = "210987654321"
FACTS = RequestFacts("127.0.0.1", is_secure=False, listener="http://127.0.0.1:5000")
APP = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
PULL_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"

Change = Callable[[Connection], Any]


class World:
    """An authorizer over a database, and people who ask it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock
        self.authorizer = Authorizer(AccessService(database, package_policies()), lambda: clock.now)

    async def change(self, change: Change, account_id: str = ACCOUNT) -> Any:
        """Change rows, and the epoch with them."""

        def both(connection: Connection) -> Any:
            made = change(connection)
            raise_access_epoch(connection, account_id)
            return made

        return await self.database.write(both)

    async def user(self, name: str, *texts: str, account_id: str = ACCOUNT, **columns: Any) -> Caller:
        """A user with inline policies."""
        entity = await self.change(lambda c: put_entity(c, EntityKind.USER, name, account_id=account_id, **columns))
        await self.give(entity, *texts)
        return Caller(user_of(account_id, entity.id, entity.path, name), f"AKIA{name}")

    async def role(self, name: str, *texts: str, **session: Any) -> Caller:
        """A session of a role with inline policies."""
        entity = await self.change(lambda c: put_entity(c, EntityKind.ROLE, name))
        await self.give(entity, *texts)
        held = Session(self.clock.now, self.clock.now + timedelta(hours=1), "job", **session)
        return Caller(role_session_of(ACCOUNT, entity.id, "/", name, "job"), f"ASIA{name}", session=held)

    async def give(self, entity: Entity, *texts: str) -> None:
        def change(connection: Connection) -> None:
            for number, text in enumerate(texts):
                put_inline(connection, entity, f"p{number}", text)

        await self.change(change, entity.account_id)

    async def outcome(self, caller: Caller, action: str, arn: str = APP, facts: RequestFacts = FACTS) -> str:
        """What is decided at the epoch of now."""
        epoch = await self.database.read(lambda connection: find_epoch(connection, caller.account_id))
        decision = await self.authorizer.decide(replace(caller, epoch=epoch or 0), action, arn, facts)
        return decision.outcome.value


@pytest.fixture
async def world(
    database: Database, clock: Clock, identity_service: IdentityService, repository_service: RepositoryService
) -> World:
    await identity_service.ensure_account(OTHER, "second")
    await repository_service.create(
        REGISTRY, parse_repository_name("team/app"), RepositorySettings(), {"Stage": "prod"}
    )
    return World(database, clock)


ALLOWED, EXPLICIT, IMPLICIT = (one.value for one in (Outcome.ALLOWED, Outcome.EXPLICIT_DENY, Outcome.IMPLICIT_DENY))


async def test_root_may_everything_at_home_and_nothing_elsewhere(world: World) -> None:
    root, foreign = Caller(root_of(ACCOUNT), "AKIA"), Caller(root_of(OTHER), "AKIB")

    assert await world.outcome(root, "ecr:PutImage") == ALLOWED
    assert await world.outcome(root, "ecr:GetAuthorizationToken", "*") == ALLOWED
    assert await world.outcome(foreign, "ecr:PutImage") == IMPLICIT
    for strange in ("arn:aws:ecr:us-east-1::repository/a", "arn:aws:ecr:us-east-1:123456789012", "123456789012", ""):
        assert await world.outcome(root, "ecr:PutImage", strange) == IMPLICIT


async def test_a_denial_says_who_what_where_and_by_which_policies(world: World) -> None:
    mia = await world.user("mia", document("ecr:ListImages"), document("ecr:PutImage", "Deny"))

    with pytest.raises(AccessDenied) as implicit:
        await world.authorizer.check(mia, "ecr:BatchGetImage", [APP], FACTS)
    with pytest.raises(AccessDenied) as explicit:
        await world.authorizer.check(mia, "ecr:PutImage", [APP], FACTS)
    await world.authorizer.check(mia, "ecr:ListImages", [APP, "*"], FACTS)

    error = implicit.value
    assert (error.principal_arn, error.action, error.resource) == (mia.principal.arn, "ecr:BatchGetImage", APP)
    assert (error.layer, error.is_explicit) == ("identity-based policy", False)
    assert (explicit.value.layer, explicit.value.is_explicit) == ("identity-based policy", True)


async def test_policies_of_groups_and_of_aws_count(world: World) -> None:
    mia = await world.user("mia")
    assert await world.outcome(mia, "ecr:BatchGetImage") == IMPLICIT

    def change(connection: Connection) -> None:
        group = put_entity(connection, EntityKind.GROUP, "readers")
        entity = Entity(mia.principal.unique_id, ACCOUNT, EntityKind.USER, "/", "mia", world.clock.now)
        attach(connection, group, PULL_ONLY)
        join(connection, group, entity)

    await world.change(change)

    assert await world.outcome(mia, "ecr:BatchGetImage") == ALLOWED
    assert await world.outcome(mia, "ecr:GetAuthorizationToken", "*") == ALLOWED
    assert await world.outcome(mia, "ecr:PutImage") == IMPLICIT


async def test_a_boundary_limits_and_allows_nothing(world: World) -> None:
    arn = await world.change(lambda c: put_policy(c, "limit", document("ecr:List*")))
    mia = await world.user("mia", document("ecr:*"), boundary=arn)
    ben = await world.user("ben", boundary=arn)

    assert await world.outcome(mia, "ecr:ListImages") == ALLOWED
    assert await world.outcome(mia, "ecr:PutImage") == IMPLICIT
    assert await world.outcome(ben, "ecr:ListImages") == IMPLICIT


async def test_session_policies_limit_a_session(world: World) -> None:
    arn = await world.change(lambda c: put_policy(c, "limit", document("ecr:List*")))
    free = await world.role("free", document("ecr:*"))
    inline = await world.role("inline", document("ecr:*"), policy=document("ecr:PutImage"))
    both = await world.role("both", document("ecr:*"), policy=document("ecr:PutImage"), policy_arns=(arn,))
    gone = await world.role("gone", document("ecr:*"), policy=document("ecr:*"), policy_arns=("arn:gone",))

    assert await world.outcome(free, "ecr:BatchGetImage") == ALLOWED
    assert await world.outcome(inline, "ecr:PutImage") == ALLOWED
    assert await world.outcome(inline, "ecr:ListImages") == IMPLICIT
    assert await world.outcome(both, "ecr:ListImages") == await world.outcome(both, "ecr:PutImage") == ALLOWED
    assert await world.outcome(both, "ecr:BatchGetImage") == IMPLICIT
    assert await world.outcome(gone, "ecr:ListImages") == EXPLICIT


def own_team(tag: str) -> str:
    return document("ecr:*", Condition={"StringEquals": {f"aws:PrincipalTag/{tag}": "web"}})


async def test_tags_of_a_session_overlay_those_of_its_role(world: World) -> None:
    tagged = await world.role("tagged", own_team("Team"), tags={"team": "web"})
    bare = await world.role("bare", own_team("Team"))
    assert await world.outcome(tagged, "ecr:ListImages") == ALLOWED
    assert await world.outcome(bare, "ecr:ListImages") == IMPLICIT

    entity = Entity(bare.principal.unique_id, ACCOUNT, EntityKind.ROLE, "/", "bare", world.clock.now)
    await world.change(lambda c: put_tag(c, entity, "TEAM", "web"))
    assert await world.outcome(bare, "ecr:ListImages") == ALLOWED


async def test_tags_of_the_repository(world: World) -> None:
    tagged = document("ecr:*", Condition={"StringEquals": {"ecr:ResourceTag/stage": "prod"}})
    mia = await world.user("mia", tagged)

    assert await world.outcome(mia, "ecr:ListImages") == ALLOWED
    assert await world.outcome(mia, "ecr:ListImages", APP + "2") == IMPLICIT


def saying(action: str, principal: Any, effect: str = "Allow", **members: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Principal": principal, **members}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def set_policy(world: World, text: str, principals: dict[str, str] | None = None) -> None:
    def change(connection: Connection) -> None:
        values = {"repository_id": 1, "document": text, "principals": json.dumps(principals or {})}
        connection.execute(schema.repository_policy.delete())
        connection.execute(insert(schema.repository_policy).values(values))

    await world.change(change)


async def test_a_repository_policy_grants_and_denies(world: World) -> None:
    mia, root = await world.user("mia"), Caller(root_of(ACCOUNT), "AKIA")
    await set_policy(world, saying("ecr:ListImages", "*"))
    assert await world.outcome(mia, "ecr:ListImages") == ALLOWED
    assert await world.outcome(mia, "ecr:ListImages", APP + "2") == IMPLICIT

    await set_policy(world, saying("ecr:ListImages", "*", "Deny"))
    assert await world.outcome(mia, "ecr:ListImages") == await world.outcome(root, "ecr:ListImages") == EXPLICIT


async def test_a_recreated_user_gains_nothing_from_saved_policies(world: World) -> None:
    mia = await world.user("mia")
    arn = mia.principal.arn
    await set_policy(world, saying("ecr:ListImages", {"AWS": arn}), {arn: mia.principal.unique_id})
    anew = replace(mia, principal=replace(mia.principal, unique_id="AIDAANEW"), access_key_id="AKIAANEW")

    assert await world.outcome(mia, "ecr:ListImages") == ALLOWED
    assert await world.outcome(anew, "ecr:ListImages") == IMPLICIT


async def test_across_accounts_both_sides_must_allow(world: World) -> None:
    ann = await world.user("ann", document("ecr:*"), account_id=OTHER)
    ben = await world.user("ben", account_id=OTHER)
    assert await world.outcome(ann, "ecr:ListImages") == IMPLICIT

    await set_policy(world, saying("ecr:ListImages", {"AWS": OTHER}))
    assert await world.outcome(ann, "ecr:ListImages") == ALLOWED
    assert await world.outcome(ben, "ecr:ListImages") == IMPLICIT
    assert await world.outcome(ann, "ecr:PutImage") == IMPLICIT
    assert await world.outcome(ann, "ecr:ListImages", APP + "2") == IMPLICIT


async def test_a_registry_policy_counts_within_its_scope(world: World) -> None:
    ann = await world.user("ann", document("ecr:*"), account_id=OTHER)
    everything = saying("ecr:*", {"AWS": OTHER}, Resource=f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*")

    async def put(settings: str) -> None:
        def change(connection: Connection) -> None:
            connection.execute(schema.registry_policy.delete())
            values = {"registry_id": 1, "document": everything, "principals": "{}"}
            connection.execute(insert(schema.registry_policy).values(values))
            connection.execute(schema.registry.update().values(settings=settings))

        await world.change(change)

    await put("{}")
    assert (
        await world.outcome(ann, "ecr:ListImages") == await world.outcome(ann, "ecr:CreateRepository", APP) == ALLOWED
    )
    await put('{"REGISTRY_POLICY_SCOPE": "V1"}')
    assert await world.outcome(ann, "ecr:CreateRepository", APP + "2") == ALLOWED
    assert await world.outcome(ann, "ecr:ListImages") == IMPLICIT


async def test_a_trust_policy_decides_about_its_role(world: World) -> None:
    mia = await world.user("mia", document("sts:AssumeRole"))
    role = f"arn:aws:iam::{ACCOUNT}:role/build"

    def change(connection: Connection) -> None:
        entity = put_entity(connection, EntityKind.ROLE, "build", path="/ci/")
        trust = {"trust_policy": saying("sts:AssumeRole", {"AWS": ACCOUNT}), "trust_principals": "{}"}
        connection.execute(insert(schema.iam_role).values(id=entity.id, session_seconds_max=3600, **trust))

    assert await world.outcome(mia, "sts:AssumeRole", role) == IMPLICIT
    await world.change(change)
    assert await world.outcome(mia, "sts:AssumeRole", role) == ALLOWED
    ben = await world.user("ben")
    assert await world.outcome(ben, "sts:AssumeRole", role) == IMPLICIT


async def test_entities_are_known_by_the_path_that_they_have(world: World) -> None:
    await world.user("ann", path="/team/")
    mia = await world.user("mia", document("iam:GetUser", Resource=f"arn:aws:iam::{ACCOUNT}:user/team/*"))

    assert await world.outcome(mia, "iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/ann") == ALLOWED
    assert await world.outcome(mia, "iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/mia") == IMPLICIT
    assert await world.outcome(mia, "iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/nobody") == IMPLICIT


class Counted:
    """How often decisions are made anew."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        def counting(request: Request, policies: Policies) -> Decision:
            self.count += 1
            return evaluate(request, policies)

        monkeypatch.setattr(authorize, "evaluate", counting)

    async def of(self, asking: Awaitable[Any]) -> int:
        before = self.count
        await asking
        return self.count - before


async def test_a_decision_is_remembered_by_what_it_depends_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    at_home = document("ecr:ListImages", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    by_day = document("ecr:PutImage", Condition={"DateLessThan": {"aws:CurrentTime": "2026-11-02T00:00:00Z"}})
    mia = await world.user("mia", at_home, by_day)
    inside = replace(FACTS, source_ip="10.1.1.1")

    assert await counted.of(world.outcome(mia, "ecr:ListImages")) == 1
    assert await counted.of(world.outcome(mia, "ecr:ListImages")) == 0
    assert await counted.of(world.outcome(mia, "ecr:ListImages", facts=inside)) == 1
    assert await world.outcome(mia, "ecr:ListImages", facts=inside) == ALLOWED
    assert await world.outcome(mia, "ecr:ListImages") == IMPLICIT
    assert await world.outcome(mia, "ecr:PutImage") == ALLOWED
    world.clock.forward(days=2)
    assert await world.outcome(mia, "ecr:PutImage") == IMPLICIT


async def test_a_change_holds_from_the_next_decision_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    mia = await world.user("mia", document("ecr:ListImages"))
    entity = Entity(mia.principal.unique_id, ACCOUNT, EntityKind.USER, "/", "mia", world.clock.now)
    assert await world.outcome(mia, "ecr:ListImages") == ALLOWED

    await world.change(lambda c: put_inline(c, entity, "stop", document("ecr:ListImages", "Deny")))

    assert await counted.of(world.outcome(mia, "ecr:ListImages")) == 1
    assert await world.outcome(mia, "ecr:ListImages") == EXPLICIT


async def test_memory_of_decisions_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorize, "DECISIONS_MAX", 3)
    mia = await world.user("mia", document("ecr:ListImages", Condition={"StringLike": {"aws:UserAgent": "*"}}))
    for number in range(9):
        for agent in range(5):
            facts = replace(FACTS, user_agent=str(agent))
            assert await world.outcome(mia, "ecr:ListImages", f"{APP}{number}", facts) == ALLOWED
    epoch = await world.database.read(lambda connection: find_epoch(connection, ACCOUNT))
    holder = await world.authorizer._access.caller(replace(mia, epoch=epoch or 0))
    assert 0 < len(holder.decisions) <= 3
    assert 0 < len(holder.questions) <= 3


async def test_the_registry_of_an_account_that_does_not_exist(world: World) -> None:
    root = Caller(root_of(ACCOUNT), "AKIA")
    assert (
        await world.outcome(root, "ecr:ListImages", Registry("999999999999", "us-east-1").repository_arn("a"))
        == IMPLICIT
    )


async def test_what_was_allowed_is_recalled_until_something_counts(world: World) -> None:
    inside = document("ecr:ListImages", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})
    by_day = document("ecr:PutImage", Condition={"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}})
    mia = await world.user("mia", inside, by_day)

    async def recalls(action: str, facts: RequestFacts = FACTS) -> bool:
        def look(connection: Connection) -> RepositoryView:
            return view_repository(connection, ACCOUNT, REGISTRY, parse_repository_name("team/app"))

        view = await world.database.read(look)
        caller = replace(mia, epoch=view.caller_epoch or 0)
        before = world.authorizer.recalls(caller, action, facts, view)
        await world.authorizer.decide(caller, action, APP, facts, view)
        return before

    assert [await recalls("ecr:ListImages") for _ in range(3)] == [False, True, True]
    outside = replace(FACTS, source_ip="10.1.1.1")
    assert [await recalls("ecr:ListImages", outside) for _ in range(2)] == [False, False], "a denial is told anew"
    assert [await recalls("ecr:BatchGetImage") for _ in range(2)] == [False, False]
    assert [await recalls("ecr:PutImage") for _ in range(2)] == [False, False], "time goes on"
    await world.change(lambda connection: None)
    assert [await recalls("ecr:ListImages") for _ in range(2)] == [False, True]


async def test_who_asks_is_named_as_the_partition_of_the_region_does(world: World) -> None:
    builder = await world.role("builder", document("ecr:*"))
    china = replace(builder, principal=builder.principal.in_partition("aws-cn"))
    await set_policy(world, saying("ecr:ListImages", {"AWS": builder.principal.arn}, "Deny"))

    assert await world.outcome(china, "ecr:ListImages") == ALLOWED
    assert await world.outcome(builder, "ecr:ListImages") == EXPLICIT
    assert await world.outcome(china, "ecr:ListImages") == ALLOWED


async def reason(world: World, caller: Caller, action: str, arn: str) -> tuple[str | None, bool]:
    """What a denial says of policies."""
    epoch = await world.database.read(lambda connection: find_epoch(connection, caller.account_id))
    with pytest.raises(AccessDenied) as denied:
        await world.authorizer.check(replace(caller, epoch=epoch or 0), action, [arn], FACTS)
    return denied.value.layer, denied.value.is_explicit


async def test_a_denial_tells_of_a_policy_only_those_whom_nothing_else_keeps_out(world: World) -> None:
    """The words are the same for a repository whose policy or tags deny and for one that does not exist."""
    missing = APP + "2"
    nobody, mia = await world.user("nobody"), await world.user("mia", document("ecr:*"))
    by_tag = document("ecr:*", "Deny", Condition={"StringEquals": {"aws:ResourceTag/stage": "prod"}})
    tagged = await world.user("tagged", by_tag)
    ann = await world.user("ann", document("ecr:*"), account_id=OTHER)
    await set_policy(world, saying("ecr:ListImages", "*", "Deny"))

    for caller in (nobody, tagged, ann):
        there, not_there = [await reason(world, caller, "ecr:ListImages", arn) for arn in (APP, missing)]
        assert there == not_there
        assert not there[1]
    assert await reason(world, mia, "ecr:ListImages", APP) == ("resource-based policy", True)
    assert await world.outcome(mia, "ecr:ListImages", missing) == ALLOWED
