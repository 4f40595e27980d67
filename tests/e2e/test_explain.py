"""`entrepot policy explain` says what both planes answer, while the server runs beside it: for callers of all kinds.

The callers and their policies are made by boto3, images are asked for with the passwords that docker sends.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from entrepot.app.cli.main import app
from entrepot.app.cli.policy import DENIED
from tests.support.postgres import PostgresServer
from tests.support.server import ACCOUNT, AWS_ENVIRONMENT, REGION, Server

OTHER = "210987654321"
NAME = "team/app"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
NOTHING = f"sha256:{'0' * 64}"

Key = tuple[str, str, str | None]
"""Access key id, secret, session token."""


@dataclass(frozen=True)
class Ask:
    """One action, as each plane can be asked for it; what is asked for need not exist."""

    action: str
    operation: str
    parameters: dict[str, Any]
    line: str
    """Method and path on `/v2/`."""
    context: tuple[str, ...] = ()
    """What the request tells the policies that `explain` cannot know."""


ASKS = [
    Ask("ecr:ListImages", "list_images", {}, f"GET /v2/{NAME}/tags/list"),
    Ask(
        "ecr:BatchGetImage",
        "batch_get_image",
        {"imageIds": [{"imageTag": "stable"}]},
        f"GET /v2/{NAME}/manifests/stable",
        ("ecr:ImageTag=stable",),
    ),
    Ask("ecr:InitiateLayerUpload", "initiate_layer_upload", {}, f"POST /v2/{NAME}/blobs/uploads/"),
    Ask(
        "ecr:BatchDeleteImage",
        "batch_delete_image",
        {"imageIds": [{"imageDigest": NOTHING}]},
        f"DELETE /v2/{NAME}/manifests/{NOTHING}",
    ),
]

LOGIN = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}


def allow(*actions: str, effect: str = "Allow", **members: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": list(actions), "Resource": "*", **members}


def text_of(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass(frozen=True)
class Person:
    """A user, and what he may do of ASKS."""

    may: str
    """Letters of VERBS."""
    statements: tuple[dict[str, Any], ...] = ()
    boundary: bool = False
    account_id: str = ACCOUNT


PEOPLE = {
    "nobody": Person(""),
    "reader": Person("LG", (allow("ecr:List*", "ecr:BatchGetImage"),)),
    "stopped": Person("LG", (allow("ecr:*"), allow("ecr:Initiate*", "ecr:BatchDelete*", effect="Deny", Sid="Stop"))),
    "local": Person("LGID", (allow("ecr:*", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),)),
    "remote": Person("", (allow("ecr:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),)),
    "encrypted": Person("", (allow("ecr:*", Condition={"Bool": {"aws:SecureTransport": "true"}}),)),
    "stable": Person("G", (allow("ecr:*", Condition={"StringEquals": {"ecr:ImageTag": "stable"}}),)),
    "fenced": Person("L", (allow("ecr:*"),), boundary=True),
    "elsewhere": Person("", (allow("ecr:*", Resource=f"{ARN}2"),)),
    "granted": Person("I"),
    "guest": Person("L", (allow("ecr:*"),), account_id=OTHER),
    "stranger": Person("", account_id=OTHER),
}
"""The repository's policy lets `granted` push and account OTHER list."""

SESSIONS = {"free": ("LGID", None), "limited": ("L", text_of(LOGIN, allow("ecr:ListImages")))}
"""Sessions of the role `build`, which may everything in ECR: what each may, and its session policy."""

VERBS = dict(zip("LGID", ASKS, strict=True))
"""List, get, initiate an upload, delete."""


@dataclass
class World:
    """A server, callers by name with their ARNs, and the command beside it."""

    server: Server
    arns: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)

    def command(self, *words: str) -> Any:
        """A command with `--json`, and its exit code."""
        done = CliRunner().invoke(
            app, [*words, "--json", "--data-dir", str(self.server.data_dir)], env=self.server.environment
        )
        assert done.exit_code in (0, DENIED), done.output
        return done.exit_code, json.loads(done.output)

    def client(self, service: str, key: Key) -> Any:
        key_id, secret, token = key
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=REGION,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def api_allows(self, name: str, ask: Ask) -> bool:
        """Whether the API does not answer AccessDenied."""
        ecr = self.client("ecr", self.keys[name])
        try:
            getattr(ecr, ask.operation)(registryId=ACCOUNT, repositoryName=NAME, **ask.parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return False
        return True

    def password(self, name: str) -> str:
        """What docker would send."""
        answer = self.client("ecr", self.keys[name]).get_authorization_token()
        token: str = answer["authorizationData"][0]["authorizationToken"]
        return token

    def registry_allows(self, password: str, ask: Ask) -> bool:
        """Whether `/v2/` does not answer 403 DENIED."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        method, _, path = ask.line.partition(" ")
        connection.request(method, path, headers={"Host": HOST, "Authorization": f"Basic {password}"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status in (200, 202, 403, 404), body
        if answer.status == 403:
            assert json.loads(body)["errors"][0]["code"] == "DENIED"
        return answer.status != 403


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """On each engine, with everybody in it."""
    directory = tmp_path_factory.mktemp("explain")
    with ExitStack() as stack:
        environment = {}
        if request.param == "postgresql":
            databases: PostgresServer = request.getfixturevalue("postgres_server")
            environment["ENTREPOT_DATABASE_URL"] = stack.enter_context(databases.fresh_database())
        server = Server(directory / "data", directory / "home", environment=environment)
        stack.callback(server.close)
        server.start()
        made = World(server)
        _fill(made)
        yield made


def _fill(world: World) -> None:
    """Make the accounts, the repository and everybody."""
    _, other = world.command("admin", "account", "create", OTHER, "--show")
    world.keys["root"] = (AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"], AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"], None)
    world.keys["foreign root"] = (other["accessKeyId"], other["secretAccessKey"], None)
    world.arns |= {"root": f"arn:aws:iam::{ACCOUNT}:root", "foreign root": f"arn:aws:iam::{OTHER}:root"}
    iam = {ACCOUNT: world.client("iam", world.keys["root"]), OTHER: world.client("iam", world.keys["foreign root"])}
    fence = text_of(LOGIN, allow("ecr:List*"))
    fence_arn = iam[ACCOUNT].create_policy(PolicyName="fence", PolicyDocument=fence)["Policy"]["Arn"]
    for name, person in PEOPLE.items():
        _make_user(world, iam[person.account_id], name, person, {"PermissionsBoundary": fence_arn})
    _make_sessions(world, iam[ACCOUNT])
    ecr = world.client("ecr", world.keys["root"])
    ecr.create_repository(repositoryName=NAME)
    grants = [
        {"Effect": "Allow", "Principal": {"AWS": world.arns["granted"]}, "Action": "ecr:InitiateLayerUpload"},
        {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "ecr:ListImages"},
    ]
    ecr.set_repository_policy(repositoryName=NAME, policyText=text_of(*grants))


def _make_user(world: World, iam: Any, name: str, person: Person, boundary: dict[str, str]) -> None:
    user = iam.create_user(UserName=name, Path="/people/", **(boundary if person.boundary else {}))["User"]
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text_of(LOGIN, *person.statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    world.arns[name] = user["Arn"]
    world.keys[name] = key["AccessKeyId"], key["SecretAccessKey"], None


def _make_sessions(world: World, iam: Any) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": world.arns["reader"]}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="build", AssumeRolePolicyDocument=text_of(trust))["Role"]
    iam.put_role_policy(RoleName="build", PolicyName="own", PolicyDocument=text_of(allow("ecr:*")))
    sts = world.client("sts", world.keys["reader"])
    for name, (_, policy) in SESSIONS.items():
        limits = {"Policy": policy} if policy else {}
        made = sts.assume_role(RoleArn=role["Arn"], RoleSessionName=name, **limits)
        given = made["Credentials"]
        world.keys[name] = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        world.arns[name] = made["AssumedRoleUser"]["Arn"]


def test_both_planes_and_the_explanation_agree(world: World) -> None:
    may = {name: person.may for name, person in PEOPLE.items()} | {name: may for name, (may, _) in SESSIONS.items()}
    may |= {"root": "LGID", "foreign root": "L"}
    for name, letters in may.items():
        password = world.password(name)
        for letter, ask in VERBS.items():
            words = [word for pair in ask.context for word in ("--context", pair)]
            asked = ["--principal", world.arns[name], "--action", ask.action, "--resource", ARN, *words]
            code, told = world.command("policy", "explain", *asked)
            answers = (world.api_allows(name, ask), world.registry_allows(password, ask), code == 0)
            assert answers == (letter in letters,) * 3, (name, ask.action, told["explanation"])
            assert (told["decision"] == "allowed") is (code == 0)


def test_a_change_is_explained_as_it_holds(world: World) -> None:
    root = world.client("iam", world.keys["root"])
    ask, asked = VERBS["I"], ["--principal", world.arns["reader"], "--action", VERBS["I"].action, "--resource", ARN]
    root.put_user_policy(UserName="reader", PolicyName="push", PolicyDocument=text_of(allow(ask.action)))
    code, told = world.command("policy", "explain", *asked)
    assert code == 0
    assert [one["policy"] for one in told["statements"] if one["decides"]] == ["user/reader/push"]
    assert world.api_allows("reader", ask)
    root.delete_user_policy(UserName="reader", PolicyName="push")
    assert world.command("policy", "explain", *asked)[0] == DENIED
    assert not world.api_allows("reader", ask)


def test_whoami_says_whose_the_keys_are(world: World) -> None:
    for name, (key_id, secret, _) in world.keys.items():
        _, told = world.command("admin", "whoami", "--access-key-id", key_id)
        assert told["arn"] == world.arns[name]
        assert told["active"]
        assert secret not in json.dumps(told)
