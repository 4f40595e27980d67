"""docker's credential helper: the protocol, whose hosts get a password, and what is kept in between."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from entrepot.clients import docker_helper
from entrepot.clients.known_host import KnownHost, remember_host
from tests.support.fake_aws import FakeAws
from tests.unit.clients.conftest import KEY, standard_input

AWS_HOST = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
PROGRAM = Path(sys.executable).with_name("docker-credential-entrepot")


class Helper:
    """The helper as docker calls it, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def call(self, action: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "stdin", standard_input(stdin))
        code = docker_helper.run([action])
        captured = self._capsys.readouterr()
        return code, captured.out.strip(), captured.err

    def get(self, host: str) -> Any:
        code, out, _ = self.call("get", host)
        assert code == 0, out
        return json.loads(out)


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Helper:
    return Helper(monkeypatch, capsys)


def test_the_host_of_the_api_gets_a_token(aws: FakeAws, helper: Helper) -> None:
    assert helper.get(f"{aws.host}\n") == {"ServerURL": aws.host, "Username": "AWS", "Secret": "token-1"}
    (asked,) = aws.asked
    assert (asked.operation, asked.parameters, asked.access_key_id) == ("GetAuthorizationToken", {}, KEY)
    assert asked.region == "eu-west-1"


def test_an_aws_shaped_host_names_account_and_region(aws: FakeAws, helper: Helper) -> None:
    assert helper.get(f"https://{AWS_HOST}/v2/")["Username"] == "AWS"
    assert aws.asked[0].parameters == {"registryIds": ["123456789012"]}
    assert aws.asked[0].region == "us-west-2"


def test_the_host_that_the_server_names_gets_a_token(aws: FakeAws, helper: Helper) -> None:
    aws.proxy_endpoint = "https://registry.example.com:8443"
    assert helper.get("registry.example.com:8443")["Secret"] == "token-1"


@pytest.mark.parametrize("host", ["https://index.docker.io/v1/", "ghcr.io", "registry.example.com", "public.ecr.aws"])
def test_another_host_gets_no_password(aws: FakeAws, helper: Helper, host: str) -> None:
    code, out, _ = helper.call("get", host)
    assert (code, out) == (1, "credentials not found in native keychain")


def test_a_host_in_the_path_of_another_gets_no_password(aws: FakeAws, helper: Helper) -> None:
    assert helper.call("get", f"evil.example/x://{aws.host}")[:2] == (1, docker_helper.NOT_FOUND)
    assert helper.get(f"http://{aws.host}/x://y")["Secret"]


def test_another_host_goes_on_without_a_password_when_the_api_is_down(
    aws: FakeAws, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.refuses = ("AccessDeniedException", "no")
    assert helper.call("get", "ghcr.io")[:2] == (1, docker_helper.NOT_FOUND)
    monkeypatch.setenv("AWS_PROFILE", "missing")
    assert helper.call("get", "ghcr.io")[:2] == (1, docker_helper.NOT_FOUND)
    code, out, _ = helper.call("get", AWS_HOST)
    assert code == 1
    assert "missing" in out


def test_a_host_set_up_before_gets_its_profile(
    aws: FakeAws, helper: Helper, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text("[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n")
    (home / ".aws" / "config").write_text("[profile other]\nregion = ap-south-1\n")
    remember_host("alias.example.com", KnownHost("other", None, aws.url))
    monkeypatch.delenv("AWS_ENDPOINT_URL_ECR")
    monkeypatch.delenv("AWS_REGION")
    assert helper.get("alias.example.com")["Secret"] == "token-1"
    assert (aws.asked[0].access_key_id, aws.asked[0].region) == ("AKIAOTHER", "ap-south-1")


def test_the_endpoint_is_found_in_the_services_section(
    aws: FakeAws, helper: Helper, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        f"[profile local]\nregion = us-east-1\nservices = local\naws_access_key_id = AKIALOCAL\n"
        f"aws_secret_access_key = x\n[services local]\necr =\n  endpoint_url = {aws.url}\n"
    )
    for name in ("AWS_ENDPOINT_URL_ECR", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "local")
    assert helper.get(aws.host)["Secret"] == "token-1"
    assert aws.asked[0].access_key_id == "AKIALOCAL"


def test_without_credentials_docker_goes_on_without(
    aws: FakeAws, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, out, err = helper.call("get", AWS_HOST)
    assert (code, out) == (1, docker_helper.NOT_FOUND)
    assert "no AWS credentials" in err


def test_a_refusal_is_told(aws: FakeAws, helper: Helper) -> None:
    aws.refuses = ("UnrecognizedClientException", "The security token included in the request is invalid.")
    code, out, err = helper.call("get", aws.host)
    assert code == 1
    assert out == "UnrecognizedClientException: The security token included in the request is invalid."
    assert err == f"docker-credential-entrepot: {out}\n", "docker push and oras show nothing else"


def test_a_token_is_kept_until_half_of_its_life(aws: FakeAws, helper: Helper) -> None:
    assert [helper.get(aws.host)["Secret"] for _ in range(3)] == ["token-1"] * 3
    assert len(aws.asked) == 1


def test_a_token_of_other_keys_region_or_account_is_not_taken(
    aws: FakeAws, helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [aws.host, AWS_HOST, AWS_HOST.replace("us-west-2", "us-east-1"), AWS_HOST.replace("1234", "9999")]
    assert len({helper.get(host)["Secret"] for host in hosts}) == len(hosts)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECOND")
    assert helper.get(aws.host)["Secret"] == f"token-{len(hosts) + 1}"


def test_erase_forgets(aws: FakeAws, helper: Helper) -> None:
    helper.get(aws.host)
    assert json.loads(helper.call("list")[1]) == {aws.host: "AWS"}
    assert helper.call("erase", aws.host) == (0, "", "")
    assert json.loads(helper.call("list")[1]) == {}
    assert helper.get(aws.host)["Secret"] == "token-2"


def test_erase_of_nothing_is_fine(home: Path, helper: Helper) -> None:
    assert helper.call("erase", "https://index.docker.io/v1/") == (0, "", "")


@pytest.mark.parametrize(
    ("action", "stdin", "words"),
    [
        ("get", "", "no credentials server URL"),
        ("erase", "\n", "no credentials server URL"),
        ("store", '{"ServerURL": "", "Username": "AWS", "Secret": "x"}', "no credentials server URL"),
        ("store", '{"ServerURL": "h:1", "Username": "", "Secret": "x"}', "no credentials username"),
        ("store", "[]", "the credentials to store are not a JSON object"),
        ("store", '{"ServerURL": "h:1", "Username": "me", "Secret": "hush"}', "keeps no passwords"),
        ("get", "two words", "not the host of a registry"),
    ],
)
def test_bad_input_is_told(home: Path, helper: Helper, action: str, stdin: str, words: str) -> None:
    code, out, err = helper.call(action, stdin)
    assert code == 1
    assert words in out
    assert "hush" not in out + err


def test_input_that_is_not_text_is_told(home: Path, helper: Helper) -> None:
    code, out, _ = helper.call("get", b"\xff")
    assert (code, out) == (1, "the request is not UTF-8")


def test_docker_login_with_a_token_stores_nothing(home: Path, helper: Helper) -> None:
    given = {"ServerURL": "127.0.0.1:5000", "Username": "AWS", "Secret": "hush"}
    assert helper.call("store", json.dumps(given)) == (0, "", "")
    assert [path for path in home.rglob("*") if path.is_file() and "hush" in path.read_text()] == []


def test_an_unknown_action_is_told(home: Path, helper: Helper) -> None:
    assert helper.call("take")[0] == 1


def test_the_program_keeps_tokens_in_private_files(aws: FakeAws, home: Path) -> None:
    os.umask(os.umask(0o022))
    done = subprocess.run([PROGRAM, "get"], input=aws.host, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Secret"] == "token-1"
    assert done.stderr == ""
    directory = home / ".cache" / "entrepot" / "tokens"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_parallel_pulls_ask_for_one_token(aws: FakeAws, home: Path) -> None:
    running = [
        subprocess.Popen([PROGRAM, "get"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = [process.communicate(aws.host)[0] for process in running]
    assert {json.loads(answer)["Secret"] for answer in answers} == {"token-1"}
    assert len(aws.asked) == 1


def test_a_kept_token_is_answered_without_loading_botocore(aws: FakeAws, home: Path) -> None:
    code = "import sys; from entrepot.clients.docker_helper import run; run(['get']); print('botocore' in sys.modules)"
    lines = [
        subprocess.run([sys.executable, "-c", code], input=aws.host, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [done.stdout.splitlines()[1] for done in lines] == ["True", "False"]
    assert len({done.stdout.splitlines()[0] for done in lines}) == 1
