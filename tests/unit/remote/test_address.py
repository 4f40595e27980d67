"""Which addresses the server may connect to."""

from __future__ import annotations

import ipaddress

import pytest

from entrepot.remote.address import is_allowed

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
REFUSED = [
    "0.0.0.0",  # noqa: S104 (nobody binds to it)
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "3fff::1",
    "192.88.99.1",
    "64:ff9b:1::a9fe:a9fe",
    "fe80::1%eth0",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address: str) -> None:
    assert not is_allowed(address, [])


def test_the_operator_may_allow_more() -> None:
    inside = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")]

    assert is_allowed("10.1.2.3", inside)
    assert is_allowed("fd00::7", inside)
    assert not is_allowed("10.2.0.1", inside)
    assert not is_allowed("::ffff:10.2.0.1", inside)
