"""Nodes pull through containerd's CRI with what the credential provider gives: as a node, as a service account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.clients.identities import LOGIN, PULL, allow, iam, new_role
from tests.e2e.clients.node import Node, push_pause
from tests.support.image_layout import ImageLayout
from tests.support.server import ACCOUNT, PROGRAM
from tests.support.web_identity import AUDIENCE, TestIssuer
from tests.support.world import HOST, World

CLUSTER = "oidc.cluster.example.com/id/1"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{CLUSTER}"
SUBJECT = "system:serviceaccount:shop:web"
APP, OTHER = f"{HOST}/k8s/app:1", f"{HOST}/k8s/other:1"


@pytest.fixture(scope="module")
def source(world: World, images: ImageLayout) -> None:
    """Images to pull, and the sandbox image on the node."""
    push_pause(world, images)
    for name, address in (("python-app", APP), ("busybox", OTHER)):
        world.create(address.removeprefix(f"{HOST}/").removesuffix(":1"))
        world.push(images, name, address)


@pytest.fixture(scope="module")
def issuer(world: World) -> Iterator[TestIssuer]:
    """The cluster's, whose keys the server was given."""
    cluster = TestIssuer()
    iam(world, "create-open-id-connect-provider", "--url", f"https://{CLUSTER}", "--client-id-list", AUDIENCE)
    keys = world.scratch() / "keys.json"
    keys.write_bytes(cluster.key_set())
    world.do(PROGRAM, "admin", "oidc", "set-jwks", "--data-dir", world.directory / "data", PROVIDER, keys)
    yield cluster
    iam(world, "delete-open-id-connect-provider", "--open-id-connect-provider-arn", PROVIDER)


def _role(world: World, name: str) -> dict[str, str]:
    """Annotations of a service account whose role may pull the app."""
    trusted = {
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": PROVIDER},
        "Condition": {"StringEquals": {f"{CLUSTER}:sub": SUBJECT, f"{CLUSTER}:aud": AUDIENCE}},
    }
    arn = new_role(world, name, trusted, allow(LOGIN), allow(*PULL, repository="k8s/app"))
    return {"eks.amazonaws.com/ecr-role-arn": arn}


def _service_account(issuer: TestIssuer, annotations: dict[str, str], subject: str = SUBJECT) -> dict[str, Any]:
    token = issuer.token(datetime.now(UTC), iss=f"https://{CLUSTER}", sub=subject, aud=[AUDIENCE])
    return {"serviceAccountToken": token, "serviceAccountAnnotations": annotations}


def test_a_pod_runs_with_the_credentials_of_the_node(world: World, source: None) -> None:
    node = Node(world, "node-cri")
    node.install()
    denied = node.ask(APP)
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "user/node-cri is not authorized to perform: ecr:GetAuthorizationToken" in denied.stderr

    node.let_pull()
    answer = json.loads(node.ask(APP).stdout)
    pulled = node.pull(APP, answer)
    assert pulled.returncode == 0, pulled.stderr
    assert node.cri("run", APP).stdout.strip() == "python-app 2.19.1 2.10"
    node.cri("rmi", APP)

    node.let_pull(can_pull=False)
    refused = node.pull(APP, answer)
    assert refused.returncode != 0
    assert "403 Forbidden" in refused.stderr


def test_a_pod_runs_as_its_service_account(world: World, source: None, issuer: TestIssuer) -> None:
    node = Node(world, "node-accounts")
    node.install("--audience", AUDIENCE)
    account = _service_account(issuer, _role(world, "web"))
    asked = node.ask(APP, **account)
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert 1700 <= int(answer["cacheDuration"].removesuffix("s")) <= 1800, "half of an hour, which the session lasts"
    pulled = node.pull(APP, answer)
    assert pulled.returncode == 0, pulled.stderr
    assert node.cri("run", APP).stdout.strip() == "python-app 2.19.1 2.10"
    node.cri("rmi", APP)
    assert "403 Forbidden" in node.pull(OTHER, answer | {"auth": answer["auth"]}).stderr

    iam(world, "delete-role-policy", "--role-name", "web", "--policy-name", "rights")
    assert "403 Forbidden" in node.pull(APP, answer).stderr
    iam(world, "delete-role", "--role-name", "web")
    assert node.pull(APP, answer).returncode != 0


def test_other_service_accounts_get_nothing(world: World, source: None, issuer: TestIssuer) -> None:
    node = Node(world, "node-others")
    node.install("--audience", AUDIENCE)
    annotations = _role(world, "web-only")
    for subject in ("system:serviceaccount:shop:other", "system:serviceaccount:test:web"):
        refused = node.ask(APP, **_service_account(issuer, annotations, subject))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in refused.stderr
    forged = node.ask(APP, **_service_account(TestIssuer(), annotations))
    assert (forged.returncode, forged.stdout) == (1, "")
    assert "InvalidIdentityToken" in forged.stderr
    assert "not authorized" in node.ask(APP, **_service_account(issuer, {})).stderr, "the node's own credentials"


def test_the_protocol_of_awss_own_provider(world: World, source: None) -> None:
    node = Node(world, "node-aws")
    node.install(program=node.aws_provider())
    node.let_pull()
    asked = node.ask(APP)
    assert asked.returncode == 0, asked.stderr
    pulled = node.pull(APP, json.loads(asked.stdout))
    assert pulled.returncode == 0, pulled.stderr
