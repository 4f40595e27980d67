"""`entrepot policy explain`: on a real data directory, for callers of every kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.iam import EntityKind
from entrepot.domain.principal import Session
from entrepot.domain.repository import RepositorySettings, parse_repository_name
from entrepot.domain.session_record import write_session
from entrepot.service.repository import RepositoryService
from entrepot.service.repository_policy import RepositoryPolicyService
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.identity import AccessKeyRow, insert_access_key
from tests.support.iam_rows import document, put_entity, put_inline, put_policy, put_role
from tests.support.service import ACCOUNT, REGISTRY
from tests.support.started import start_once

APP = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
KEYS = f"arn:aws:kms:us-east-1:{ACCOUNT}"
IAM, STS = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sts::{ACCOUNT}"
MIA, BUILD = f"{IAM}:user/dev/mia", f"{IAM}:role/build"
BEN, GROUP = f"{IAM}:user/ben", "AGPADEVS0000000000000"


@dataclass
class Told:
    """What the command did."""

    code: int
    output: str
    lines: Sequence[str]


class Command:
    """`entrepot policy explain` on a data directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, principal: str, action: str, resource: str = APP, *more: str) -> Told:
        words = ["policy", "explain", "--principal", principal, "--action", action, "--resource", resource, *more]
        done = CliRunner().invoke(app, [*words, "--data-dir", str(self.settings.data_dir)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Told(done.exit_code, done.output, done.output.splitlines())

    def json(self, *words: str, code: int = 0) -> Any:
        told = self(*words, "--json")
        assert told.code == code, told.output
        return json.loads(told.output)


def _fill(connection: Connection) -> None:
    """Mia may list from home and act in IAM; `build` may do everything, its session `ci` less."""
    fence = put_policy(connection, "fence", document(["ecr:*", "iam:*", "sts:*"]))
    mia = put_entity(connection, EntityKind.USER, "mia", path="/dev/", boundary=fence)
    at_home = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    put_inline(connection, mia, "list", document("ecr:ListImages", Condition=at_home))
    put_inline(connection, mia, "admin", document(["iam:GetUser", "sts:AssumeRole"]))
    put_inline(connection, mia, "stop", document("ecr:DeleteRepository", "Deny", Sid="Stop"))
    ben = put_entity(connection, EntityKind.USER, "ben")
    put_inline(connection, ben, "none", document("sts:*", "Deny"))
    put_entity(connection, EntityKind.GROUP, "devs")
    build = put_role(connection, "build", mia)
    put_inline(connection, build, "all", document("ecr:*"))
    now = datetime.now(UTC)
    session = Session(now, now + timedelta(hours=1), "ci", policy=document("ecr:ListImages"))
    row = AccessKeyRow("ASIACI", ACCOUNT, build.id, b"", True, 0, write_session(session), b"")
    assert insert_access_key(connection, row, to_micros(now), to_micros(session.expires_at))


@pytest.fixture(scope="module")
def explain(tmp_path_factory: pytest.TempPathFactory) -> Command:
    settings = start_once(tmp_path_factory.mktemp("explain") / "data")

    async def fill(bench: Workbench) -> None:
        await bench.database.write(_fill)
        name = parse_repository_name("team/app")
        await RepositoryService(bench.database, bench.context, bench.keys).create(
            REGISTRY, name, RepositorySettings(), {}
        )
        text = document("ecr:PutImage", Principal={"AWS": MIA}, Sid="Mia")
        await RepositoryPolicyService(bench.database).set(REGISTRY, name, _without_resource(text))

    workbench.run(settings, fill)
    return Command(settings)


def _without_resource(text: str) -> str:
    policy = json.loads(text)
    del policy["Statement"][0]["Resource"]
    return json.dumps(policy)


def test_an_explicit_deny_is_named(explain: Command) -> None:
    told = explain(MIA, "ecr:DeleteRepository")
    assert told.code == 3
    assert told.lines[:3] == [
        f"{MIA}: ecr:DeleteRepository on {APP}",
        "Denied: a policy says Deny, which no Allow outweighs.",
        '  denied by identity-based policy user/mia/stop, Statement[0] "Stop"',
    ]


def test_a_condition_that_does_not_hold_is_the_reason(explain: Command) -> None:
    told = explain(MIA, "ecr:ListImages")
    assert told.code == 3
    assert 'user/mia/list, Statement[0], but `IpAddress aws:SourceIp` "10.0.0.0/8" does not hold' in told.output
    assert "  aws:SourceIp: 127.0.0.1 (assumed)" in told.lines
    assert "Assumed: aws:SourceIp=127.0.0.1, aws:SecureTransport=false, aws:RequestedRegion=us-east-1" in told.output

    told = explain(MIA, "ecr:ListImages", APP, "--context", "aws:sourceip=10.1.1.1")
    assert told.code == 0
    assert told.lines[1].startswith("Allowed: an identity-based policy")
    assert "  aws:SourceIp: 10.1.1.1 (given)" in told.lines
    assert "aws:SourceIp=127.0.0.1" not in told.output


def test_a_key_that_nothing_asks_for_is_noted(explain: Command) -> None:
    told = explain(MIA, "ecr:PutImage", APP, "--context", "aws:SourceIP6=::1", "--context", "aws:SourceIP6=::2")
    assert told.code == 0
    assert 'allowed by repository policy, Statement[0] "Mia"' in told.output
    assert "Note: nothing here depends on aws:sourceip6." in told.lines


def test_json(explain: Command) -> None:
    told = explain.json(MIA, "ecr:listimages", APP, code=3)
    assert (told["decision"], told["deniedBy"]) == ("implicitDeny", "identity-based policy")
    assert (told["principal"], told["action"], told["resource"]) == (MIA, "ecr:ListImages", APP)
    missed = [one for one in told["statements"] if not one["applies"]]
    assert missed == [
        {
            "effect": "Allow",
            "layer": "identity-based policy",
            "policy": "user/mia/list",
            "statement": "Statement[0]",
            "sid": None,
            "applies": False,
            "decides": False,
            "because": "condition",
            "conditions": [{"condition": "IpAddress aws:SourceIp", "values": ["10.0.0.0/8"]}],
        }
    ]
    assert [one["policy"] for one in told["statements"] if one["applies"]] == [f"{IAM}:policy/fence"]
    assert told["conditionKeys"] == [{"key": "aws:SourceIp", "values": ["127.0.0.1"], "from": "assumed"}]
    assert told["assumed"].keys() == {"aws:SourceIp", "aws:SecureTransport", "aws:RequestedRegion", "aws:CurrentTime"}
    assert told["notes"] == []
    assert told["explanation"][0].startswith("Denied: no policy says Deny")


def test_every_form_of_a_principal(explain: Command) -> None:
    for root in (ACCOUNT, f"{IAM}:root"):
        told = explain(root, "ecr:DeleteRepository")
        assert told.code == 0
        assert told.lines[0] == f"{IAM}:root: ecr:DeleteRepository on {APP}"
        assert "root needs no policy in its own account" in told.lines[1]
    mia, build = "AIDAMIA00000000000000", "AROABUILD000000000000"
    assert explain(mia, "ecr:DeleteRepository").lines[0].startswith(f"{MIA}: ")
    for role in (BUILD, build):
        told = explain(role, "ecr:BatchGetImage")
        assert told.code == 0
        assert told.lines[0].startswith(f"{STS}:assumed-role/build/explained: ")
        assert "Note: the role stands for a session of it, without session policies and session tags." in told.lines
    for session in (f"{STS}:assumed-role/build/ci", f"{build}:ci"):
        told = explain(session, "ecr:BatchGetImage")
        assert told.code == 3
        assert "the session policies must allow it too, and do not" in told.lines[1]
        assert "Note: the session is taken as a living key has it, issued at 2" in told.output
        assert explain(session, "ecr:ListImages").code == 0
    told = explain(f"{STS}:assumed-role/build/other", "ecr:BatchGetImage")
    assert told.code == 0
    assert "Note: the role has no living session other: taken without session policies" in told.output


@pytest.mark.parametrize(
    ("principal", "says"),
    [
        (f"{IAM}:user/mia", f"there is no user {IAM}:user/mia, but there is {MIA}"),
        (f"{IAM}:user/dev/zoe", f"there is no user {IAM}:user/dev/zoe"),
        (f"{IAM}:role/other", f"there is no role {IAM}:role/other"),
        (f"{STS}:assumed-role/other/ci", f"there is no role other in account {ACCOUNT}"),
        ("210987654321", "there is no account 210987654321"),
        ("arn:aws:iam::210987654321:root", "there is no account 210987654321"),
        ("AIDANOBODY00000000000", "there is no user or role with the unique id AIDANOBODY00000000000"),
        (GROUP, f"there is no user or role with the unique id {GROUP}, but there is the group {IAM}:group/devs"),
    ],
)
def test_nobody_has_the_name(explain: Command, principal: str, says: str) -> None:
    told = explain(principal, "ecr:PutImage")
    assert (told.code, told.output) == (1, f"entrepot: {says}\n")


@pytest.mark.parametrize(
    ("principal", "action", "resource", "context", "says"),
    [
        ("mia", "ecr:PutImage", APP, (), "mia is no principal: name the ARN of a user"),
        (f"{IAM}:group/devs", "ecr:PutImage", APP, (), f"{IAM}:group/devs is no principal"),
        (
            MIA,
            "ecr:PutImages",
            APP,
            (),
            "ecr:PutImages is no action that this server knows; did you mean ecr:P",
        ),
        (MIA, "PutImage", APP, (), "PutImage is no action that this server knows"),
        (MIA, "ecr:*", APP, (), "ecr:* is a pattern of actions: name one action"),
        (MIA, "ecr:PutImage", "team/app", (), "team/app is no ARN: name arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"),
        (MIA, "ecr:PutImage", APP.replace("123456789012", ""), (), "names no registry: its account must be 12 digits"),
        (MIA, "ecr:PutImage", APP.replace("us-east-1", "home"), (), "names no registry: its region must have the form"),
        (MIA, "ecr:PutImage", APP.replace("us-east", "cn-north"), (), "cn-north-1 is in the partition aws-cn"),
        (MIA, "iam:GetUser", f"arn:aws:iam:us-east-1:{ACCOUNT}:user/a", (), "names a region, which IAM has not"),
        (MIA, "ecr:PutImage", APP, ("aws:SourceIp",), "aws:SourceIp is no condition key with a value"),
        (MIA, "ecr:PutImage", APP, ("ip=1",), "ip=1 is no condition key with a value"),
    ],
)
def test_malformed_questions(
    explain: Command, principal: str, action: str, resource: str, context: tuple[str, ...], says: str
) -> None:
    told = explain(principal, action, resource, *(word for pair in context for word in ("--context", pair)))
    assert told.code == 2
    assert len(told.lines) == 1
    assert says in told.output


@pytest.mark.parametrize(
    ("action", "resource", "note"),
    [
        ("ecr:PutImage", f"{APP}2", f"there is no repository team/app2 in account {ACCOUNT}, us-east-1"),
        ("ecr:PutImage", APP.replace(ACCOUNT, "210987654321"), "there is no account 210987654321"),
        ("iam:GetUser", f"{IAM}:user/ann", f"there is no user ann in account {ACCOUNT}"),
        ("kms:DescribeKey", f"{KEYS}:key/none", f"there is no key none in account {ACCOUNT}, us-east-1"),
        ("kms:DescribeKey", f"{KEYS}:alias/none", f"there is no alias/none in account {ACCOUNT}, us-east-1"),
        ("ecr:GetAuthorizationToken", APP, "requests of ecr:GetAuthorizationToken are decided on the resource `*`"),
        ("ecr:PutImage", "*", "requests of ecr:PutImage name their resources"),
        ("ecr:DescribeRepositories", APP.replace("team/app", "*"), None),
        ("ecr:GetAuthorizationToken", "*", None),
        ("iam:GetUser", MIA, None),
    ],
)
def test_what_is_odd_about_the_resource_is_noted(
    explain: Command, action: str, resource: str, note: str | None
) -> None:
    notes = [line for line in explain(MIA, action, resource).lines if line.startswith("Note: ")]
    assert notes == ([] if note is None else [f"Note: {note}."])


def test_an_entity_is_known_without_its_path(explain: Command) -> None:
    told = explain.json(MIA, "iam:GetUser", f"{IAM}:user/mia")
    assert told["resource"] == MIA


def test_what_policies_do_not_decide(explain: Command) -> None:
    told = explain(ACCOUNT, "sts:AssumeRole", BUILD)
    assert told.code == 3
    assert told.lines[1] == "Denied: whatever policies say: Roles may not be assumed by root accounts."
    assert explain.json(ACCOUNT, "sts:AssumeRole", BUILD, code=3)["decision"] == "explicitDeny"
    told = explain(MIA, "sts:GetCallerIdentity", "*")
    assert told.code == 0
    assert told.lines[1].startswith("Allowed: sts:GetCallerIdentity is open to everybody who has a key")
    assert explain(MIA, "sts:AssumeRole", BUILD).code == 0


def test_what_needs_no_allow_but_heeds_a_deny(explain: Command) -> None:
    told = explain(MIA, "sts:GetSessionToken", MIA)
    assert told.code == 0
    assert told.lines[1].startswith("Allowed: sts:GetSessionToken needs no policy that allows it")
    told = explain(BEN, "sts:GetSessionToken", BEN)
    assert told.code == 3
    assert "  denied by identity-based policy user/ben/none, Statement[0]" in told.lines
    told = explain(f"{STS}:assumed-role/build/ci", "sts:GetSessionToken", BUILD)
    assert told.code == 3
    assert "whatever policies say: Cannot call GetSessionToken with session credentials" in told.lines[1]


def test_a_file_of_policies_that_cannot_be_read_is_one_line(explain: Command, tmp_path: Path) -> None:
    told = explain(MIA, "ecr:PutImage", APP, "--aws-policies", str(tmp_path / "none.json"))
    assert told.code == 1
    assert "the file of `aws_policies` cannot be read" in told.output
