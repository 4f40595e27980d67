"""Listeners: URLs, ports that nobody shares, TLS contexts."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from entrepot.app.listener import Listener, ListenerError, bind, tls_context
from tests.support.certificate import make_certificates

ANY = Listener("http", "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("url", "host", "port", "again"),
    [
        ("http://127.0.0.1:5000", "127.0.0.1", 5000, "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5000/", "127.0.0.1", 5000, "http://127.0.0.1:5000"),
        ("https://192.0.2.1", "192.0.2.1", 443, "https://192.0.2.1"),
        ("http://localhost:80", "127.0.0.1", 80, "http://127.0.0.1"),
        ("https://[::1]:8443", "::1", 8443, "https://[::1]:8443"),
    ],
)
def test_urls(url: str, host: str, port: int, again: str) -> None:
    listener = Listener.parse(url)
    assert (listener.host, listener.port, listener.url) == (host, port, again)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:5000",
        "ftp://127.0.0.1",
        "http://example.com:1",
        "http://127.0.0.1:65536",
        "http://::1:1",
        "http://1.2.3.4/x",
    ],
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Listener.parse(url)


def test_a_local_client_needs_an_address_of_this_machine() -> None:
    assert Listener.parse("http://0.0.0.0:80").local_url == "http://127.0.0.1"
    assert Listener.parse("https://[::]:8443").local_url == "https://[::1]:8443"
    assert Listener.parse("http://192.0.2.1:1").local_url == "http://192.0.2.1:1"


def test_another_server_on_the_port_is_noticed() -> None:
    bound = bind(ANY, 2)
    assert bound.listener.port > 0
    with pytest.raises(ListenerError, match="another program listens there already"):
        bind(bound.listener, 2)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(bound.socket.getsockname())
    bound.close()
    bind(bound.listener, 2).close()


def test_a_server_that_shares_ports_is_noticed() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ListenerError, match="another program"):
            bind(Listener("http", "127.0.0.1", other.getsockname()[1]), 1)


def test_a_foreign_address_is_named() -> None:
    with pytest.raises(ListenerError, match=r"does not have the address 192\.0\.2\.77"):
        bind(Listener("http", "192.0.2.77", 0), 1)


def test_tls(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, ["127.0.0.1"])
    context = tls_context(Listener("https", "127.0.0.1", 1, made.certificate, made.key))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(ANY) is None


def test_a_key_of_another_certificate_is_named(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    certificate, key = make_certificates(one, ["a.test"]).certificate, make_certificates(other, ["a.test"]).key
    with pytest.raises(ListenerError, match=r"cannot use certificate .*one/server\.crt with key .*other/server\.key"):
        tls_context(Listener("https", "127.0.0.1", 1, certificate, key))
