"""The PROXY protocol, versions 1 and 2: on whose behalf a trusted proxy has opened a connection.

It is read from the bare socket, before TLS, and byte for byte: nothing of what follows is taken. Who asks has made sure
that a proxy is at the other end: anybody can write such a header.

Spec: HAProxy, "The PROXY protocol, versions 1 & 2", sections 2.1 and 2.2.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from typing import Final

HEADER_SECONDS: Final = 5.0
"""What a proxy gets to send its header."""

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_LINE_BYTES_MAX: Final = 107
_BLOCK_BYTES_MAX: Final = 4_096
_ADDRESS_BYTES: Final = {1: 4, 2: 16}
"""By address family."""
_FAMILIES: Final = {"TCP4": 4, "TCP6": 6}
_FIELDS: Final = 6


class ProxyHeaderInvalid(Exception):
    """What came first is no header of the protocol."""


async def read_proxied_client(accepted: socket.socket) -> str | None:
    """IP address of the client that a proxy speaks for; None when it speaks for itself. The socket does not block.

    Raises:
        ProxyHeaderInvalid: no header, a wrong one, or none within the time.
    """
    try:
        async with asyncio.timeout(HEADER_SECONDS):
            start = await _read(accepted, len(_SIGNATURE))
            return await (_block(accepted) if start == _SIGNATURE else _line(accepted, start))
    except (TimeoutError, OSError) as error:
        raise ProxyHeaderInvalid(type(error).__name__) from error


async def _line(accepted: socket.socket, start: bytes) -> str | None:
    """Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 1234 443`."""
    line = start
    while not line.endswith(b"\r\n"):
        if len(line) >= _LINE_BYTES_MAX or not b"PROXY ".startswith(line[:6]):
            raise ProxyHeaderInvalid("no header")
        line += await _read(accepted, 1)
    words = line[:-2].decode("ascii", "replace").split(" ")
    if words[:2] == ["PROXY", "UNKNOWN"]:
        return None
    if len(words) != _FIELDS or words[0] != "PROXY" or words[1] not in _FAMILIES:
        raise ProxyHeaderInvalid("no header")
    try:
        client = ipaddress.ip_address(words[2])
    except ValueError as error:
        raise ProxyHeaderInvalid("no address") from error
    if client.version != _FAMILIES[words[1]]:
        raise ProxyHeaderInvalid("no address")
    return str(client)


async def _block(accepted: socket.socket) -> str | None:
    """Version 2: binary, its addresses in the block that follows the head."""
    command, family, length = struct.unpack("!BBH", await _read(accepted, 4))
    if length > _BLOCK_BYTES_MAX or command >> 4 != 2:  # noqa: PLR2004 (the version)
        raise ProxyHeaderInvalid("no header")
    block = await _read(accepted, length)
    if command & 0xF == 0:  # LOCAL: the proxy looks whether we are there
        return None
    size = _ADDRESS_BYTES.get(family >> 4)
    if command & 0xF != 1 or size is None or family & 0xF != 1 or len(block) < 2 * size + 4:
        raise ProxyHeaderInvalid("no TCP connection")
    return str(ipaddress.ip_address(block[:size]))


async def _read(accepted: socket.socket, count: int) -> bytes:
    """Exactly that many bytes."""
    loop, found = asyncio.get_running_loop(), b""
    while len(found) < count:
        piece = await loop.sock_recv(accepted, count - len(found))
        if not piece:
            raise ProxyHeaderInvalid("the connection ended")
        found += piece
    return found
