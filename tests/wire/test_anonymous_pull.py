"""Anonymous pull: what somebody without credentials gets on Bearer hosts, what not, and logins with Bearer tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.domain.bearer_host import BearerHost
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from tests.support.aws import aws_world
from tests.support.database import DatabaseAddress, SqliteAddress
from tests.support.endpoint import open_endpoint
from tests.support.registry import HOME, OTHER_ACCOUNT, RunningRegistry, running_registry
from tests.support.wire import Answer, Client, basic, digest_of
from tests.sweep.request import NAMES, ROUTES

HOST = "public.example"
ELSEWHERE = "else.example"
HOSTS = (HOST, f"{ELSEWHERE}={OTHER_ACCOUNT}/eu-west-1")
APP = RepositoryName("team/app")
READS = ("GET /v2/team/app/manifests/v1", "HEAD /v2/team/app/manifests/v1")


@dataclass
class Nobody:
    """A client without credentials, with a token of nobody unless told otherwise."""

    registry: RunningRegistry
    image: str
    host: str = HOST

    async def send(self, request: str, token: str | None = None, host: str | None = None, **headers: str) -> Answer:
        method, _, path = request.partition(" ")
        text = await self.token() if token is None else token
        sent = {"Host": host or self.host, "Authorization": f"Bearer {text}" if text else "", **headers}
        return await self.registry.client.send(method, path, sent)

    async def token(self, host: str | None = None) -> str:
        answer = await self.registry.client.send("GET", "/token/", {"Authorization": "", "Host": host or self.host})
        assert answer.status == 200
        return str(answer.json()["token"])

    async def hears(self) -> set[int]:
        """The statuses of all that a pull asks."""
        blobs = [f"{method} /v2/team/app/blobs/{digest_of(b'layer')}" for method in ("GET", "HEAD")]
        by_digest = f"GET /v2/team/app/manifests/{self.image}"
        return {(await self.send(request)).status for request in (*READS, by_digest, *blobs)}


@pytest.fixture
async def nobody(database_address: DatabaseAddress, tmp_path: Path) -> AsyncIterator[Nobody]:
    """Before a registry with an image in `team/app` and the same in `team/closed`."""
    hosts = tuple(map(BearerHost.parse, HOSTS))
    async with running_registry(database_address, tmp_path / "data", bearer_hosts=hosts) as registry:
        for name in ("team/app", "team/closed"):
            await registry.create_repository(name)
            image = await registry.client.put_image(name, "v1")
        yield Nobody(registry, image)


async def allow(nobody: Nobody) -> None:
    await nobody.registry.services.anonymous_pull.allow(HOME, APP)


async def deny(nobody: Nobody) -> None:
    await nobody.registry.services.anonymous_pull.deny(HOME, APP)


async def policy(nobody: Nobody, **statement: object) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", **statement}]})
    await nobody.registry.services.repository_policy.set(HOME, APP, text)


def challenge_of(answer: Answer) -> str:
    return answer.headers["WWW-Authenticate"]


REALM = f'Bearer realm="http://{HOST}/token/",service="ecr.amazonaws.com"'


@pytest.mark.parametrize(
    ("request_line", "scope"),
    [
        ("GET /v2/", None),
        ("GET /v2/team/app/manifests/v1", "repository:team/app:pull"),
        ("HEAD /v2/team/app/blobs/sha256:0", "repository:team/app:pull"),
        ("PUT /v2/team/app/manifests/v1", "repository:team/app:pull,push"),
        ("POST /v2/team/app/blobs/uploads/", "repository:team/app:pull,push"),
        ("GET /v2/_catalog", "registry:catalog:*"),
        ('GET /v2/te"am/tags/list', None),
        ("GET /v2/nothing", None),
    ],
)
async def test_the_challenge(nobody: Nobody, request_line: str, scope: str | None) -> None:
    answer = await nobody.send(request_line, token="")
    assert (answer.status, answer.body or b"Not Authorized\n") == (401, b"Not Authorized\n")
    assert challenge_of(answer) == REALM + (f',scope="{scope}"' if scope else "")
    elsewhere = await nobody.send(request_line, token="", host="other.example")
    assert challenge_of(elsewhere).startswith('Basic realm="http://other.example/"')


async def test_a_token_of_nobody(nobody: Nobody) -> None:
    path = "/token/?service=ecr.amazonaws.com&scope=repository:team/app:pull,push&scope=nonsense&account=x"
    answer = await nobody.registry.client.send("GET", path, {"Authorization": "", "Host": f"{HOST}:5000"})
    body = answer.json()
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert sorted(body) == ["access_token", "expires_in", "issued_at", "token"]
    assert body["token"] == body["access_token"]
    assert body["expires_in"] == 300


async def test_there_are_tokens_by_get_on_bearer_hosts_only(nobody: Nobody) -> None:
    client = nobody.registry.client
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        answer = await client.send(method, "/token/", {"Authorization": "", "Host": HOST}, b"grant_type=password")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    for host in ("other.example", f"{HOST}.evil", f"x{HOST}", "127.0.0.1"):
        assert (await client.send("GET", "/token/", {"Authorization": "", "Host": host})).status == 404


async def test_nothing_is_open_by_default(nobody: Nobody) -> None:
    assert await nobody.hears() == {401}


async def test_an_open_repository_is_pulled(nobody: Nobody) -> None:
    await allow(nobody)
    assert await nobody.hears() == {200}
    manifest, layer = await nobody.send(READS[0]), f"GET /v2/team/app/blobs/{digest_of(b'layer')}"
    assert manifest.headers["Docker-Content-Digest"] == nobody.image
    part = await nobody.send(layer, Range="bytes=1-2")
    assert (part.status, part.body) == (206, b"ay")
    missing = await nobody.send("GET /v2/team/app/manifests/none")
    assert (missing.status, missing.codes) == (404, ["MANIFEST_UNKNOWN"])


async def test_without_a_token_nothing_is_pulled(nobody: Nobody) -> None:
    await allow(nobody)
    for host in (HOST, "other.example"):
        assert (await nobody.send(READS[0], token="", host=host)).status == 401


async def test_denied_from_the_next_request_on(nobody: Nobody) -> None:
    for _ in range(2):
        await allow(nobody)
        token = await nobody.token()
        assert (await nobody.send(READS[0], token)).status == 200
        await deny(nobody)
        assert (await nobody.send(READS[0], token)).status == 401


async def test_what_is_closed_and_what_is_not_there_are_the_same(nobody: Nobody) -> None:
    await allow(nobody)
    answers = [
        await nobody.send(f"GET /v2/{name}/manifests/{tag}") for name in ("team/closed", "none") for tag in ("v1", "no")
    ]
    assert {(one.status, one.body) for one in answers} == {(401, b"Not Authorized\n")}
    asked = {challenge_of(one).replace("team/closed", "none") for one in answers}
    assert asked == {f'{REALM},scope="repository:none:pull",error="insufficient_scope"'}


async def test_everything_else_is_refused(nobody: Nobody) -> None:
    await allow(nobody)
    client = Client(nobody.registry.client.session, nobody.registry.url, f"Bearer {await nobody.token()}")
    for route in ROUTES:
        method, _, path = route.line.partition(" ")
        answer = await client.send(method, path.format(**NAMES), {"Host": HOST}, route.body)
        is_open = route.kind in ("manifest", "blob") and method in ("GET", "HEAD")
        assert (answer.status == 401) != is_open, (str(route), answer.status)
    for method in ("OPTIONS", "TRACE", "PATCH", "MKCOL"):
        assert (await nobody.send(f"{method} {READS[0].split()[1]}")).status in (401, 405)
    assert (await nobody.send("POST /v2/team/app/blobs/uploads/?mount=sha256:0&from=team/closed")).status == 401


@pytest.mark.parametrize(
    ("statement", "hears"),
    [
        ({"Action": "ecr:*"}, {401}),
        ({"Action": "ecr:BatchGetImage"}, {401, 200}),
        ({"Action": "ecr:BatchCheckLayerAvailability"}, {200, 401}),
        ({"Action": "ecr:PutImage"}, {200}),
        ({"Action": "ecr:*", "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}}, {401}),
        ({"Action": "ecr:*", "Condition": {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}}, {200}),
        ({"Action": "ecr:*", "Condition": {"StringEquals": {"aws:PrincipalType": "Anonymous"}}}, {401}),
        ({"Action": "ecr:*", "Condition": {"Null": {"aws:PrincipalArn": "true"}}}, {401}),
        ({"Action": "ecr:*", "Condition": {"StringEquals": {"aws:PrincipalAccount": HOME.account_id}}}, {200}),
        ({"Action": "ecr:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, {401}),
    ],
)
async def test_a_deny_for_everybody_meets_nobody(nobody: Nobody, statement: dict[str, object], hears: set[int]) -> None:
    await allow(nobody)
    assert await nobody.hears() == {200}
    await policy(nobody, **statement)
    assert await nobody.hears() == hears
    await nobody.registry.services.repository_policy.delete(HOME, APP)
    assert await nobody.hears() == {200}


async def test_an_allow_for_everybody_opens_nothing(nobody: Nobody) -> None:
    await policy(nobody, Effect="Allow", Action="ecr:*")
    assert await nobody.hears() == {401}


async def test_a_registry_policy_denies_as_well(nobody: Nobody) -> None:
    await allow(nobody)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Resource": HOME.repository_arn("team/*")}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    await nobody.registry.services.registry_policy.put(HOME, text)
    assert await nobody.hears() == {401}


async def test_a_private_endpoint_lets_nobody_through(sqlite_address: SqliteAddress, tmp_path: Path) -> None:
    hosts = (BearerHost.parse(HOST),)
    async with aws_world(sqlite_address, tmp_path / "data", bearer_hosts=hosts) as aws, open_endpoint(aws) as endpoint:
        await aws.registry.create_repository("team/app")
        nobody = Nobody(aws.registry, await aws.registry.client.put_image("team/app", "v1"))
        await allow(nobody)
        headers = {"Host": HOST, "Authorization": f"Bearer {await nobody.token()}"}
        path = READS[0].partition(" ")[2]
        assert (await endpoint.oci.send("GET", path)).status == 200
        assert (await endpoint.oci.send("GET", path, headers)).status == 401
        assert (await aws.registry.client.send("GET", path, headers)).status == 200


async def test_a_repository_made_anew_is_closed(nobody: Nobody) -> None:
    await allow(nobody)
    await nobody.registry.services.repository.delete(HOME, APP, force=True)
    assert await nobody.hears() == {401}
    await nobody.registry.create_repository("team/app")
    await nobody.registry.client.put_image("team/app", "v1")
    assert await nobody.hears() == {401}


async def test_layers_of_no_image_are_not_shown(nobody: Nobody) -> None:
    await allow(nobody)
    digest = await nobody.registry.client.put_blob("team/app", b"half a push")
    for method in ("GET", "HEAD"):
        assert (await nobody.send(f"{method} /v2/team/app/blobs/{digest}")).status == 404


async def test_tokens_that_do_not_hold(nobody: Nobody) -> None:
    await allow(nobody)
    token = await nobody.token()
    changed = token.replace(HOME.account_id, OTHER_ACCOUNT)
    other = await nobody.token(ELSEWHERE)
    for wrong in (token[:-2], changed, other, "e1.a.b", "x" * 9000, token.replace("anonymous", "A" * 22)):
        answer = await nobody.send(READS[0], wrong)
        assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"]), wrong
        assert challenge_of(answer).endswith(',error="invalid_token"')
    nobody.registry.clock.advance(301)
    answer = await nobody.send(READS[0], token)
    assert (answer.status, answer.codes) == (401, ["DENIED"])
    assert challenge_of(answer).endswith(',scope="repository:team/app:pull",error="invalid_token"')


async def test_a_token_of_nobody_is_no_password(nobody: Nobody) -> None:
    await allow(nobody)
    client, token = nobody.registry.client, await nobody.token()
    for host in (HOST, "other.example", f"{HOME.account_id}.dkr.ecr.{HOME.region}.amazonaws.com"):
        for path in ("/v2/", "/v2/team/app/manifests/v1"):
            answer = await client.send("GET", path, {"Authorization": basic(token), "Host": host})
            assert answer.status == 401
    assert (await nobody.send(READS[0], token, host="other.example")).status == 401
    for authorization in (basic(token), f"Bearer {token}"):
        answer = await client.send("GET", "/token/", {"Authorization": authorization, "Host": HOST})
        assert answer.status == 401
        assert challenge_of(answer).startswith("Basic realm=")


async def test_another_host_means_another_registry(nobody: Nobody) -> None:
    await allow(nobody)
    there = Nobody(nobody.registry, nobody.image, ELSEWHERE)
    assert await there.hears() == {401}
    away = Registry(OTHER_ACCOUNT, "eu-west-1")
    await nobody.registry.create_repository("team/app", registry=away)
    await nobody.registry.services.anonymous_pull.allow(away, APP)
    assert (await there.send(READS[0])).codes == ["MANIFEST_UNKNOWN"]
    assert await nobody.hears() == {200}


async def test_a_login(nobody: Nobody) -> None:
    client, password = nobody.registry.client, await nobody.registry.password()
    answer = await client.send("GET", "/token/?account=AWS", {"Host": HOST, "Authorization": basic(password)})
    body = answer.json()
    assert (answer.status, body["token"]) == (200, password)
    assert body["expires_in"] == 300
    assert (await nobody.send("GET /v2/", password)).status == 200
    assert (await nobody.send("GET /v2/team/closed/manifests/v1", password)).status == 200
    assert (await nobody.send("POST /v2/team/closed/blobs/uploads/", password)).status == 202
    assert (await client.send("GET", "/v2/", {"Host": HOST, "Authorization": basic(password)})).status == 200
    assert (await nobody.send("GET /v2/", password, host="other.example")).status == 401


async def test_a_login_that_is_refused(nobody: Nobody) -> None:
    client, password = nobody.registry.client, await nobody.registry.password()
    for wrong in (basic("x"), basic(password, user="root"), "Basic", "Bearer x", f"Bearer {password}"):
        answer = await client.send("GET", "/token/", {"Host": HOST, "Authorization": wrong})
        assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])
        assert challenge_of(answer) == f'Basic realm="http://{HOST}/",service="ecr.amazonaws.com"'
    await nobody.registry.services.identity.rotate_root_key(HOME.account_id)
    answer = await client.send("GET", "/token/", {"Host": HOST, "Authorization": basic(password)})
    assert (answer.status, answer.codes) == (401, ["DENIED"])
    revoked = await nobody.send("GET /v2/", password)
    assert (revoked.status, revoked.codes) == (401, ["DENIED"])
