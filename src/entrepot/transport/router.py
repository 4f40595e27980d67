"""The router: a raw path and a few headers decide which plane a request is for.

What belongs to none is a 404, but for `GET /`, where people look first: it says what this is.

Nothing is decoded before that, and a path that could be read in two ways is refused: dot segments, empty segments,
encoded slashes, control characters.

Spec: design, "Every protocol on every listener"; security rules, "Input".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp.web import Response, StreamResponse

from entrepot.transport.exchange import Answer, Exchange, Plane
from entrepot.transport.message import HttpRequest, HttpResponse
from entrepot.transport.oci.answer import from_message
from entrepot.transport.oci.error import ambiguous_path
from entrepot.transport.stream import send_bytes

AwsPlane = Callable[[HttpRequest], Awaitable[HttpResponse]]
Probe = Callable[[], Awaitable[HttpResponse]]

_AMBIGUOUS = re.compile(
    r"[^\x21-\x7e]|[\\#]|//|%(?:2[fF]|5[cC]|[01][0-9a-fA-F]|7[fF]|(?![0-9a-fA-F]{2}))|/(?:\.|%2[eE]){1,2}(?:/|$)"
)
_SIGNED_QUERY = re.compile(r"(?:^|&)(?:X-Amz-Algorithm|Action)=")
_SIGNATURE = "AWS4-"
_FORM = "application/x-www-form-urlencoded"

_FRONT_PAGE = """\
This is entrepot, a container registry with the API of Amazon ECR. It has no pages for browsers.

  Images    docker, podman, containerd and others push and pull under /v2/.
            The password: aws ecr get-login-password
  ECR API   aws ecr ..., with this address as endpoint_url of the profile, or in AWS_ENDPOINT_URL_ECR.
  Probes    /healthz and /readyz

Start with docs/guides/getting-started.md of the source, or `entrepot --help` where it runs.
"""
_NOT_FOUND = "Not Found: images are under /v2/, the ECR API takes POST /; GET / says what this is\n"
_TOKENS_AT = "/token/"
_PLAIN = {"X-Content-Type-Options": "nosniff"}


class Router:
    """Tells planes apart."""

    def __init__(
        self,
        *,
        oci: Plane,
        downloads: Plane,
        aws: AwsPlane,
        tokens: Plane | None = None,
        probes: Mapping[str, Probe] | None = None,
    ) -> None:
        self._oci = oci
        self._downloads = downloads
        self._aws = aws
        self._probes = dict(probes or {})
        self._fixed: dict[str, Plane] = dict.fromkeys(self._probes, self._answer_probe)
        if tokens is not None:
            self._fixed[_TOKENS_AT] = tokens

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer one request."""
        if is_ambiguous(exchange.path):
            return await _refuse(exchange)
        return await self._choose(exchange)(exchange)

    def _choose(self, exchange: Exchange) -> Plane:
        path = exchange.path
        if path.startswith("/layers/"):
            return self._downloads
        if exchange.headers.get("Authorization", "").startswith(_SIGNATURE):
            return self._answer_aws  # also under /v2/, where other AWS services live
        if path.startswith("/v2/") or path == "/v2":
            return self._oci
        if path in self._fixed:
            return self._fixed[path]
        if is_aws(exchange):
            return self._answer_aws
        return _front_page if path == "/" and exchange.method in ("GET", "HEAD") else _not_found

    async def _answer_probe(self, exchange: Exchange) -> StreamResponse:
        return await _send(exchange, await self._probes[exchange.path]())

    async def _answer_aws(self, exchange: Exchange) -> StreamResponse:
        return await _send(exchange, await self._aws(exchange.message()))


def is_ambiguous(path: str) -> bool:
    """Whether a raw path could be read in two ways, or is none."""
    return not path.startswith("/") or _AMBIGUOUS.search(path) is not None


def is_aws(exchange: Exchange) -> bool:
    """Whether an unsigned or presigned request speaks an AWS protocol."""
    if "X-Amz-Target" in exchange.headers:
        return True
    if exchange.query and _SIGNED_QUERY.search(exchange.query):
        return True
    is_form = exchange.headers.get("Content-Type", "").partition(";")[0].strip().lower() == _FORM
    return exchange.path == "/" and exchange.method == "POST" and is_form


async def _send(exchange: Exchange, answer: HttpResponse) -> StreamResponse:
    return await send_bytes(exchange, answer.status, answer.headers, answer.body)


async def _refuse(exchange: Exchange) -> StreamResponse:
    if exchange.path.startswith("/v2/"):
        return from_message(ambiguous_path())
    return Response(status=400, text="Bad Request: the path is ambiguous\n")


async def _not_found(_: Exchange) -> StreamResponse:
    return Response(status=404, text=_NOT_FOUND, headers=_PLAIN)


async def _front_page(_: Exchange) -> StreamResponse:
    return Response(text=_FRONT_PAGE, headers=_PLAIN)
