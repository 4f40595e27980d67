"""The credential helper takes credentials from wherever AWS's chain finds them; each role may push to one place."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.e2e.clients.identities import LOGIN, PULL, PUSH, allow, assume, iam, new_role, new_user
from tests.e2e.clients.user import User
from tests.support.image_layout import ImageLayout
from tests.support.server import ACCOUNT, PROGRAM, REGION
from tests.support.web_identity import AUDIENCE, ISSUER, TestIssuer
from tests.support.world import HOST, World

PORT = 4791
URL = f"http://127.0.0.1:{PORT}"
PORTAL = "https://d-1234567890.awsapps.com/start"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
SOURCES = ("environment", "profile", "container", "web-identity", "sso")


@dataclass
class Sources:
    """Roles of workloads, and what hands their credentials out."""

    world: World
    starter: dict[str, str]
    """Keys of the user who may assume them."""
    issuer: TestIssuer = field(default_factory=TestIssuer)
    handed_out: dict[str, Any] = field(default_factory=dict)
    """Path → the JSON that a GET of it answers to whoever shows `secret`."""

    def role(self, source: str) -> str:
        """A role of that name, with rights to the repository of that name."""
        trusted: dict[str, Any] = {
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/starter"},
        }
        if source == "web-identity":
            trusted = {
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": PROVIDER},
                "Condition": {"StringEquals": {f"{ISSUER}:sub": "job:1", f"{ISSUER}:aud": AUDIENCE}},
            }
        repository = f"sources/{source}/app"
        self.world.create(repository)
        return new_role(self.world, f"from-{source}", trusted, allow(LOGIN), allow(*PUSH, *PULL, repository=repository))

    def give(self, user: User, source: str) -> None:
        """Have the user's settings lead to the role."""
        role = self.role(source)
        user.settings = {"AWS_EC2_METADATA_DISABLED": "true"} | {
            "environment": self._environment,
            "profile": self._profile,
            "container": self._container,
            "web-identity": self._web_identity,
            "sso": self._sso,
        }[source](user, role)

    def _environment(self, user: User, role: str) -> dict[str, str]:
        made = assume(self.world, role, "work", self.starter)
        names = {
            "ACCESS_KEY_ID": "AccessKeyId",
            "SECRET_ACCESS_KEY": "SecretAccessKey",
            "SESSION_TOKEN": "SessionToken",
        }
        return {f"AWS_{name}": made[member] for name, member in names.items()}

    def _profile(self, user: User, role: str) -> dict[str, str]:
        keys = "\n".join(f"{name.lower()} = {value}" for name, value in self.starter.items())
        user.write(".aws/credentials", f"[starter]\n{keys}\n")
        said = f"role_arn = {role}\nsource_profile = starter\nrole_session_name = work\nregion = {REGION}"
        user.write(".aws/config", f"[profile deploy]\n{said}\n")
        return {"AWS_PROFILE": "deploy"}

    def _container(self, user: User, role: str) -> dict[str, str]:
        made = assume(self.world, role, "work", self.starter)
        kept = {name: made[name] for name in ("AccessKeyId", "SecretAccessKey", "Expiration")}
        self.handed_out["/credentials"] = kept | {"RoleArn": role, "Token": made["SessionToken"]}
        file = user.write("container-token", "secret")
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{URL}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        }

    def _web_identity(self, user: User, role: str) -> dict[str, str]:
        file = user.write("identity-token", self.issuer.token(datetime.now(UTC), sub="job:1"))
        return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": role, "AWS_ROLE_SESSION_NAME": "work"}

    def _sso(self, user: User, role: str) -> dict[str, str]:
        made = assume(self.world, role, "work", self.starter)
        secrets = {
            "accessKeyId": made["AccessKeyId"],
            "secretAccessKey": made["SecretAccessKey"],
            "sessionToken": made["SessionToken"],
            "expiration": int(datetime.fromisoformat(made["Expiration"]).timestamp() * 1000),
        }
        self.handed_out["/federation/credentials"] = {"roleCredentials": secrets}
        chosen = f"sso_account_id = {ACCOUNT}\nsso_role_name = from-sso\nregion = {REGION}"
        portal = f"sso_start_url = {PORTAL}\nsso_region = {REGION}"
        user.write(".aws/config", f"[profile sso]\n{portal}\n{chosen}\n")
        ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        kept = {"startUrl": PORTAL, "region": REGION, "accessToken": "secret", "expiresAt": ends}
        name = hashlib.sha1(PORTAL.encode(), usedforsecurity=False).hexdigest()
        user.write(f".aws/sso/cache/{name}.json", json.dumps(kept))
        return {"AWS_PROFILE": "sso", "AWS_ENDPOINT_URL_SSO": URL}


@contextmanager
def _handing_out(sources: Sources) -> Iterator[None]:
    """A container credentials endpoint and SSO portal, inside."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            shown = self.headers.get("Authorization") or self.headers.get("x-amz-sso_bearer_token")
            body = json.dumps(sources.handed_out.get(path) if shown == "secret" else None).encode()
            self.send_response(404 if body == b"null" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = sources.world.namespace.listen("127.0.0.1", PORT)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def sources(world: World) -> Iterator[Sources]:
    """The issuer's keys are known to the server, which cannot reach it."""
    iam(world, "create-open-id-connect-provider", "--url", f"https://{ISSUER}", "--client-id-list", AUDIENCE)
    made = Sources(world, new_user(world, "starter", allow("sts:AssumeRole")))
    keys = world.scratch() / "keys.json"
    keys.write_bytes(made.issuer.key_set())
    world.do(PROGRAM, "admin", "oidc", "set-jwks", "--data-dir", world.directory / "data", PROVIDER, keys)
    world.create("sources/others/app")
    with _handing_out(made):
        yield made
    iam(world, "delete-open-id-connect-provider", "--open-id-connect-provider-arn", PROVIDER)


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_gives_what_its_role_may(sources: Sources, images: ImageLayout, source: str) -> None:
    user = User(sources.world, images)
    user.name_helper()
    sources.give(user, source)
    done = user.push_and_pull("skopeo", f"sources/{source}/app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(sources.world.digests(f"sources/{source}/app")) == {"1.0.0"}
    password = json.loads(user.get().stdout)["Secret"]
    others = f"https://{HOST}/v2/sources/others/app/blobs/uploads/"
    refused = user.do("curl", "-s", "-X", "POST", "-u", f"AWS:{password}", others)
    assert f"assumed-role/from-{source}/" in refused
    assert "is not authorized to perform: ecr:InitiateLayerUpload" in refused
    assert f"{HOST}: logged in until" in user.do("entrepot", "login", HOST)


def test_the_endpoint_of_a_container_is_asked_with_its_token(sources: Sources, images: ImageLayout) -> None:
    user = User(sources.world, images)
    user.settings = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{URL}/credentials"}
    denied = user.get()
    assert denied.returncode == 1
    assert "404" in denied.stdout


def test_a_token_of_another_job_gets_no_login(sources: Sources, images: ImageLayout) -> None:
    user = User(sources.world, images)
    user.settings = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(user.write("t", sources.issuer.token(datetime.now(UTC), sub="job:2"))),
        "AWS_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/from-web-identity",
    }
    denied = user.get()
    assert denied.returncode == 1
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in denied.stdout
