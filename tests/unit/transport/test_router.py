"""Which plane a request is for."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.web import Response, StreamResponse
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.transport.message import HttpRequest, HttpResponse
from entrepot.transport.router import Router


class Exchange:
    """What the router looks at."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = CIMultiDictProxy(CIMultiDict(headers))

    def message(self) -> Any:
        return SimpleNamespace(path=self.path)


def plane(name: str) -> Any:
    async def answer(_: object) -> StreamResponse:
        return Response(text=name)

    return answer


async def aws(_: HttpRequest) -> HttpResponse:
    return HttpResponse(200, {"X-Aws": "yes"}, b"aws")


async def healthy() -> HttpResponse:
    return HttpResponse(200, {}, b"healthy")


ROUTER = Router(oci=plane("oci"), downloads=plane("downloads"), aws=aws, probes={"/healthz": healthy})
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=…"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


async def ask(method: str, target: str, headers: Mapping[str, str] = {}) -> Response:
    response = await ROUTER(Exchange(method, target, headers))  # type: ignore[arg-type]
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(
    ("method", "target", "headers", "expected"),
    [
        ("GET", "/v2/", {}, "oci"),
        ("GET", "/v2", {}, "oci"),
        ("HEAD", "/v2/app/manifests/latest?ns=h", {}, "oci"),
        ("GET", "/layers/1/r/d?signature=x", {}, "downloads"),
        ("GET", "/layers/1/r/d", SIGNED, "downloads"),
        ("GET", "/healthz", {}, "healthy"),
        ("POST", "/", {"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.ListImages"}, "aws"),
        ("POST", "/", SIGNED, "aws"),
        ("PUT", "/bucket/key", SIGNED, "aws"),
        ("GET", "/v2/email/identities", SIGNED, "aws"),
        ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", {}, "aws"),
        ("GET", "/?Version=1&X-Amz-Algorithm=AWS4-HMAC-SHA256", {}, "aws"),
        ("POST", "/", FORM, "aws"),
    ],
)
async def test_planes(method: str, target: str, headers: dict[str, str], expected: str) -> None:
    response = await ask(method, target, headers)
    assert (response.status, response.body) == (200, expected.encode())


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/", {}),
        ("DELETE", "/", {}),
        ("GET", "/index.html", {}),
        ("GET", "/v1/search", {}),
        ("GET", "/v20/", {}),
        ("GET", "/healthz/", {}),
        ("POST", "/login", FORM),
    ],
)
async def test_nobody(method: str, target: str, headers: dict[str, str]) -> None:
    response = await ask(method, target, headers)
    assert (response.status, response.content_type) == (404, "text/plain")
    assert "/v2/" in (response.text or "")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/", "/?Reaction=x"])
async def test_browsers_are_told_what_this_is(method: str, target: str) -> None:
    response = await ask(method, target)
    assert (response.status, response.content_type) == (200, "text/plain")
    assert (response.text or "").startswith("This is entrepot, a container registry")


@pytest.mark.parametrize(
    "target",
    [
        "*",
        "",
        "v2/",
        "//v2/",
        "/v2//manifests/x",
        "/v2/a/../b/manifests/x",
        "/v2/./a",
        "/v2/a/..",
        "/v2/a/%2e%2E/b",
        "/v2/a/.%2e/b",
        "/v2/a%2Fb/manifests/x",
        "/v2/a%2fb/manifests/x",
        "/v2/a%5Cb",
        "/v2/a\\b",
        "/v2/a%00",
        "/v2/a%0a",
        "/v2/a%7f",
        "/v2/a%",
        "/v2/a%zz",
        "/v2/a#b",
        "/v2/\udcff",
        "/v2/ä",
    ],
)
async def test_paths_that_could_mean_two_things(target: str) -> None:
    assert (await ask("GET", target)).status == 400


@pytest.mark.parametrize("target", ["/v2/a..b", "/v2/...", "/v2/a.", "/v2/a%3Ab", "/v2/a%2E0"])
async def test_paths_that_only_look_odd(target: str) -> None:
    assert (await ask("GET", target)).status == 200
