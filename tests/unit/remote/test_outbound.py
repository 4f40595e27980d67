"""Fetches: what is allowed, what is refused before a connection, and what is bounded."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from entrepot.remote import outbound
from entrepot.remote.outbound import Allowance, Outbound, OutboundError
from tests.support.certificate import make_certificates

HERE = Allowance(hosts=frozenset({"localhost"}))
LOOPBACK = Allowance(networks=(ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))


class Site:
    """A web server that remembers what it was asked for."""

    def __init__(self, port: int) -> None:
        self.port, self.asked = port, list[str]()


@asynccontextmanager
async def site(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], directory: Path | None = None
) -> AsyncIterator[Site]:
    """A server on a free port of 127.0.0.1; with a directory, over TLS with a certificate for localhost."""
    context = None
    if directory is not None:
        made = make_certificates(directory, ["localhost", "127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)
    bound = socket.create_server(("127.0.0.1", 0))
    found = Site(bound.getsockname()[1])

    async def handle(request: web.Request) -> web.StreamResponse:
        found.asked.append(request.path)
        return await answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, bound, ssl_context=context).start()
    try:
        yield found
    finally:
        await runner.cleanup()


async def small(_: web.Request) -> web.StreamResponse:
    return web.Response(text="small", headers={"X-Kind": "test"})


async def test_an_allowed_host() -> None:
    async with site(small) as found:
        fetched = await Outbound(HERE).get(f"http://localhost:{found.port}/keys", bytes_max=100)

    assert (fetched.status, fetched.body, fetched.headers["X-Kind"]) == (200, b"small", "test")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "must be fetched from with https"),
        ("ftp://example.com/", "must be fetched from with https"),
        ("file:///etc/passwd", "not a URL of a host"),
        ("https://127.0.0.1/", "not an address of the public internet"),
        ("https://169.254.169.254/latest/meta-data/", "not an address of the public internet"),
        ("https://[::1]/", "not an address of the public internet"),
        ("https://[::ffff:10.0.0.1]/", "not an address of the public internet"),
        ("https://mia:secret@example.com/", "without credentials"),
        ("https://", "not a URL"),
        ("", "not a URL"),
        ("https://[", "not a URL"),
    ],
)
async def test_refused_before_anything_is_sent(url: str, reason: str) -> None:
    with pytest.raises(OutboundError, match=reason):
        await Outbound().get(url, bytes_max=100)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "2130706433", "0x7f000001", "127.1"])
async def test_a_name_that_leads_inside_is_refused(host: str) -> None:
    async with site(small) as found:
        with pytest.raises(OutboundError, match=r"public internet|not a canonical"):
            await Outbound().get(f"https://{host}:{found.port}/", bytes_max=100)
        assert found.asked == []


class Names:
    """Stands in for the resolver of names: another answer each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.asked, left = list[str](), list(addresses)

        async def resolve(_: object, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
            self.asked.append(host)
            address = left.pop(0)
            return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

        monkeypatch.setattr(ThreadedResolver, "resolve", resolve)


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, "127.0.0.1", "169.254.169.254")
    async with site(small) as found:
        allowed = Allowance(hosts=frozenset({"issuer.example"}))
        fetched = await Outbound(allowed).get(f"http://issuer.example:{found.port}/", bytes_max=100)

    assert (fetched.body, names.asked) == (b"small", ["issuer.example"])


async def test_a_public_name_with_an_inner_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, "169.254.169.254")
    with pytest.raises(OutboundError, match="public internet"):
        await Outbound().get("https://issuer.example/", bytes_max=100)


async def test_tls_is_verified(tmp_path: Path) -> None:
    async with site(small, tmp_path) as found:
        url = f"https://localhost:{found.port}/"
        ca = (tmp_path / "ca.crt").read_text()
        fetched = await Outbound(LOOPBACK).get(url, bytes_max=100, ca=ca)
        assert fetched.body == b"small"
        with pytest.raises(OutboundError, match=r"(?i)certificate"):
            await Outbound(LOOPBACK).get(url, bytes_max=100)


async def test_redirects_are_not_followed() -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    async with site(away) as found:
        fetched = await Outbound(HERE).get(f"http://localhost:{found.port}/", bytes_max=100)

    assert (fetched.status, found.asked) == (302, ["/"])


async def test_a_large_answer_is_given_up() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(64):
            await answer.write(b"x" * 1024)
        return answer

    async with site(endless) as found:
        with pytest.raises(OutboundError, match="more than 4096 bytes"):
            await Outbound(HERE).get(f"http://localhost:{found.port}/", bytes_max=4096)


async def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 0.2)

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with site(silent) as found:
        with pytest.raises(OutboundError, match="too long"):
            await Outbound(HERE).get(f"http://localhost:{found.port}/", bytes_max=100)


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(OutboundError, match="cannot be fetched from"):
        await Outbound(HERE).get(f"http://localhost:{port}/", bytes_max=100)


async def test_proxies_of_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(small) as found:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        fetched = await Outbound(HERE).get(f"http://localhost:{found.port}/", bytes_max=100)
    assert fetched.status == 200
