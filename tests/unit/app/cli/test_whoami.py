"""`entrepot admin whoami`: keys of root, of a user and of sessions, named in every way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from entrepot.app import admin, workbench
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.iam import EntityKind
from entrepot.domain.principal import Session
from entrepot.domain.session_record import write_session
from entrepot.service.key import KeyService
from entrepot.store.metadata.access_key import set_active
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.identity import AccessKeyRow, insert_access_key
from tests.support.iam_rows import attach, document, join, put_entity, put_inline, put_key, put_policy, put_tag
from tests.support.service import ACCOUNT
from tests.support.started import start_once

PULL_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
FENCE = f"arn:aws:iam::{ACCOUNT}:policy/fence"
MIA, BEN = "AKIAMIA0000000000000", "AKIABEN0000000000000"
NOW = datetime.now(UTC).replace(microsecond=0)


def _fill(connection: Connection, keys: KeyService) -> None:
    put_policy(connection, "fence", document("ecr:*"))
    mia = put_entity(connection, EntityKind.USER, "mia", path="/dev/", boundary=FENCE)
    readers = put_entity(connection, EntityKind.GROUP, "readers")
    join(connection, readers, mia)
    attach(connection, readers, PULL_ONLY)
    put_inline(connection, mia, "own", document())
    put_tag(connection, mia, "Team", "web")
    ben = put_entity(connection, EntityKind.USER, "ben")
    for user in (mia, ben):
        assert put_key(connection, keys, user)[0] in (MIA, BEN)
    set_active(connection, ben.id, BEN, False)
    build = put_entity(connection, EntityKind.ROLE, "build")
    for key_id, hours in (("ASIACI", 1), ("ASIAOLD", -1)):
        session = Session(
            NOW - timedelta(hours=2),
            NOW + timedelta(hours=hours),
            "ci",
            document(),
            (PULL_ONLY,),
            {"run": "7"},
            source_identity="mia",
        )
        row = AccessKeyRow(key_id, ACCOUNT, build.id, b"", True, 0, write_session(session), b"")
        assert insert_access_key(connection, row, 0, to_micros(session.expires_at))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = start_once(tmp_path_factory.mktemp("whoami") / "data")

    async def fill(bench: Workbench) -> None:
        await bench.database.write(lambda connection: _fill(connection, bench.keys))

    workbench.run(settings, fill)
    return settings


class Command:
    """`entrepot admin whoami` with AWS's files and variables of the test alone."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings = settings
        self.files = {
            "AWS_CONFIG_FILE": str(directory / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        }
        self.unset = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_PROFILE"))

    def __call__(self, *words: str, **environ: str) -> tuple[int, str]:
        words = ("admin", "whoami", *words, "--data-dir", str(self._settings.data_dir))
        done = CliRunner().invoke(app, words, env=self.unset | self.files | environ)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    def json(self, key_id: str) -> Any:
        code, output = self("--access-key-id", key_id, "--json")
        assert code == 0, output
        return json.loads(output)


@pytest.fixture
def whoami(settings: Settings, tmp_path: Path) -> Command:
    return Command(settings, tmp_path)


def test_a_user(whoami: Command) -> None:
    code, output = whoami("--access-key-id", MIA)
    assert code == 0
    assert output.splitlines() == [
        f"access key    {MIA} (from --access-key-id)",
        "state         active",
        f"account       {ACCOUNT} (first)",
        "kind          user",
        f"arn           arn:aws:iam::{ACCOUNT}:user/dev/mia",
        "unique id     AIDAMIA00000000000000",
        "groups        readers",
        f"policies      user/mia/own, {PULL_ONLY}",
        f"boundary      {FENCE}",
        "tags          Team=web",
    ]


def test_a_user_as_json(whoami: Command) -> None:
    assert whoami.json(MIA) == {
        "accessKeyId": MIA,
        "from": "--access-key-id",
        "active": True,
        "account": {"id": ACCOUNT, "name": "first"},
        "kind": "User",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/dev/mia",
        "identityArn": f"arn:aws:iam::{ACCOUNT}:user/dev/mia",
        "uniqueId": "AIDAMIA00000000000000",
        "session": None,
        "groups": ["readers"],
        "policies": ["user/mia/own", PULL_ONLY],
        "boundary": FENCE,
        "tags": {"Team": "web"},
        "sourceArns": [],
    }


def test_root(whoami: Command, settings: Settings) -> None:
    key = admin.root_key(settings, ACCOUNT, rotates=False)
    code, output = whoami("--access-key-id", key.id)
    assert code == 0
    assert f"arn           arn:aws:iam::{ACCOUNT}:root" in output
    assert "policies      root needs none in its own account" in output
    assert key.secret not in output
    assert whoami.json(key.id)["kind"] == "Account"


def test_a_session(whoami: Command) -> None:
    _, output = whoami("--access-key-id", "ASIACI")
    end = NOW + timedelta(hours=1)
    assert f"arn           arn:aws:sts::{ACCOUNT}:assumed-role/build/ci" in output
    assert f"to {end:%Y-%m-%dT%H:%M:%SZ}" in output
    for line in (
        "state         active",
        f"limited by    {PULL_ONLY}, one of its own",
        "session tags  run=7",
        "source        mia",
        "policies      none",
    ):
        assert line in output.splitlines()
    told = whoami.json("ASIACI")
    assert told["identityArn"] == f"arn:aws:iam::{ACCOUNT}:role/build"
    assert told["session"] == {
        "name": "ci",
        "issuedAt": f"{NOW - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
        "expiresAt": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "policyArns": [PULL_ONLY],
        "hasPolicy": True,
        "tags": {"run": "7"},
        "sourceIdentity": "mia",
    }


def test_keys_that_do_not_work_any_more(whoami: Command) -> None:
    assert "state         inactive" in whoami("--access-key-id", BEN)[1]
    assert whoami.json(BEN)["active"] is False
    assert "state         its session has ended" in whoami("--access-key-id", "ASIAOLD")[1]
    assert whoami.json("ASIAOLD")["active"] is False


def test_where_the_key_is_found(whoami: Command) -> None:
    Path(whoami.files["AWS_SHARED_CREDENTIALS_FILE"]).write_text(
        f"[entrepot]\naws_access_key_id = {MIA}\n[ben]\naws_access_key_id = {BEN}\n"
    )

    def source(*words: str, **environ: str) -> str:
        code, output = whoami(*words, **environ)
        assert code == 0, output
        return output.splitlines()[0].partition("    ")[2]

    assert source() == f"{MIA} (from the AWS profile entrepot)"
    assert source("--profile", "ben") == f"{BEN} (from the AWS profile ben)"
    assert source(AWS_PROFILE="ben") == f"{BEN} (from the AWS profile ben)"
    assert source(AWS_PROFILE="ben", AWS_ACCESS_KEY_ID=MIA) == f"{MIA} (from AWS_ACCESS_KEY_ID)"
    assert source("--profile", "ben", AWS_ACCESS_KEY_ID=MIA) == f"{BEN} (from the AWS profile ben)"
    assert source("--access-key-id", BEN, AWS_ACCESS_KEY_ID=MIA) == f"{BEN} (from --access-key-id)"


def test_errors_are_one_line(whoami: Command) -> None:
    assert whoami("--access-key-id", "AKIANOBODY") == (
        1,
        "entrepot: this database has no access key AKIANOBODY, which --access-key-id names\n",
    )
    code, output = whoami("--profile", "none")
    assert code == 1
    assert output.startswith("entrepot: the AWS profile none has no aws_access_key_id in ")
    code, output = whoami("--profile", "none", "--access-key-id", MIA)
    assert (code, output) == (2, "entrepot: name a profile or an access key id, not both\n")
