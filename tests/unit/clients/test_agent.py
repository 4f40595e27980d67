"""`entrepot agent`: who gets credentials and who does not, and the program from its start to its end."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from botocore.credentials import ContainerProvider

from entrepot.clients.agent import Address
from entrepot.clients.client_error import ClientError
from tests.support.fake_aws import FakeAws, fake_aws
from tests.support.poll import wait_until
from tests.support.server import PROGRAM, free_port
from tests.unit.clients.conftest import KEY

ROLE = "arn:aws:iam::123456789012:role/task"
_COMMAND = [str(PROGRAM), "agent", "--role-arn", ROLE]


class Running:
    """An agent of a process of its own, and raw requests to it."""

    def __init__(self, aws: FakeAws, home: Path, *options: str, host: str = "127.0.0.1") -> None:
        self.aws, self.host, self.port = aws, host, free_port()
        listen = f"{f'[{host}]' if ':' in host else host}:{self.port}"
        self.authority = listen
        self.log = home / "agent.log"
        command = [*_COMMAND, "--listen", listen, *options]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                command, env=_environment(aws, home), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        wait_until(self._is_ready, what="an agent")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.printed
        return "AUTHORIZATION_TOKEN=" in self.printed

    @property
    def printed(self) -> str:
        return self.log.read_text()

    def exported(self, name: str) -> str:
        found = re.search(rf"^  export {name}=(.*)$", self.printed, re.MULTILINE)
        assert found
        return found[1]

    @property
    def token_file(self) -> Path:
        return Path(shlex.split(self.exported("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))[0])

    @property
    def token(self) -> str:
        return self.token_file.read_text()

    def ask(
        self, method: str = "GET", path: str = "/credentials", *, host: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of one answer; the token is sent unless the test sends another."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": host or self.authority, "Authorization": self.token} | {
                name.replace("_", "-"): value for name, value in headers.items()
            }
            for name, value in sent.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            assert answer.headers["Cache-Control"] == "no-store"
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Everything that comes back for some bytes, until the agent closes."""
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


def _environment(aws: FakeAws, home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": "clients-test-secret",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_STS": aws.url,
    }


@contextmanager
def _running(*options: str, host: str = "127.0.0.1", session_seconds: float = 3600) -> Iterator[Running]:
    with fake_aws() as aws, TemporaryDirectory() as home:
        aws.session_seconds = session_seconds
        running = Running(aws, Path(home), *(option.format(home=home) for option in options), host=host)
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()


@pytest.fixture(scope="module")
def agent() -> Iterator[Running]:
    """One for all tests that do not end it."""
    with _running() as running:
        yield running


@pytest.fixture
def own_agent() -> Iterator[Running]:
    with _running() as running:
        yield running


def test_credentials_as_ecs_gives_them(agent: Running) -> None:
    status, given = agent.ask()
    expiration = given.pop("Expiration")
    assert (status, given) == (
        200,
        {
            "RoleArn": ROLE,
            "AccessKeyId": "ASIAROLE000000000001",
            "SecretAccessKey": "role-secret-1",
            "Token": "role-token-1",
        },
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", expiration)
    assert agent.ask()[0] == 200
    assert agent.aws.operations() == ["AssumeRole"]


def test_the_pasted_lines_work_for_botocore(agent: Running) -> None:
    lines = {
        name: agent.exported(name)
        for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    }
    found = ContainerProvider(environ=lines).load()
    assert found.get_frozen_credentials().token == "role-token-1"
    text = subprocess.run(
        ["sh", "-c", f"printf %s {agent.exported('AWS_CONTAINER_AUTHORIZATION_TOKEN')}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert text.stdout == agent.token


def test_the_token_is_in_a_private_file_and_nowhere_else(agent: Running) -> None:
    assert stat.S_IMODE(agent.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(agent.token_file.parent.stat().st_mode) == 0o700
    assert len(agent.token) >= 43
    for secret in (agent.token, "role-secret-1", "role-token-1"):
        assert secret not in agent.printed
        assert secret not in Path(f"/proc/{agent.process.pid}/cmdline").read_text()


@pytest.mark.parametrize(
    "host", ["attacker.example:{port}", "localhost:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:{port}"]
)
def test_another_host_name_gets_nothing(agent: Running, host: str) -> None:
    status, answer = agent.ask(host=host.format(port=agent.port))
    assert (status, answer) == (403, {"code": "AccessDenied", "message": "The request is for another host"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "null"},
        {"Referer": "http://attacker.example/"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Mode": "no-cors"},
    ],
)
def test_browsers_get_nothing(agent: Running, headers: dict[str, str]) -> None:
    assert agent.ask(**headers) == (403, {"code": "AccessDenied", "message": "Browsers get no credentials"})


def test_a_wrong_token_gets_nothing(agent: Running) -> None:
    wrong = [" ", "x", agent.token[:-1], f"{agent.token}x", f"Bearer {agent.token}", agent.token.swapcase(), "\xff"]
    for given in wrong:
        assert agent.ask(Authorization=given)[0] == 403
    assert agent.ask(Authorization="")[0] == 403


def test_headers_sent_twice_get_nothing(agent: Running) -> None:
    host, token = f"Host: {agent.authority}\r\n", f"Authorization: {agent.token}\r\n"
    for head in (host + host + token, host + token + token, token):
        answer = agent.raw(f"GET /credentials HTTP/1.1\r\n{head}\r\n".encode())
        assert answer.split(b" ")[1] in {b"400", b"403"}
        assert b"role-secret" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])
def test_only_get_is_answered(agent: Running, method: str) -> None:
    answer = agent.raw(
        f"{method} /credentials HTTP/1.1\r\nHost: {agent.authority}\r\nAuthorization: {agent.token}\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET\r\n" in answer


@pytest.mark.parametrize(
    "path",
    ["/", "/credentials/", "/credentials?x=1", "//credentials", "/%63redentials", "http://127.0.0.1/credentials"],
)
def test_there_is_one_path(agent: Running, path: str) -> None:
    assert agent.ask(path=path)[0] == 404


def test_a_request_with_a_body_gets_nothing_and_is_not_read(agent: Running) -> None:
    assert agent.ask(Content_Length="1000000")[0] == 404


def test_large_and_broken_requests_end_the_connection(agent: Running) -> None:
    good = f"GET /credentials HTTP/1.1\r\nHost: {agent.authority}\r\nAuthorization: {agent.token}\r\n"
    for data in (
        b"\0\1\2\r\n\r\n",
        b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n",
        good.encode() + b"X: " + b"a" * 5000 + b"\r\n\r\n",
        good.encode() + b"".join(b"X-%d: a\r\n" % number for number in range(100)) + b"\r\n",
    ):
        answer = agent.raw(data)
        assert re.match(rb"HTTP/1\.[01] 400 ", answer)
        assert agent.token.encode() not in answer
    assert agent.ask()[0] == 200


def test_a_slow_head_is_cut_off_while_others_are_served(agent: Running) -> None:
    with socket.create_connection(("127.0.0.1", agent.port), timeout=20) as slow:
        slow.sendall(b"GET /credentials HTTP/1.1\r\nHost:")
        assert agent.ask()[0] == 200
        assert slow.recv(100) == b""


def test_ended_credentials_that_cannot_be_renewed_are_an_error() -> None:
    with _running(session_seconds=2) as agent:
        agent.aws.refuses = ("AccessDenied", "not any more")

        def refused() -> tuple[int, Any] | None:
            answer = agent.ask()
            return answer if answer[0] != HTTPStatus.OK else None

        message = "AccessDenied: not any more"
        assert wait_until(refused) == (503, {"code": "CredentialsUninitialized", "message": message})
        assert f"no new credentials: {message}" in agent.printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_cleanly_and_takes_the_token_along(own_agent: Running, number: int) -> None:
    file = own_agent.token_file
    assert (own_agent.end(number), file.exists()) == (0, False)


def test_it_ends_while_sts_is_silent_and_connections_are_open() -> None:
    with _running(session_seconds=1) as agent:
        agent.aws.answer = lambda *_: time.sleep(60)  # type: ignore[assignment, method-assign]
        with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as open_one:
            head = f"GET /credentials HTTP/1.1\r\nHost: {agent.authority}\r\nAuthorization: {agent.token}\r\n\r\n"
            open_one.sendall(head.encode())
            assert agent.end() == 0


def test_the_file_of_a_later_agent_stays(own_agent: Running) -> None:
    own_agent.token_file.write_text("another")
    file = own_agent.token_file
    assert (own_agent.end(), file.read_text()) == (0, "another")


def test_another_file_can_be_named() -> None:
    with _running("--token-file", "{home}/a token") as agent:
        (file,) = shlex.split(agent.exported("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
        assert file.endswith("/a token")
        assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
        assert agent.end() == 0


def test_ipv6() -> None:
    with _running(host="::1") as agent:
        assert agent.exported("AWS_CONTAINER_CREDENTIALS_FULL_URI") == f"http://[::1]:{agent.port}/credentials"
        assert agent.ask()[0] == 200
        assert agent.ask(host=f"127.0.0.1:{agent.port}")[0] == 403


def test_it_does_not_start_without_what_it_needs(aws: FakeAws, home: Path) -> None:
    def fails(*options: str) -> str:
        command = [*_COMMAND, *options]
        environment = _environment(aws, home)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        return done.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "cannot listen" in fails("--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert "cannot write" in fails("--listen", "127.0.0.1:0", "--token-file", str(home / "none" / "token"))
    assert "loopback addresses only" in fails("--listen", "0.0.0.0:4779")
    aws.refuses = ("AccessDenied", "you may not")
    assert "AccessDenied: you may not" in fails("--listen", "127.0.0.1:0")
    assert not list(home.rglob("*.token"))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0:1",
        "192.0.2.1:80",
        "[::]:1",
        "localhost:1",
        "127.0.0.1",
        ":1",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "",
    ],
)
def test_others_addresses_are_refused(text: str) -> None:
    with pytest.raises(ClientError):
        Address.parse(text)


def test_addresses() -> None:
    assert Address.parse("127.0.0.1:80").url == "http://127.0.0.1/credentials"
    assert Address.parse("[::1]:4779").authority == "[::1]:4779"
