"""`entrepot admin oidc`: keys and certificates are checked, kept and shown, in a database without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner

from entrepot.app import workbench
from entrepot.app.cli.main import app
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.web_identity import Provider
from entrepot.service.iam.provider import IamProviderService
from tests.support.certificate import Certificates, make_certificates
from tests.support.started import start_once
from tests.support.web_identity import AUDIENCE, ISSUER, TestIssuer

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a database whose account trusts the issuer."""
    settings = start_once(tmp_path / "data")

    async def trust(bench: Workbench) -> None:
        providers = IamProviderService(bench.database, bench.context)
        await providers.create(settings.account_id, f"https://{ISSUER}", [AUDIENCE], [], {})

    workbench.run(settings, trust)
    return settings


@pytest.fixture
def arn(settings: Settings) -> str:
    return f"arn:aws:iam::{settings.account_id}:oidc-provider/{ISSUER}"


@pytest.fixture
def run(settings: Settings) -> Run:
    def run(*arguments: object) -> tuple[int, str]:
        words = ["admin", "oidc", *map(str, arguments), "--data-dir", str(settings.data_dir)]
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.output

    return run


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path, ["localhost"])


def kept(settings: Settings) -> Provider:
    async def find(bench: Workbench) -> Provider:
        found = await IamProviderService(bench.database, bench.context).find(settings.account_id, ISSUER)
        assert found is not None
        return found

    return workbench.run(settings, find)


def test_keys_are_given_and_taken_back(run: Run, settings: Settings, arn: str, tmp_path: Path) -> None:
    issuer, file = TestIssuer(), tmp_path / "jwks.json"
    secret = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(issuer.rsa)) | {"kid": "secret"}
    file.write_text(json.dumps({"keys": [*issuer.keys(), secret]}))

    assert run("set-jwks", arn, file) == (0, "tokens are verified with the keys given: one, two\n")
    keys = kept(settings).keys
    assert keys is not None
    assert [key["kid"] for key in json.loads(keys)["keys"]] == ["one", "two"]
    assert run("list")[1].splitlines()[1].split() == [arn, "given:", "one,", "two", "the", "system's"]

    assert run("unset-jwks", arn)[0] == 0
    assert kept(settings).keys is None
    assert run("list")[1].splitlines()[1].split() == [arn, "published", "the", "system's"]


def test_certificates_are_given_and_taken_back(
    run: Run, settings: Settings, arn: str, certificates: Certificates, tmp_path: Path
) -> None:
    """A private key in the same file stays out of the database."""
    file = tmp_path / "both.pem"
    file.write_bytes(certificates.key.read_bytes() + certificates.ca.read_bytes())

    code, output = run("set-ca", arn, file)
    assert (code, "CN=entrepot test CA (until 20" in output) == (0, True)
    assert kept(settings).ca == certificates.ca.read_text()
    shown = run("show", arn)[1]
    assert f"issuer        https://{ISSUER}\n" in shown
    assert "audiences     sts.amazonaws.com\nkeys          published\nca            CN=entrepot test CA" in shown

    assert run("unset-ca", arn)[0] == 0
    assert kept(settings).ca is None


def test_json(run: Run, arn: str) -> None:
    row = {"arn": arn, "issuer": f"https://{ISSUER}", "audiences": [AUDIENCE], "keys": None, "ca": []}
    assert json.loads(run("list", "--json")[1]) == [row]
    assert json.loads(run("show", arn, "--json")[1]) == row


@pytest.mark.parametrize(
    ("command", "text", "reason"),
    [
        ("set-jwks", "", "not a JSON Web Key Set"),
        ("set-jwks", '{"keys": [{"kty": "oct", "k": "AAAA"}]}', "without a public key"),
        ("set-jwks", "x" * 300_000, "has more than 262144 bytes"),
        ("set-ca", "", "has no certificates in the form of PEM"),
        ("set-ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "has no certificates"),
    ],
)
def test_files_that_do_not_do(
    run: Run, settings: Settings, arn: str, tmp_path: Path, command: str, text: str, reason: str
) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    code, output = run(command, arn, file)
    assert (code, output.startswith(f"entrepot: {file} "), reason in output) == (1, True, True)
    assert (kept(settings).keys, kept(settings).ca) == (None, None)


def test_what_is_not_there(run: Run, arn: str, tmp_path: Path, certificates: Certificates) -> None:
    assert run("set-ca", arn, tmp_path / "nothing")[1].endswith("cannot be read: No such file or directory\n")
    assert "there is no provider" in run("show", f"{arn}/other")[1]
    assert "there is no provider" in run("set-ca", f"{arn}/other", certificates.ca)[1]
    assert "there is no provider" in run("unset-jwks", arn.replace("123456789012", "000000000000"))[1]
    assert "is not the ARN of an OpenID Connect provider" in run("show", arn.replace("oidc-provider", "user"))[1]
    assert "is not the ARN of an OpenID Connect provider" in run("show", "nonsense")[1]
