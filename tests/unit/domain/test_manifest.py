"""Manifests: what is accepted, what is refused and why, and that nothing else ever happens."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.domain.digest import Digest
from entrepot.domain.error import ManifestInvalid, ManifestTooLarge
from entrepot.domain.limit import JSON_DEPTH_MAX, MANIFEST_BYTES_MAX, MANIFEST_DESCRIPTORS_MAX
from entrepot.domain.manifest import Manifest, annotations_of, parse_manifest
from entrepot.domain.media_type import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
)

CONFIG = {"mediaType": OCI_CONFIG, "digest": str(Digest.of(b"{}")), "size": 2}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": str(Digest.of(b"x")), "size": 1}
IMAGE = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{**LAYER, "mediaType": OCI_MANIFEST}]}


def parse(document: Any, declared: str | None = None) -> Manifest:
    return parse_manifest(json.dumps(document).encode(), declared)


def without(document: dict[str, Any], member: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != member}


def test_an_image_is_read_in_order_with_its_digest() -> None:
    raw = json.dumps(IMAGE).encode()
    manifest = parse_manifest(raw)
    assert (manifest.digest, manifest.media_type) == (Digest.of(raw), OCI_MANIFEST)
    assert [blob.digest for blob in manifest.blobs] == [Digest.of(b"{}"), Digest.of(b"x")]
    assert (manifest.artifact_type, manifest.is_index) == (OCI_CONFIG, False)
    assert parse_manifest(raw, algorithm="sha512").digest == Digest.of(raw, "sha512")


def test_an_index_has_children_and_only_its_own_artifact_type() -> None:
    manifest = parse(INDEX)
    assert (manifest.is_index, manifest.blobs, manifest.artifact_type) == (True, (), None)
    assert [child.digest for child in manifest.children] == [Digest.of(b"x")]
    assert parse({**INDEX, "artifactType": "a/b"}).artifact_type == "a/b"


@pytest.mark.parametrize(
    ("document", "declared", "expected"),
    [
        (IMAGE, None, OCI_MANIFEST),
        (IMAGE, OCI_MANIFEST, OCI_MANIFEST),
        (IMAGE, f"{OCI_MANIFEST}; charset=utf-8", OCI_MANIFEST),
        (IMAGE, "application/json", OCI_MANIFEST),
        (without(IMAGE, "mediaType"), OCI_MANIFEST, OCI_MANIFEST),
        (without(IMAGE, "mediaType"), f"{OCI_MANIFEST};charset=utf-8", OCI_MANIFEST),
        ({**IMAGE, "mediaType": ""}, OCI_MANIFEST, OCI_MANIFEST),
        ({**IMAGE, "mediaType": DOCKER_MANIFEST}, None, DOCKER_MANIFEST),
        (without(INDEX, "mediaType"), OCI_INDEX, OCI_INDEX),
        ({**INDEX, "mediaType": DOCKER_MANIFEST_LIST}, DOCKER_MANIFEST_LIST, DOCKER_MANIFEST_LIST),
    ],
)
def test_the_media_type_comes_from_inside_or_beside(
    document: dict[str, Any], declared: str | None, expected: str
) -> None:
    assert parse(document, declared).media_type == expected


@pytest.mark.parametrize(
    "document",
    [
        {**IMAGE, "layers": []},
        {**IMAGE, "layers": None},
        {**IMAGE, "annotations": None, "subject": None, "manifests": None},
        {**IMAGE, "config": {**CONFIG, "mediaType": OCI_EMPTY}, "artifactType": "application/vnd.example+type"},
        {**IMAGE, "config": {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json", "data": "e30="}},
        {**IMAGE, "layers": [{**LAYER, "mediaType": "application/vnd.x; version=1"}]},
        {**IMAGE, "subject": {**LAYER, "mediaType": OCI_MANIFEST}, "unknown": [1.5, None, {"a": []}]},
        {**INDEX, "manifests": []},
        {**INDEX, "subject": {**LAYER, "mediaType": OCI_MANIFEST}, "artifactType": "a/b"},
        {**IMAGE, "annotations": {"nul": "\0", "word": "größe", "clef": "𝄞"}},
    ],
)
def test_artifacts_of_the_wild_are_accepted(document: dict[str, Any]) -> None:
    parse(document)


@pytest.mark.parametrize(
    ("document", "declared", "detail"),
    [
        ([], None, "not a JSON object"),
        (without(IMAGE, "mediaType"), None, "mediaType is missing"),
        (without(IMAGE, "mediaType"), "application/json", "mediaType is missing"),
        (IMAGE, OCI_INDEX, "differs from the declared type"),
        ({**IMAGE, "mediaType": "text/html"}, None, "text/html is not a manifest media type"),
        ({**IMAGE, "mediaType": ["a"]}, None, "mediaType must be"),
        ({**IMAGE, "mediaType": "x" * 256}, None, "mediaType must be"),
        (IMAGE, "x" * 256, "the declared type must be"),
        (IMAGE, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ({"schemaVersion": 1, "fsLayers": []}, None, "schema 1"),
        (without(IMAGE, "schemaVersion"), None, "schemaVersion"),
        ({**IMAGE, "schemaVersion": 2.0}, None, "schemaVersion"),
        ({**IMAGE, "schemaVersion": True}, None, "schema 1"),
        ({**IMAGE, "schemaVersion": "2"}, None, "schemaVersion"),
        (without(IMAGE, "config"), None, "config is missing"),
        ({**IMAGE, "config": None}, None, "config is missing"),
        (without(IMAGE, "layers"), None, "layers is missing"),
        ({**IMAGE, "layers": {}}, None, "layers must be a list"),
        ({**IMAGE, "layers": [LAYER, []]}, None, "layers[1] must be an object"),
        ({**IMAGE, "manifests": []}, None, "layers, not manifests"),
        ({**INDEX, "layers": []}, None, "manifests, not layers"),
        (without(INDEX, "manifests"), None, "manifests is missing"),
        ({**IMAGE, "layers": [LAYER] * (MANIFEST_DESCRIPTORS_MAX + 1)}, None, "layers has more than"),
        ({**IMAGE, "config": without(CONFIG, "digest")}, None, "config needs mediaType and digest"),
        ({**IMAGE, "config": {**CONFIG, "mediaType": ""}}, None, "config needs mediaType and digest"),
        ({**IMAGE, "config": {**CONFIG, "mediaType": "a\0b"}}, None, "mediaType must be"),
        ({**IMAGE, "config": {**CONFIG, "mediaType": "\ud800"}}, None, "mediaType must be"),
        ({**IMAGE, "config": {**CONFIG, "digest": "sha256:ABC"}}, None, "config has a malformed digest"),
        ({**IMAGE, "config": {**CONFIG, "size": -1}}, None, "config needs a size"),
        ({**IMAGE, "config": {**CONFIG, "size": 2.0}}, None, "config needs a size"),
        ({**IMAGE, "config": {**CONFIG, "size": True}}, None, "config needs a size"),
        ({**IMAGE, "config": {**CONFIG, "size": 2**63}}, None, "config needs a size"),
        ({**IMAGE, "config": without(CONFIG, "size")}, None, "config needs a size"),
        ({**IMAGE, "subject": "sha256:abc"}, None, "subject must be an object"),
        ({**IMAGE, "artifactType": "a\ud800"}, None, "artifactType must be"),
        ({**IMAGE, "annotations": []}, None, "annotations must map"),
        ({**IMAGE, "annotations": {"a": 1}}, None, "annotations must map"),
        ({**IMAGE, "annotations": {"a": "\ud800"}}, None, "annotations must map"),
        ({**IMAGE, "annotations": {"\udfff": "a"}}, None, "annotations must map"),
    ],
)
def test_what_is_wrong_is_said(document: Any, declared: str | None, detail: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parse(document, declared)
    assert detail in caught.value.detail
    caught.value.detail.encode()  # can be sent to the client


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"schemaVersion": NaN}',
        b'{"schemaVersion": 1e999}',
        b'{"schemaVersion": -Infinity}',
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "a": 1}}',
        b'{"schemaVersion": ' + b"9" * 100_000 + b"}",
        b'{"x": ' + b"[" * (JSON_DEPTH_MAX) + b"]" * (JSON_DEPTH_MAX) + b"}",
        b"[" * 90_000,
        b'{"a":' * 90_000,
    ],
)
def test_bytes_that_are_no_strict_json_are_refused(raw: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(raw, OCI_MANIFEST)


def test_documents_may_nest_64_levels() -> None:
    inner: list[Any] = []
    for _ in range(JSON_DEPTH_MAX - 2):
        inner = [inner]
    parse({**IMAGE, "x": inner})
    with pytest.raises(ManifestInvalid, match="deeper than 64"):
        parse({**IMAGE, "x": [inner]})


@pytest.mark.parametrize(
    "unit", [b"[", b"[]", b"[],", b"{", b'{"":', b'"",', b'"\\"', b"[1,", b"\\", b"\xf0\x9f\x98\x80", b"1"]
)
@pytest.mark.parametrize("start", [b"", b"[", b'{"x":[', b'{"x":"'])
def test_four_mebibytes_of_anything_are_refused_fast(start: bytes, unit: bytes) -> None:
    raw = (start + unit * (MANIFEST_BYTES_MAX // len(unit)))[:MANIFEST_BYTES_MAX]
    started = time.process_time()
    with pytest.raises(ManifestInvalid):
        parse_manifest(raw, OCI_MANIFEST)
    assert time.process_time() - started < 1


def test_size_is_limited() -> None:
    with pytest.raises(ManifestTooLarge):
        parse_manifest(b" " * (MANIFEST_BYTES_MAX + 1))


def test_the_largest_manifest_is_read_fast() -> None:
    layers = [{**LAYER, "size": number} for number in range(MANIFEST_DESCRIPTORS_MAX)]
    started = time.process_time()
    assert len(parse({**IMAGE, "layers": layers}).layers) == MANIFEST_DESCRIPTORS_MAX
    assert time.process_time() - started < 1


def test_annotations_of_stored_bytes_are_read_leniently() -> None:
    assert annotations_of(json.dumps({"annotations": {"a": "b", "c": 1, "d": "\ud800"}}).encode()) == {"a": "b"}
    for odd in (b"", b"[]", b"{}", b'{"annotations": null}', b'{"annotations": []}'):
        assert annotations_of(odd) == {}


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, OCI_CONFIG, str(Digest.of(b"")), 2, 2**63]),
)
MEMBERS = st.sampled_from(
    [
        *("schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "artifactType", "annotations"),
        *("digest", "size", "x"),
    ]
)
VALUES = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6))


@given(document=st.dictionaries(MEMBERS, VALUES), base=st.sampled_from([{}, IMAGE, INDEX]), declared=ATOMS)
def test_any_document_is_a_manifest_or_invalid(document: Any, base: dict[str, Any], declared: Any) -> None:
    raw = json.dumps({**base, **document}).encode()
    try:
        manifest = parse_manifest(raw, declared if isinstance(declared, str) else None)
    except ManifestInvalid as error:
        error.detail.encode()
        return
    for text in (manifest.media_type, manifest.artifact_type or "", *(blob.media_type for blob in manifest.blobs)):
        text.encode()
        assert "\0" not in text
    json.dumps(manifest.annotations, ensure_ascii=False).encode()


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_invalid(raw: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(raw, OCI_MANIFEST)


@given(place=st.integers(0, 400), byte=st.integers(0, 255))
def test_any_changed_byte_is_a_manifest_or_invalid(place: int, byte: int) -> None:
    raw = bytearray(json.dumps(IMAGE).encode())
    raw[place % len(raw)] = byte
    try:
        parse_manifest(bytes(raw))
    except ManifestInvalid as error:
        error.detail.encode()
