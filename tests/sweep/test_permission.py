"""With everything denied nothing answers, and each action opens what is its own: both planes, by real requests.

Spec: docs/design/policy.md; security rules, "Decisions"; ECR user guide, "Private registry authentication".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from entrepot.domain.iam import EntityKind
from entrepot.store.metadata.schema import iam_role
from entrepot.transport.aws.row import Beside, Row
from entrepot.transport.oci.route import routes
from tests.support.aws import AwsWorld, aws_world
from tests.support.database import SqliteAddress
from tests.support.iam_rows import document, put_entity, put_policy
from tests.support.person import Person, change, make_session, make_user
from tests.support.registry import HOME
from tests.sweep.request import NAMES, ROLE, ROUTES, WORKING, Route, call, given, is_denied

NEVER_DENIED = {"GetCallerIdentity"}
NEEDS_NOTHING = {*NEVER_DENIED, "GetSessionToken"}
"""What is open unless a Deny closes it."""
EXISTING = {
    "repositoryName": (NAMES["name"], "team/nix"),
    "UserName": ("ben", "nobody"),
    "RoleName": (ROLE, "nobody"),
    "GroupName": ("everybody", "nobody"),
    "PolicyArn": (f"arn:aws:iam::{HOME.account_id}:policy/much", f"arn:aws:iam::{HOME.account_id}:policy/nothing"),
    "RoleArn": (f"arn:aws:iam::{HOME.account_id}:role/{ROLE}", f"arn:aws:iam::{HOME.account_id}:role/nobody"),
    "roleArn": (f"arn:aws:iam::{HOME.account_id}:role/{ROLE}", f"arn:aws:iam::{HOME.account_id}:role/nobody"),
}
"""Members, each with something that exists and something that does not."""

DENY_ALL = document("*", "Deny")
ALLOW_ALL = document("*")


@pytest.fixture
async def world(sqlite_address: SqliteAddress, tmp_path: Path) -> AsyncIterator[AwsWorld]:
    """A registry with a repository, an image, a role to assume, a user, a group and a policy."""
    async with aws_world(sqlite_address, tmp_path / "data") as made:
        await made.create(NAMES["name"])
        await made.registry.client.put_image(NAMES["name"], NAMES["tag"])
        await change(made, _put_iam)
        yield made


def _put_iam(connection: Connection) -> None:
    role = put_entity(connection, EntityKind.ROLE, ROLE)
    trust = document("sts:*", Principal={"AWS": HOME.account_id}).replace('"Resource": "*", ', "")
    values = {"id": role.id, "trust_policy": trust, "trust_principals": "{}", "session_seconds_max": 3600}
    connection.execute(insert(iam_role).values(values))
    put_entity(connection, EntityKind.USER, "ben")
    put_entity(connection, EntityKind.GROUP, "everybody")
    put_policy(connection, "much", document())


def test_every_route_is_swept(world: AwsWorld) -> None:
    table = routes(world.registry.services, None)  # type: ignore[arg-type]  # nothing is asked
    there_are = {(kind, method) for kind, methods in table.items() for method in methods}

    assert {(route.kind, route.method) for route in ROUTES} == there_are


async def people(world: AwsWorld) -> list[Person]:
    return [await make_user(world, "ana"), await make_session(world, "builder")]


@pytest.mark.parametrize("texts", [[DENY_ALL], [DENY_ALL, ALLOW_ALL], []], ids=["denied", "allowed too", "no policy"])
async def test_nothing_answers_who_may_nothing(world: AwsWorld, texts: list[str]) -> None:
    open_to_all = NEVER_DENIED if texts else NEEDS_NOTHING
    for person in await people(world):
        await person.have(*texts)
        for row in WORKING:
            reply = await call(person.aws, row, given(row))
            is_open = row.name in open_to_all and not (row.name == "GetSessionToken" and person.aws.token)
            assert is_denied(reply) != is_open, (row.name, reply.parsed)
        for route in ROUTES:
            answer = await route.send(person.oci, **NAMES)
            denied = (403, [] if route.method == "HEAD" else ["DENIED"])
            assert (answer.status, answer.codes) == ((200, []) if route.kind == "base" else denied), str(route)


@pytest.mark.parametrize("texts", [[DENY_ALL], []], ids=["denied", "no policy"])
async def test_a_denial_says_the_same_of_what_exists_and_what_does_not(world: AwsWorld, texts: list[str]) -> None:
    for person in await people(world):
        await person.have(*texts)
        for route in ROUTES[2:]:
            there, absent = [
                await route.send(person.oci, **NAMES | {"name": name}) for name in ("team/app", "team/nix")
            ]
            assert there.status == absent.status == 403, str(route)
            assert there.body.replace(b"team/app", b"team/nix") == absent.body, str(route)
        for row in WORKING:
            there_not = given(row)
            for member, (exists, does_not) in EXISTING.items():
                if member in there_not:
                    denials = [await call(person.aws, row, there_not | {member: name}) for name in (exists, does_not)]
                    assert all(map(is_denied, denials)), row.name
                    assert denials[0].message.replace(exists, does_not) == denials[1].message, row.name


def actions_of(rows: Iterable[Row], swept: Iterable[Route]) -> list[str]:
    """All that any of these asks for."""
    of_rows = {action for row in rows for action in (row.action, *(action for action, _ in row.also))}
    of_rows |= {other.action for row in rows for other in row.beside}
    return sorted(of_rows.union(*(needed for route in swept for needed in route.opened_by)))


@pytest.mark.parametrize("service", ["ec2", "ecr", "entrepot", "iam", "kms", "sts"])
async def test_an_action_alone_opens_its_operations(world: AwsWorld, service: str) -> None:
    rows = [row for row in WORKING if row.service == service]
    others = [row for row in WORKING if row.service != service]
    ana = await make_user(world, "ana")
    for action in actions_of(rows, []):
        await ana.allow(action)
        for row in [*rows, *others[:: 1 + len(others) // 3]]:
            reply = await call(ana.aws, row, given(row))
            is_open = (row.action == action and not row.beside) or row.name in NEEDS_NOTHING
            assert is_denied(reply) != is_open, (action, row.name, reply.parsed)


async def test_all_other_actions_together_do_not_open_an_operation(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    for row in WORKING:
        await ana.have(document("*"), document(row.action, "Deny"))
        reply = await call(ana.aws, row, given(row))
        assert is_denied(reply) == (row.name not in NEVER_DENIED), (row.name, reply.parsed)


ALSO = [(row, action, member) for row in WORKING for action, member in row.also]


@pytest.mark.parametrize(("row", "action", "member"), ALSO, ids=[f"{row.name} with {at}" for row, _, at in ALSO])
async def test_some_members_need_another_action_as_well(world: AwsWorld, row: Row, action: str, member: str) -> None:
    ana, full = await make_user(world, "ana"), given(row, member)
    full[member] = full[member] or [{"Key": "a", "Value": "b"}]
    for allowed, is_open in (((row.action,), False), ((action,), False), ((row.action, action), True)):
        await ana.allow(*allowed)
        assert is_denied(await call(ana.aws, row, full)) != is_open, allowed
    await ana.allow(row.action)
    assert not is_denied(await call(ana.aws, row, given(row)))


BESIDE = [(row, other) for row in WORKING for other in row.beside]


@pytest.mark.parametrize(("row", "other"), BESIDE, ids=[f"{row.name} and {other.action}" for row, other in BESIDE])
async def test_some_operations_need_an_action_on_another_resource(world: AwsWorld, row: Row, other: Beside) -> None:
    ana = await make_user(world, "ana")
    for allowed, is_open in (((row.action,), False), ((other.action,), False), ((row.action, other.action), True)):
        await ana.allow(*allowed)
        assert is_denied(await call(ana.aws, row, given(row))) != is_open, allowed


async def test_an_action_alone_opens_its_routes(world: AwsWorld) -> None:
    ana = await make_user(world, "ana")
    for action in actions_of([row for row in WORKING if row.service == "ecr"], ROUTES):
        await ana.allow(action)
        for route in ROUTES:
            answer = await route.send(ana.oci, **NAMES)
            assert (answer.status != 403) == route.opens(action), (action, str(route), answer)


@pytest.mark.parametrize("route", [one for one in ROUTES if any(one.opened_by)], ids=str)
async def test_a_route_needs_all_of_its_actions(world: AwsWorld, route: Route) -> None:
    ana = await make_user(world, "ana")
    for needed in route.opened_by:
        await ana.allow(*needed)
        assert (await route.send(ana.oci, **NAMES)).status != 403
    for absent in route.opened_by[0]:
        denied = [absent] if len(route.opened_by) == 1 else frozenset[str]().union(*route.opened_by)
        await ana.have(ALLOW_ALL, *[document(action, "Deny") for action in denied])
        assert (await route.send(ana.oci, **NAMES)).status == 403, denied
