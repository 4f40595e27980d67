"""`entrepot robot`, and what `policy explain` says of robot tokens."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.iam import EntityKind, NewEntity
from entrepot.domain.repository import RepositorySettings, parse_repository_name
from entrepot.service.iam.attachment import Holder
from entrepot.service.iam.inline_policy import IamInlinePolicyService
from entrepot.service.iam.role import IamRoleService, NewRole
from entrepot.service.repository import RepositoryService
from entrepot.service.robot_login import RobotLogins
from entrepot.store.aws_policy import package_policies
from tests.support.iam_rows import document
from tests.support.robot import ROLE, role_arn, trust
from tests.support.service import ACCOUNT, REGISTRY
from tests.support.started import start_once

GIVEN = ("--role", ROLE, "--repository", "team/*", "--allow", "pull")
ARN = f"arn:aws:entrepot:us-east-1:{ACCOUNT}:robot-token/ci"


class Command:
    """`entrepot …` on a data directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--data-dir", str(self.settings.data_dir)])
        assert done.exit_code == code, done.output
        return done.output

    def robot(self, *words: str, code: int = 0) -> Any:
        return json.loads(self("robot", *words, "--json", code=code))

    def log_in(self, password: str) -> str:
        """Who a password is for."""

        async def act(bench: Workbench) -> str:
            logins = RobotLogins(bench.database, bench.context)
            caller = (await logins.log_in("AWS", password, "192.0.2.1")).caller
            await logins.uses.flush(is_final=True)
            return caller.principal.arn

        return workbench.run(self.settings, act)


@pytest.fixture
def run(tmp_path: Path) -> Command:
    """With a role that trusts robot tokens, and a repository."""
    settings = start_once(tmp_path / "data")

    async def prepare(bench: Workbench) -> None:
        roles = IamRoleService(bench.database, bench.context, package_policies())
        await roles.create(NewRole(NewEntity(ACCOUNT, EntityKind.ROLE, "/", ROLE), trust()))
        holder = Holder(ACCOUNT, EntityKind.ROLE, ROLE)
        await IamInlinePolicyService(bench.database).put(holder, "all", document("ecr:*"))
        repositories = RepositoryService(bench.database, bench.context, bench.keys)
        await repositories.create(REGISTRY, parse_repository_name("team/app"), RepositorySettings(), {})

    workbench.run(settings, prepare)
    return Command(settings)


def test_made_listed_shown_and_revoked(run: Command) -> None:
    made = run.robot("create", "ci", *GIVEN, "--allow", "push", "--address", "192.0.2.0/24", "--expires-in", "90d")
    assert run.log_in(made["password"]) == f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/robot/ci"
    password = made.pop("password")
    assert made["arn"] == ARN
    assert (made["roleArn"], made["actions"], made["repositories"]) == (role_arn(), ["PULL", "PUSH"], ["team/*"])
    assert (made["addresses"], made["createdBy"], made["status"]) == (["192.0.2.0/24"], None, "ACTIVE")
    (listed,) = run.robot("list")
    assert listed["lastUsedAddress"] == "192.0.2.1"
    assert {**listed, "lastUsedAt": None, "lastUsedAddress": None} == made
    assert run.robot("show", "ci") == listed
    for shown in (run("robot", "list"), run("robot", "show", "ci")):
        assert "192.0.2.1" in shown
        assert password not in shown
    assert run.robot("revoke", "ci") == listed
    assert run.robot("list") == []
    assert "does not exist" in run("robot", "revoke", "ci", code=1)
    assert run.robot("create", "ci", *GIVEN)["tokenId"] != made["tokenId"]


def test_a_password_goes_to_a_new_file_of_its_own(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "password"
    told = run("robot", "create", "ci", *GIVEN, "--password-file", str(file))
    password = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert password not in told
    assert run.log_in(password).endswith("robot/ci")
    assert "is there already" in run("robot", "create", "cd", *GIVEN, "--password-file", str(file), code=1)
    assert file.read_text().strip() == password
    other = tmp_path / "other"
    assert "already exists" in run("robot", "create", "ci", *GIVEN, "--password-file", str(other), code=1)
    assert not other.exists()
    assert "cannot be written" in run("robot", "create", "cd", *GIVEN, "--password-file", "/nowhere/x", code=1)
    assert len(run.robot("list")) == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("a b", *GIVEN), 2, "NAME: Member must satisfy"),
        (("ci", "--role", ROLE, "--repository", "Team", "--allow", "pull"), 2, "--repository number 1: "),
        (("ci", "--role", ROLE, "--repository", "team", "--allow", "delete"), 2, "--allow number 1: "),
        (("ci", *GIVEN, "--address", "me"), 2, "--address number 1: "),
        (("ci", *GIVEN, "--address", "10.0.0.1/8"), 2, "10.0.0.0/8 is one"),
        (("ci", *GIVEN, "--expires-in", "soon"), 2, "--expires-in soon is no span of time"),
        (("ci", *GIVEN, "--expires-in", "9999d"), 1, "at most 3660 days"),
        (("ci", *GIVEN, "--account", "999999999999"), 1, "there is no account 999999999999"),
        (("ci", "--role", "none", "--repository", "team", "--allow", "pull"), 1, "it does not exist"),
        (("ci", "--role", "arn:aws:iam::1:role/x", "--repository", "a", "--allow", "pull"), 2, "--role: "),
    ],
)
def test_what_is_refused(run: Command, words: tuple[str, ...], code: int, says: str) -> None:
    assert says in run("robot", "create", *words, code=code)
    assert run.robot("list") == []


def test_the_model_is_one_that_awss_tools_load(run: Command) -> None:
    done = CliRunner().invoke(app, ["robot", "print-model"])
    model = json.loads(done.stdout)
    assert sorted(model["operations"]) == ["CreateRobotToken", "DeleteRobotToken", "DescribeRobotTokens"]


def explained(run: Command, action: str, resource: str, code: int, *more: str) -> str:
    words = (
        "--principal",
        ARN,
        "--action",
        action,
        "--resource",
        f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{resource}",
    )
    return run("policy", "explain", *words, *more, code=code)


def test_what_a_token_may_is_explained(run: Command) -> None:
    run("robot", "create", "ci", *GIVEN, "--address", "192.0.2.0/24")
    told = explained(run, "ecr:BatchGetImage", "team/app", 0, "--context", "aws:SourceIp=192.0.2.7")
    assert "assumed-role/deployer/robot/ci: ecr:BatchGetImage" in told
    assert "within robot token scope robot/ci" in told
    for action, repository in (("ecr:PutImage", "team/app"), ("ecr:BatchGetImage", "other")):
        told = explained(run, action, repository, 3, "--context", "aws:SourceIp=192.0.2.7")
        assert "Denied: no policy says Deny, but the robot token was not made for it." in told
    assert "aws:SourceIp" in explained(run, "ecr:BatchGetImage", "team/app", 3)
    run("robot", "revoke", "ci")
    assert "there is no robot token ci" in explained(run, "ecr:BatchGetImage", "team/app", 1)
