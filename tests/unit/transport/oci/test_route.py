"""Paths under /v2/ and what they mean."""

import pytest

from entrepot.transport.oci.error import RouteUnknown
from entrepot.transport.oci.route import parse_path

D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("/v2/", ("base", "", "")),
        ("/v2", ("base", "", "")),
        ("/v2/_catalog", ("catalog", "", "")),
        ("/v2/app/manifests/latest", ("manifest", "app", "latest")),
        ("/v2/a/b/c/manifests/1.0", ("manifest", "a/b/c", "1.0")),
        (f"/v2/app/manifests/{D}", ("manifest", "app", D)),
        (f"/v2/app/manifests/sha256%3A{'a' * 64}", ("manifest", "app", D)),
        (f"/v2/app/blobs/{D}", ("blob", "app", D)),
        ("/v2/app/blobs/uploads/", ("uploads", "app", "")),
        ("/v2/app/blobs/uploads", ("uploads", "app", "")),
        ("/v2/app/blobs/uploads/0f1e", ("upload", "app", "0f1e")),
        ("/v2/app/tags/list", ("tags", "app", "")),
        (f"/v2/app/referrers/{D}", ("referrers", "app", D)),
        ("/v2/a/manifests/manifests/x", ("manifest", "a/manifests", "x")),
        ("/v2/a/blobs/uploads/manifests/x", ("manifest", "a/blobs/uploads", "x")),
        ("/v2/a/tags/list/tags/list", ("tags", "a/tags/list", "")),
        ("/v2/blobs/blobs/uploads/", ("uploads", "blobs", "")),
    ],
)
def test_paths(path: str, parsed: tuple[str, str, str]) -> None:
    assert parse_path(path) == parsed


@pytest.mark.parametrize(
    "path", ["/v2/app", "/v2/app/", "/v2/app/manifests/", "/v2/manifests/x", "/v2/app/tags/other", "/v2/app/nouns/x"]
)
def test_unknown_paths(path: str) -> None:
    with pytest.raises(RouteUnknown):
        parse_path(path)
