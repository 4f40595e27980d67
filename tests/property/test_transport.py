"""Whatever stands in paths, headers and host names: a value or a refusal, never another error."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.auth.docker_login import challenge, read_login
from entrepot.domain.endpoint import parse_endpoint
from entrepot.domain.error import DigestInvalid, NameInvalid, TagInvalid, Unauthenticated
from entrepot.domain.reference import parse_reference
from entrepot.domain.repository import parse_repository_name
from entrepot.transport.oci import byte_range
from entrepot.transport.oci.error import RouteUnknown
from entrepot.transport.oci.route import parse_path
from entrepot.transport.peer import PeerReader, parse_networks
from entrepot.transport.router import is_ambiguous

SEGMENT = st.one_of(
    st.sampled_from(["app", "manifests", "blobs", "uploads", "tags", "list", "referrers", "", ".", "..", "%2e", "%2F"]),
    st.text(max_size=12),
)
PATH = st.lists(SEGMENT, max_size=8).map(lambda segments: "/v2/" + "/".join(segments))
HEADER = st.one_of(st.text(max_size=60), st.from_regex(r"bytes[ =][0-9]{0,25}-[0-9]{0,25}(/[0-9*]+)?"))
ADDRESSES = st.lists(st.one_of(st.ip_addresses().map(str), st.just("10.0.0.9"), st.text(max_size=20)), max_size=6).map(
    ", ".join
)


@given(PATH)
def test_paths_become_a_route_or_a_refusal(path: str) -> None:
    with suppress(RouteUnknown):
        _, name, reference = parse_path(path)
        with suppress(NameInvalid):
            assert parse_repository_name(name) == name
            assert ".." not in name.split("/")
        with suppress(TagInvalid, DigestInvalid):
            assert str(parse_reference(reference)) == reference


@given(PATH)
def test_what_is_not_ambiguous_has_one_reading(path: str) -> None:
    if not is_ambiguous(path):
        assert path.isascii()
        assert not {"", ".", ".."} & set(path[1:].rstrip("/").split("/")[1:])


@given(HEADER, st.integers(0, 2**63))
def test_ranges_lie_within(header: str, size: int) -> None:
    with suppress(byte_range.Unsatisfiable):
        span = byte_range.requested(header, size)
        assert span is None or 0 <= span.start < span.end <= size


@given(HEADER)
def test_chunks_have_bytes(header: str) -> None:
    span = byte_range.chunk(header)
    assert span is None or span.length > 0


@given(st.text(max_size=80))
def test_logins(header: str) -> None:
    for sent in (header, f"Basic {header}", f"Bearer {header}"):
        with suppress(Unauthenticated):
            read_login(sent)


@given(st.text(max_size=80))
def test_hosts(host: str) -> None:
    parse_endpoint(host)
    shown = challenge(host, True)
    assert shown.isascii()
    assert shown.isprintable()
    assert shown.count('"') == 4


@given(ADDRESSES)
def test_the_peer_is_one_that_somebody_we_trust_named(forwarded: str) -> None:
    reader = PeerReader("http://h", parse_networks(["10.0.0.0/8"]))
    headers = CIMultiDictProxy(CIMultiDict({"X-Forwarded-For": forwarded}))
    assert reader.read("8.8.8.8", headers)[0].address == "8.8.8.8"
    assert reader.read("10.0.0.1", headers)[0].address
