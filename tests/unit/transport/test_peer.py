"""Who is at the other end, with and without proxies."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.transport.message import Peer
from entrepot.transport.peer import PeerReader, parse_networks

LISTENER = "http://127.0.0.1:5000"


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


FORGED = headers(
    ("Host", "h"), ("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil")
)


def test_forwarded_headers_mean_nothing_by_themselves() -> None:
    assert PeerReader(LISTENER).read("8.8.8.8", FORGED) == (Peer("8.8.8.8", False, LISTENER), "h")


def test_forwarded_headers_of_strangers_mean_nothing() -> None:
    reader = PeerReader(LISTENER, parse_networks(["10.0.0.0/8"]))
    assert reader.read("8.8.8.8", FORGED) == (Peer("8.8.8.8", False, LISTENER), "h")


def test_a_trusted_proxy_speaks_for_its_client() -> None:
    reader = PeerReader(LISTENER, parse_networks(["10.0.0.0/8"]))
    assert reader.read("10.0.0.1", FORGED) == (Peer("9.9.9.9", True, LISTENER), "evil")


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["1.1.1.1, 9.9.9.9"], "9.9.9.9"),
        (["1.1.1.1", "9.9.9.9"], "9.9.9.9"),
        (["1.1.1.1, 9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["1.1.1.1, nonsense"], "10.0.0.1"),
        (["9.9.9.9:1234"], "9.9.9.9"),
        (["[2001:db8::1]:1234"], "2001:db8::1"),
        (["2001:db8::1"], "2001:db8::1"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_rightmost_first(lines: list[str], address: str) -> None:
    reader = PeerReader(LISTENER, parse_networks(["10.0.0.0/8"]))
    peer, _ = reader.read("10.0.0.1", headers(*(("X-Forwarded-For", line) for line in lines)))
    assert peer.address == address


def test_tls_and_mapped_addresses() -> None:
    reader = PeerReader("https://[::]:443", parse_networks(["10.0.0.1"]))
    assert reader.read("::ffff:10.0.0.1", headers(("X-Forwarded-Proto", "https, http")))[0].is_secure is False
    assert reader.read("8.8.8.8", headers())[0].is_secure is True
    assert reader.read("", headers())[0].address == ""
