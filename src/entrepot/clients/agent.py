"""`entrepot agent`: role credentials for programs of this machine, handed out as ECS hands them to its tasks.

    GET http://127.0.0.1:4779/credentials        Authorization: the token
    200 {"RoleArn": …, "AccessKeyId": …, "SecretAccessKey": …, "Token": …, "Expiration": "2026-01-01T12:00:00Z"}
    4xx or 503 {"code": "AccessDenied", "message": …}

It listens on a loopback address only. Every request must name exactly that address and port as its host (a web page
whose name was made to lead here names another), must not come from a browser, and must bring the token, which stands in
a file that only this user can read.

Spec: ECS developer guide, "Task IAM role"; AWS SDKs and tools reference, "Container credential provider".
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import shlex
import signal
import socket
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aiohttp import web

from entrepot.clients.client_error import ClientError
from entrepot.clients.private_file import make_private_directory, user_directory, write_private
from entrepot.clients.role_credentials import Credentials, Role, RoleCredentials

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Address", "Agent", "Role", "run"]

PATH = "/credentials"
_TOKEN_BYTES = 32
_BROWSERS = ("Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "entrepot"}
_HEAD_SECONDS = 5
"""A connection that has not sent the head of a request by then is closed."""
_END_SECONDS = 2
_PORT_MOST = 65535
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Address:
    """A loopback address and port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `127.0.0.1:4779` or `[::1]:4779`; port 0 is any that is free.

        Raises:
            ClientError: it is none, or others could reach it.
        """
        host, _, port = text.rpartition(":")
        try:
            address, number = ipaddress.ip_address(host.removeprefix("[").removesuffix("]")), int(port)
        except ValueError as error:
            raise ClientError(f"{text!r} is not an address and a port, such as 127.0.0.1:4779") from error
        if not address.is_loopback or not 0 <= number <= _PORT_MOST:
            raise ClientError(f"{text}: credentials are given on loopback addresses only, such as 127.0.0.1:4779")
        return cls(str(address), number)

    @property
    def authority(self) -> str:
        """What HTTP clients send as Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _HTTP_PORT else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """Where credentials are."""
        return f"http://{self.authority}{PATH}"

    def listen(self) -> socket.socket:
        """A socket that listens here.

        Raises:
            ClientError: the port is taken, or the machine has no such address.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            raise ClientError(f"cannot listen on {self.host}, port {self.port}: {error.strerror}") from error


class Agent:
    """Answers requests for the credentials of one role."""

    def __init__(self, role_arn: str, credentials: RoleCredentials, authority: str, token: str) -> None:
        """`authority` is the only Host that is answered, `token` the only Authorization."""
        self._role_arn, self._credentials = role_arn, credentials
        self._authority, self._token = authority, token.encode()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, then the connection ends."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            return self._grant(await self._credentials.get())
        except ClientError as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "CredentialsUninitialized", str(error))

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        if request.headers.getall("Host", []) != [self._authority]:
            return _error(HTTPStatus.FORBIDDEN, "AccessDenied", "The request is for another host")
        if any(name in request.headers for name in _BROWSERS):
            return _error(HTTPStatus.FORBIDDEN, "AccessDenied", "Browsers get no credentials")
        if not self._is_token(request.headers.getall("Authorization", [])):
            return _error(HTTPStatus.FORBIDDEN, "AccessDenied", "The authorization token is missing or wrong")
        if request.method != "GET":
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", "Credentials are read with GET")
        if request.raw_path != PATH or request.can_read_body:
            return _error(HTTPStatus.NOT_FOUND, "InvalidIdInRequest", f"Credentials are at {PATH}")
        return None

    def _is_token(self, given: list[str]) -> bool:
        return len(given) == 1 and hmac.compare_digest(given[0].encode("utf-8", "surrogateescape"), self._token)

    def _grant(self, given: Credentials) -> web.Response:
        return _json(
            HTTPStatus.OK,
            {
                "RoleArn": self._role_arn,
                "AccessKeyId": given.access_key_id,
                "SecretAccessKey": given.secret_access_key,
                "Token": given.session_token,
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(given.expires_at)),
            },
        )


def run(role: Role, address: Address, token_file: Path | None, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; `say` gets the lines to paste.

    Raises:
        ClientError: it cannot listen or write the token, or the role cannot be assumed at the start.
    """
    asyncio.run(_run(role, address, token_file, say))


async def _run(role: Role, address: Address, token_file: Path | None, say: Callable[[str], None]) -> None:
    credentials = RoleCredentials(role.assume, say)
    with address.listen() as listening:
        bound = Address(address.host, listening.getsockname()[1])
        await credentials.get()
        end = _end_of_program()
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with _written(token_file or _default_file(bound.port), token) as path:
            server = _server(Agent(role.arn, credentials, bound.authority, token))
            runner = web.ServerRunner(server, shutdown_timeout=_END_SECONDS)
            await runner.setup()
            try:
                await web.SockSite(runner, listening).start()
                say(_welcome(role, bound, path))
                await end.wait()
            finally:
                await runner.cleanup()


def _server(agent: Agent) -> web.Server:
    return web.Server(
        agent.answer,
        access_log=None,
        lingering_time=0,
        keepalive_timeout=_HEAD_SECONDS,
        max_line_size=1024,
        max_field_size=4096,
        max_headers=64,
    )


def _end_of_program() -> asyncio.Event:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, end.set)
    return end


def _default_file(port: int) -> Path:
    directory = user_directory("XDG_RUNTIME_DIR", ".cache")
    if directory is None:
        raise ClientError("there is no home directory to write the token to: give --token-file")
    try:
        make_private_directory(directory)
    except OSError as error:
        raise ClientError(f"cannot write to {directory}: {error.strerror or error}") from error
    return directory / f"agent-{port}.token"


@contextmanager
def _written(path: Path, token: str) -> Iterator[Path]:
    """The token in a file without a line's end (SDKs send it as it stands), which goes with the program."""
    try:
        write_private(path, token.encode())
    except OSError as error:
        raise ClientError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield path.absolute()
    finally:
        with suppress(OSError):
            if path.read_bytes() == token.encode():  # an agent that was started later has its own
                path.unlink()


def _welcome(role: Role, address: Address, path: Path) -> str:
    file = shlex.quote(str(path))
    return f"""\
The credentials of {role.arn}, for programs of this machine that may read {path}:

  export AWS_CONTAINER_CREDENTIALS_FULL_URI={address.url}
  export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE={file}

For SDKs that do not know such files:

  export AWS_CONTAINER_AUTHORIZATION_TOKEN="$(cat {file})"
"""


def _error(status: HTTPStatus, code: str, message: str) -> web.Response:
    response = _json(status, {"code": code, "message": message})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = "GET"
    return response


def _json(status: HTTPStatus, value: dict[str, str]) -> web.Response:
    response = web.json_response(value, status=status, headers=_HEADERS)
    response.force_close()
    return response
