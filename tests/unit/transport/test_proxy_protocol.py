"""The PROXY protocol: who is told, and that not a byte too many is taken."""

from __future__ import annotations

import asyncio
import socket

import pytest

from entrepot.transport import proxy_protocol
from entrepot.transport.proxy_protocol import ProxyHeaderInvalid, read_proxied_client

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FOUR = socket.inet_aton("10.1.2.3") + socket.inet_aton("10.1.0.1") + b"\x00\x05\x01\xbb"
SIX = socket.inet_pton(socket.AF_INET6, "fd00::7") + socket.inet_pton(socket.AF_INET6, "fd00::1") + b"\x00\x05\x01\xbb"
REST = b"GET / HTTP/1.1\r\n"


def block(addresses: bytes, family: int = 0x11, command: int = 0x21, more: bytes = b"") -> bytes:
    return SIGNATURE + bytes([command, family]) + len(addresses + more).to_bytes(2, "big") + addresses + more


GOOD = [
    (b"PROXY TCP4 10.1.2.3 10.1.0.1 5 443\r\n", "10.1.2.3"),
    (b"PROXY TCP6 fd00::7 fd00::1 5 443\r\n", "fd00::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN fd00::7 fd00::1 5 443\r\n", None),
    (block(FOUR), "10.1.2.3"),
    (block(SIX, 0x21), "fd00::7"),
    (block(FOUR, more=b"\x04\x00\x01x"), "10.1.2.3"),
    (block(b"", 0x00, 0x20), None),
]
BAD = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"PROXY TCP4 10.1.2.3 10.1.0.1 5\r\n",
    b"PROXY TCP4 fd00::7 10.1.0.1 5 443\r\n",
    b"PROXY TCP4 10.1.2.300 10.1.0.1 5 443\r\n",
    b"PROXY UDP4 10.1.2.3 10.1.0.1 5 443\r\n",
    b"PROXY  TCP4 10.1.2.3 10.1.0.1 5 443\r\n",
    b"PROXY \xff\xff\xff\xff\xff\xff\xff\r\n",
    b"PROXY " + b"1" * 200,
    block(FOUR, 0x12),
    block(FOUR, 0x31),
    block(FOUR, 0x21),
    block(FOUR[:4]),
    block(FOUR, command=0x11),
    block(FOUR, command=0x22),
    SIGNATURE + b"\x21\x11\xff\xff" + FOUR,
    SIGNATURE[:-1] + b"x" + b"\x21\x11\x00\x0c" + FOUR,
    b"",
]


async def read(*sent: bytes) -> tuple[str | None, bytes]:
    """What is made of some bytes, and which of them are left."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        for piece in sent:
            theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)
        client = await read_proxied_client(ours)
        return client, await asyncio.get_running_loop().sock_recv(ours, 1_000)


@pytest.mark.parametrize(("header", "client"), GOOD)
async def test_who_is_told(header: bytes, client: str | None) -> None:
    assert await read(header, REST) == (client, REST)


@pytest.mark.parametrize("header", BAD)
async def test_what_is_no_header(header: bytes) -> None:
    with pytest.raises(ProxyHeaderInvalid):
        await read(header)


async def test_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_protocol, "HEADER_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"PROXY TC")
        with pytest.raises(ProxyHeaderInvalid):
            await read_proxied_client(ours)
