"""Lists on /v2/: image tags and the catalog, page by page."""

import re

from tests.support.registry import RunningRegistry
from tests.support.wire import Row
from tests.support.wire_rows import row_tests

TAGS = ["1.0", "B", "_x", "a", "b", "latest"]
SORTED = sorted(TAGS, key=lambda name: (name.lower(), name))

ROWS = [
    Row("not a number", "GET /v2/app/tags/list?n=x", 400, codes=("UNSUPPORTED",)),
    Row("negative", "GET /v2/app/tags/list?n=-1", 400, codes=("UNSUPPORTED",)),
    Row("other digits", "GET /v2/app/tags/list?n=%D9%A3", 400, codes=("UNSUPPORTED",)),
    Row("control character", "GET /v2/app/tags/list?last=%00", 400, codes=("UNSUPPORTED",)),
    Row("too many fields", "GET /v2/app/tags/list?" + "&".join(["n=1"] * 300), 414, codes=("UNSUPPORTED",)),
    Row("zero", "GET /v2/app/tags/list?n=0", 200, answer={"Link": None}, answer_body=b'{"name":"app","tags":[]}'),
    Row("no repository", "GET /v2/none/tags/list", 404, codes=("NAME_UNKNOWN",)),
    Row("no name", "GET /v2/-/tags/list", 400, codes=("NAME_INVALID",)),
    Row("method", "DELETE /v2/app/tags/list", 405, codes=("UNSUPPORTED",), answer={"Allow": "GET, HEAD"}),
    Row("huge", "GET /v2/app/tags/list?n=" + "9" * 100, 200, answer={"Link": None}),
    Row("beyond the end", "GET /v2/app/tags/list?last=zzz", 200, answer_body=b'{"name":"app","tags":[]}'),
    Row("catalog not a number", "GET /v2/_catalog?n=x", 400, codes=("UNSUPPORTED",)),
    Row("catalog zero", "GET /v2/_catalog?n=0", 200, answer_body=b'{"repositories":[]}'),
    Row("catalog", "GET /v2/_catalog", 200, answer={"Link": None}, answer_body=b'{"repositories":["app","b/c"]}'),
    Row("catalog last", "GET /v2/_catalog?last=app", 200, answer_body=b'{"repositories":["b/c"]}'),
    Row(
        "catalog page",
        "GET /v2/_catalog?n=1",
        200,
        answer={"Link": '</v2/_catalog?n=1&last=app>; rel="next"', "Content-Type": "application/json"},
        answer_body=b'{"repositories":["app"]}',
    ),
]


async def fill(registry: RunningRegistry) -> None:
    """Two repositories, one of them with an image."""
    await registry.create_repository("app")
    await registry.create_repository("b/c")
    await registry.client.put_image("app", "v1")


test_row, test_rows_on_postgresql = row_tests(ROWS, fill)


async def test_tags(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    assert (await registry.client.send("GET", "/v2/app/tags/list")).json() == {"name": "app", "tags": []}
    digest = await registry.client.put_image("app", "latest")
    raw = (await registry.client.send("GET", f"/v2/app/manifests/{digest}")).body
    for tag in TAGS:
        await registry.client.put_manifest("app", tag, raw)
    whole = await registry.client.send("GET", "/v2/app/tags/list")
    assert (whole.json(), whole.headers.get("Link")) == ({"name": "app", "tags": SORTED}, None)
    for size in (1, 2, 5, 6, 7):
        assert await follow(registry, f"/v2/app/tags/list?n={size}") == SORTED
    assert (await registry.client.send("GET", "/v2/app/tags/list?last=azz")).json()["tags"] == ["B", "b", "latest"]
    assert (await registry.client.send("HEAD", "/v2/app/tags/list")).body == b""


async def follow(registry: RunningRegistry, path: str) -> list[str]:
    """All tags of the pages that the Link headers lead through."""
    tags: list[str] = []
    for _ in range(20):
        answer = await registry.client.send("GET", path)
        tags += answer.json()["tags"]
        match = re.fullmatch(r'<(/[^>]*)>; rel="next"', answer.headers.get("Link", ""))
        if match is None:
            return tags
        path = match[1]
    raise AssertionError(path)
