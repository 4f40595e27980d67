"""The kubelet's credential provider: requests of all versions, roles of service accounts, the node's credentials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from entrepot.clients import kubelet_provider
from tests.support.fake_aws import FakeAws
from tests.unit.clients.conftest import KEY, standard_input

GROUP = "credentialprovider.kubelet.k8s.io"
ROLE = "arn:aws:iam::123456789012:role/pull"
AWS_HOST = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
PROGRAM = Path(sys.executable).with_name("entrepot-credential-provider")


def _request(image: str, version: str = "v1", **more: Any) -> str:
    return json.dumps({"apiVersion": f"{GROUP}/{version}", "kind": "CredentialProviderRequest", "image": image, **more})


class Kubelet:
    """The provider as the kubelet calls it, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def call(self, stdin: str | bytes) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "stdin", standard_input(stdin))
        code = kubelet_provider.run()
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def kubelet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kubelet:
    return Kubelet(monkeypatch, capsys)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_the_nodes_credentials_pull(aws: FakeAws, kubelet: Kubelet, version: str) -> None:
    code, out, _ = kubelet.call(_request(f"{aws.host}/team/app:1", version))
    answer = json.loads(out)
    duration = answer.pop("cacheDuration")
    assert code == 0
    assert answer == {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "auth": {aws.host: {"username": "AWS", "password": "token-1"}},
    }
    assert re.fullmatch(r"215[0-9]{2}s|21600s", duration)
    assert (aws.asked[0].access_key_id, aws.asked[0].region) == (KEY, "eu-west-1")


def test_an_aws_shaped_image_names_account_and_region(aws: FakeAws, kubelet: Kubelet) -> None:
    _, out, _ = kubelet.call(_request(f"{AWS_HOST}/team/app@sha256:{'0' * 64}"))
    assert list(json.loads(out)["auth"]) == [AWS_HOST]
    assert (aws.asked[0].parameters, aws.asked[0].region) == ({"registryIds": ["123456789012"]}, "us-west-2")


@pytest.mark.parametrize(
    "annotations",
    [
        {"eks.amazonaws.com/ecr-role-arn": ROLE},
        {"eks.amazonaws.com/role-arn": ROLE},
        {"eks.amazonaws.com/role-arn": f"{ROLE}-other", "eks.amazonaws.com/ecr-role-arn": ROLE},
    ],
)
def test_a_service_account_pulls_as_its_role(aws: FakeAws, kubelet: Kubelet, annotations: dict[str, str]) -> None:
    more: dict[str, Any] = {"serviceAccountToken": "e30.e30.c2ln", "serviceAccountAnnotations": annotations}
    code, out, _ = kubelet.call(_request(f"{AWS_HOST}/app:1", **more))
    assert code == 0
    assert json.loads(out)["auth"][AWS_HOST]["password"] == "token-2"
    role, token = aws.asked
    assert (role.operation, role.access_key_id) == ("AssumeRoleWithWebIdentity", None)
    assert (role.parameters["RoleArn"], role.parameters["WebIdentityToken"]) == (ROLE, "e30.e30.c2ln")
    assert (token.access_key_id, token.region) == ("ASIAROLE000000000001", "us-west-2")


def test_a_service_account_needs_no_credentials_of_the_node(
    aws: FakeAws, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    more: dict[str, Any] = {
        "serviceAccountToken": "e30.e30.c2ln",
        "serviceAccountAnnotations": {"eks.amazonaws.com/ecr-role-arn": ROLE},
    }
    assert kubelet.call(_request(f"{aws.host}/app", **more))[0] == 0
    code, out, err = kubelet.call(_request(f"{aws.host}/app", serviceAccountToken="e30.e30.c2ln"))
    assert (code, out) == (1, "")
    assert "no AWS credentials" in err


def test_a_refused_token_is_told_and_not_shown(aws: FakeAws, kubelet: Kubelet) -> None:
    aws.refuses = ("InvalidIdentityToken", "Couldn't retrieve verification key")
    more: dict[str, Any] = {
        "serviceAccountToken": "hush",
        "serviceAccountAnnotations": {"eks.amazonaws.com/ecr-role-arn": ROLE},
    }
    code, out, err = kubelet.call(_request(f"{aws.host}/app", **more))
    assert (code, out) == (1, "")
    assert "InvalidIdentityToken: Couldn't retrieve verification key" in err
    assert "hush" not in err


def test_an_answer_without_credentials_is_told(aws: FakeAws, kubelet: Kubelet) -> None:
    aws.is_empty = True
    role = {"eks.amazonaws.com/ecr-role-arn": ROLE}
    asked = _request(f"{aws.host}/app", serviceAccountToken="hush", serviceAccountAnnotations=role)
    code, out, err = kubelet.call(asked)
    assert (code, out) == (1, "")
    assert "holds no credentials" in err


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        ("", "not JSON"),
        (b"\xff", "not UTF-8"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a CredentialProviderRequest"),
        (json.dumps({"kind": "CredentialProviderRequest", "apiVersion": f"{GROUP}/v2"}), "is not spoken"),
        (json.dumps({"kind": "CredentialProviderRequest", "apiVersion": []}), "is not spoken"),
        (json.dumps({"kind": "CredentialProviderRequest", "apiVersion": f"{GROUP}/v1"}), "must be strings"),
        (_request("h.example.com/app", serviceAccountToken=1), "must be strings"),
        (_request("h.example.com/app", serviceAccountToken="j", serviceAccountAnnotations=[1]), "must be an object"),
        (_request("busybox"), "no host"),
        (_request("library/busybox"), "no host"),
        (_request("busybox/x://127.0.0.1:5000/app"), "no host"),
    ],
)
def test_bad_input_is_told(home: Path, kubelet: Kubelet, stdin: str | bytes, words: str) -> None:
    code, out, err = kubelet.call(stdin)
    assert (code, out) == (1, "")
    assert words in err


def test_a_token_about_to_end_is_not_kept(aws: FakeAws, kubelet: Kubelet) -> None:
    aws.token_seconds = -5
    assert json.loads(kubelet.call(_request(f"{aws.host}/app"))[1])["cacheDuration"] == "0s"


def test_the_program_works_without_a_home(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    done = subprocess.run([PROGRAM], input=_request(f"{aws.host}/app"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["auth"][aws.host]["password"] == "token-1"
