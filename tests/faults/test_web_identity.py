"""Attacks with web identity tokens on a real server with two workers: what must fail does, on every worker."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import serialization

from entrepot.app.cli.main import app
from tests.support.issuer_site import IssuerSite, issuer_site
from tests.support.registry_client import RegistryClient, exchange
from tests.support.server import ACCESS_KEY_ID, ACCOUNT, SECRET_ACCESS_KEY, Server
from tests.support.two_workers import client_of
from tests.support.web_identity import TestIssuer, claims_of, unsigned

ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
ROOT = {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


class Target:
    """A server that trusts an issuer of this test."""

    def __init__(self, server: Server, site: IssuerSite) -> None:
        self.server, self.site = server, site
        self.provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{site.name}"
        self.iam: Any = client_of(server, "iam", ROOT)
        client = RegistryClient(server)
        self._connections = [client.connect(pid) for pid in server.worker_pids()]

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def assume(self, token: str) -> list[tuple[int, str]]:
        """Status and body of AssumeRoleWithWebIdentity, of each worker."""
        given = {"RoleArn": ROLE, "RoleSessionName": "attack", "WebIdentityToken": token}
        form = urlencode({"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", **given}).encode()
        answers = [exchange(connection, "POST", "/", form, FORM) for connection in self._connections]
        return [(answer.status, answer.body.decode()) for answer in answers]

    def takes(self, token: str) -> None:
        """Every worker gives credentials for the token."""
        assert [status for status, _ in self.assume(token)] == [200, 200]

    def refuses(self, token: str, code: str) -> None:
        """Every worker refuses the token with this code."""
        for status, body in self.assume(token):
            assert status >= 400, body
            assert f"<Code>{code}</Code>" in body


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    place = tmp_path_factory.mktemp("federation")
    listener = socket.create_server(("127.0.0.1", 0))
    host = f"localhost:{listener.getsockname()[1]}"
    environment = {"ENTREPOT_OUTBOUND_ALLOW": "localhost", "ENTREPOT_FAILED_LOGINS_PER_MINUTE": "0"}
    server = Server(place / "data", place / "home", environment=environment)
    server.start()
    try:
        with issuer_site(place, listener, host, "/ci") as site:
            made = Target(server, site)
            made.iam.create_open_id_connect_provider(Url=site.url, ClientIDList=["sts.amazonaws.com"])
            trust(made)
            app(
                ["admin", "oidc", "set-ca", "--data-dir", str(server.data_dir), made.provider, str(site.ca)],
                standalone_mode=False,
            )
            yield made
            made.close()
    finally:
        server.close()


def trust(target: Target) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": target.provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{target.site.name}:sub": claims_of(datetime.now(UTC))["sub"]}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    target.iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=document)


def test_the_right_token_is_taken_and_the_issuer_is_asked_once_by_each_worker(target: Target) -> None:
    for _ in range(3):
        target.takes(target.site.token())
    assert target.site.asked.count("/keys") == target.server.workers


def test_tokens_that_another_made(target: Target) -> None:
    now = datetime.now(UTC)
    target.refuses(TestIssuer().token(now, iss=target.site.url), "InvalidIdentityToken")
    target.refuses(TestIssuer().token(now, iss="https://evil.example"), "InvalidIdentityToken")
    for algorithm in ("none", "None", "HS256"):
        target.refuses(_renamed(unsigned(now, algorithm), target), "InvalidIdentityToken")


def test_the_public_key_is_no_shared_secret(target: Target) -> None:
    """The oldest trick: HMAC with the issuer's public key, which everybody knows."""
    public = target.site.issuer.rsa.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, claims, _ = _renamed(unsigned(datetime.now(UTC), "HS256"), target).split(".")
    mac = hmac.digest(pem, f"{head}.{claims}".encode(), hashlib.sha256)
    forged = f"{head}.{claims}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    target.refuses(forged, "InvalidIdentityToken")


def test_tokens_of_the_issuer_that_are_not_for_us_or_not_now(target: Target) -> None:
    now = int(datetime.now(UTC).timestamp())
    target.refuses(target.site.token(aud="somebody-else"), "InvalidIdentityToken")
    target.refuses(target.site.token(azp="somebody-else"), "InvalidIdentityToken")
    target.refuses(target.site.token(exp=now - 120), "ExpiredTokenException")
    target.refuses(target.site.token(nbf=now + 600), "InvalidIdentityToken")
    target.refuses(target.site.token(sub="repo:evil/fork:ref:refs/heads/main"), "AccessDenied")


def test_an_unknown_key_makes_no_storm_of_questions(target: Target) -> None:
    before, stranger = len(target.site.asked), TestIssuer()
    for number in range(9):
        token = stranger.token(datetime.now(UTC), kid=None, headers={"kid": f"k{number}"}, iss=target.site.url)
        target.refuses(token, "InvalidIdentityToken")
    assert len(target.site.asked) <= before + 2 * target.server.workers


def test_keys_in_a_private_range_are_not_fetched(target: Target) -> None:
    """An issuer that the account trusts says that its keys are where only the server can look."""
    inside = socket.create_server(("127.0.0.1", 0))
    inside.settimeout(0.2)
    reached = threading.Event()

    def wait() -> None:
        while not done.is_set():
            try:
                inside.accept()[0].close()
                reached.set()
            except TimeoutError:
                continue

    done = threading.Event()
    watcher = threading.Thread(target=wait)
    watcher.start()
    port = inside.getsockname()[1]
    try:
        for name, place in {
            "by-address": f"https://127.0.0.1:{port}/keys",
            "metadata": "https://169.254.169.254/latest/meta-data/",
            "mapped": f"https://[::ffff:127.0.0.1]:{port}/keys",
            "decimal": f"https://2130706433:{port}/keys",
            "plain": f"http://127.0.0.1:{port}/keys",
        }.items():
            _another_issuer(target, name)
            target.site.keys_url = place
            target.refuses(target.site.token(iss=f"{target.site.url}-{name}"), "IDPCommunicationError")
        _another_issuer(target, "redirect")
        target.site.keys_url = ""
        target.site.redirects["/keys"] = f"https://127.0.0.1:{port}/keys"
        target.refuses(target.site.token(iss=f"{target.site.url}-redirect"), "IDPCommunicationError")
    finally:
        target.site.keys_url, target.site.redirects = "", {}
        done.set()
        watcher.join()
        inside.close()
    assert not reached.is_set()


def test_a_deleted_provider_vouches_for_nobody_any_more(target: Target) -> None:
    token = target.site.token()
    target.takes(token)
    target.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=target.provider)
    target.refuses(token, "InvalidIdentityToken")


def _another_issuer(target: Target, name: str) -> None:
    """The same web server under another path, not asked before."""
    url = f"{target.site.url}-{name}"
    target.iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    arn = f"{target.provider}-{name}"
    command = ["admin", "oidc", "set-ca", "--data-dir", str(target.server.data_dir), arn, str(target.site.ca)]
    app(command, standalone_mode=False)


def _renamed(token: str, target: Target) -> str:
    """A token with the issuer that the account trusts."""
    head, _, signature = token.split(".")
    claims = claims_of(datetime.now(UTC)) | {"iss": target.site.url}
    return f"{head}.{urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.{signature}"
