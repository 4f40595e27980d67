"""`entrepot admin service-principal`, and what `whoami` and `policy explain` say of services."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli import main
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.repository import RepositorySettings, parse_repository_name
from entrepot.service.repository import RepositoryService
from entrepot.service.repository_policy import RepositoryPolicyService
from tests.support.service import ACCOUNT, REGISTRY
from tests.support.started import start_once

LAMBDA, CODEBUILD = "lambda.amazonaws.com", "codebuild.amazonaws.com"
FUNCTIONS = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:*"
APP = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app"


class Command:
    """`entrepot …` on a data directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--data-dir", str(self._settings.data_dir)])
        assert done.exit_code == code, done.output
        return done.output

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))

    def services(self, *words: str) -> Any:
        return self.json("admin", "service-principal", *words)


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return Command(start_once(tmp_path / "data"))


def test_made_listed_shown_and_deleted(run: Command) -> None:
    first = run.services("create", LAMBDA, "--source-arn", FUNCTIONS)
    second = run.services("create", LAMBDA, "--source-arn", f"{FUNCTIONS}x", "--source-arn", FUNCTIONS)
    other = run.services("create", CODEBUILD, "--source-arn", FUNCTIONS)

    assert first["secretAccessKey"]
    assert second["sourceArns"] == [f"{FUNCTIONS}x", FUNCTIONS]
    listed = [other, first, second]
    for one in listed:
        del one["secretAccessKey"]
    assert run.services("list") == listed
    assert run.services("show", LAMBDA) == [first, second]
    assert run.services("show", first["accessKeyId"]) == [first]
    assert run.services("delete", first["accessKeyId"]) == [first]
    assert run.services("list") == [other, second]
    assert run.services("delete", LAMBDA) == [second]
    assert run.services("list") == [other]


def test_a_secret_is_shown_once(run: Command) -> None:
    told = run("admin", "service-principal", "create", LAMBDA, "--source-arn", FUNCTIONS)
    (secret,) = (line.split()[-1] for line in told.splitlines() if line.startswith("secret"))
    assert len(secret) == 40
    (one,) = run.services("list")
    for words in (("list",), ("show", LAMBDA), ("show", one["accessKeyId"])):
        shown = run("admin", "service-principal", *words)
        assert one["accessKeyId"] in shown
        assert FUNCTIONS in shown
        assert "never" in shown
        assert secret not in shown


@pytest.mark.parametrize(
    "words",
    [
        ("create", "lambda", "--source-arn", FUNCTIONS),
        ("create", LAMBDA, "--source-arn", "*"),
        ("create", "robot-tokens.entrepot", "--source-arn", FUNCTIONS),
        ("show", LAMBDA),
        ("delete", LAMBDA),
        ("delete", "AKIA"),
    ],
)
def test_what_is_refused(run: Command, words: tuple[str, ...]) -> None:
    assert run("admin", "service-principal", *words, code=1).count("\n") == 1
    assert run.services("list") == []


def test_an_argument_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["entrepot", "admin", "service-principal", "show", "\udcff"])
    with pytest.raises(SystemExit):
        main.run()
    assert capsys.readouterr().err == "entrepot: the argument '\\udcff' is not UTF-8\n"


def test_a_secret_goes_to_a_profile(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: tmp_path / name for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    for name, path in files.items():
        monkeypatch.setenv(name, str(path))
    told = run.services("create", LAMBDA, "--source-arn", FUNCTIONS, "--profile", "lambda")
    assert "secretAccessKey" not in told
    written = files["AWS_SHARED_CREDENTIALS_FILE"].read_text()
    assert written.startswith(f"[lambda]\naws_access_key_id = {told['accessKeyId']}\naws_secret_access_key = ")


def test_nothing_stays_of_a_key_that_could_not_be_written(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "file" / "config"))
    words = ("create", LAMBDA, "--source-arn", FUNCTIONS, "--profile", "lambda")
    assert "cannot write the AWS profile" in run("admin", "service-principal", *words, code=1)
    assert run.services("list") == []


def test_awss_own_account_is_nobodys(run: Command) -> None:
    run.services("create", LAMBDA, "--source-arn", FUNCTIONS)
    assert [one["id"] for one in run.json("admin", "account", "list")] == [ACCOUNT]
    for more in ((), ("--rotate",)):
        assert "there is no account aws" in run("admin", "account", "root-key", "aws", *more, code=1)


def test_whoami(run: Command) -> None:
    made = run.services("create", LAMBDA, "--source-arn", FUNCTIONS)
    named = ("admin", "whoami", "--access-key-id", made["accessKeyId"])
    told = run.json(*named)
    assert (told["kind"], told["arn"], told["sourceArns"]) == ("AWSService", LAMBDA, [FUNCTIONS])
    lines = dict(line.split(maxsplit=1) for line in run(*named).splitlines()[1:])
    assert (lines["kind"], lines["name"], lines["source"]) == ("service", LAMBDA, FUNCTIONS)


@pytest.fixture
def explain(run: Command) -> Any:
    """With a repository that lets Lambda pull for functions of its own account."""

    async def fill(bench: Workbench) -> None:
        repositories = RepositoryService(bench.database, bench.context, bench.keys)
        name = parse_repository_name("app")
        await repositories.create(REGISTRY, name, RepositorySettings(), {})
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": LAMBDA},
            "Action": "ecr:BatchGetImage",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
        policies = RepositoryPolicyService(bench.database)
        await policies.set(REGISTRY, name, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    workbench.run(run._settings, fill)
    run.services("create", LAMBDA, "--source-arn", "arn:aws:lambda:us-east-1:*:function:*")

    def ask(action: str, *context: str, principal: str = LAMBDA, resource: str = APP, code: int = 0) -> Any:
        words = ["--principal", principal, "--action", action, "--resource", resource]
        given = [word for pair in context for word in ("--context", pair)]
        return run.json("policy", "explain", *words, *given, code=code)

    return ask


def test_explained(explain: Any) -> None:
    own = FUNCTIONS.replace("*", "app")
    told = explain("ecr:BatchGetImage", f"aws:SourceArn={own}")
    assert (told["decision"], told["principal"], told["notes"]) == ("allowed", LAMBDA, [])
    foreign = own.replace(ACCOUNT, "999999999999")
    assert explain("ecr:BatchGetImage", f"aws:SourceArn={foreign}", code=3)["decision"] == "implicitDeny"


def test_what_is_odd_about_a_source(explain: Any) -> None:
    (note,) = explain("ecr:BatchGetImage", code=3)["notes"]
    assert "--context aws:SourceArn=ARN" in note
    elsewhere = "arn:aws:ecs:us-east-1:123456789012:task/x"
    (note,) = explain("ecr:BatchGetImage", f"aws:SourceArn={elsewhere}")["notes"]
    assert "requests are refused" in note
    notes = explain("ecr:BatchGetImage", f"aws:SourceArn={elsewhere}", principal=CODEBUILD, code=3)["notes"]
    assert "codebuild.amazonaws.com has no credentials: nobody asks as it" in notes


def test_what_policies_do_not_decide(explain: Any) -> None:
    own = FUNCTIONS.replace("*", "app")
    assert explain("ecr:GetAuthorizationToken", f"aws:SourceArn={own}", resource="*")["decision"] == "allowed"
    told = explain("iam:ListUsers", f"aws:SourceArn={own}", resource="*", code=3)
    assert "cannot call iam:ListUsers" in " ".join(told["explanation"])
