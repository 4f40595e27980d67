"""Canonical forms agree with botocore's for anything a client can send."""

from __future__ import annotations

import string

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.auth.canonical_request import canonical_headers, canonical_path, canonical_query, query_pairs

SIGNER = SigV4Auth(Credentials("a", "b"), "ecr", "us-east-1")
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
PRINTABLE = st.text(st.sampled_from(string.ascii_letters + string.digits + " \t,;=\"'/"), max_size=20)


@given(st.dictionaries(TEXT, TEXT, max_size=6))
def test_query(parameters: dict[str, str]) -> None:
    theirs = SIGNER.canonical_query_string(AWSRequest("GET", "http://h/", params=parameters))
    sent = "&".join(reversed(theirs.split("&")))

    assert canonical_query(sent) == theirs
    assert sorted(query_pairs(sent)) == sorted(parameters.items())


def test_query_in_other_spellings() -> None:
    assert canonical_query("b=%7e&a=x+y&a=&c") == "a=&a=x%20y&b=~&c="
    assert canonical_query("X-Amz-Signature=0&z=1&X-Amz-Date=2") == "X-Amz-Date=2&z=1"
    assert query_pairs("a=x+y&b=%C3%A9") == [("a", "x y"), ("b", "é")]


@given(st.lists(st.sampled_from(["a", "b%20c", "é", "..", ".", "", "~x", "%2F", "*"]), max_size=6))
def test_path(segments: list[str]) -> None:
    path = "/" + "/".join(segments)

    assert canonical_path(path) == SIGNER._normalize_url_path(path)


@given(st.dictionaries(st.sampled_from(["accept", "host", "x-amz-meta", "x-other"]), PRINTABLE, min_size=1))
def test_headers(headers: dict[str, str]) -> None:
    request = AWSRequest("GET", "http://h/", headers=headers)
    signed = SIGNER.headers_to_sign(request)
    ours = CIMultiDictProxy(CIMultiDict({"host": "h"} | headers))

    assert canonical_headers(ours, sorted(set(signed))) == SIGNER.canonical_headers(signed)


def test_header_values_are_folded_and_joined() -> None:
    headers = CIMultiDictProxy(CIMultiDict([("X-A", "  one   two "), ("x-a", "three"), ("X-B", "é")]))

    assert canonical_headers(headers, ["x-a", "x-b"]) == "x-a:one two,three\nx-b:é"
