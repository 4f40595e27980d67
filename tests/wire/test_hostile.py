"""Whatever is sent to /v2/ and /layers/, the answer is never a 5xx and never silence."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.support.database import DatabaseAddress
from tests.support.registry import RunningRegistry, running_registry
from tests.support.wire import digest_of, encode, image_manifest

SEED = 20261124
REQUESTS = 800
DIGEST = digest_of(b"layer")
PIECES = [
    "app", "manifests", "blobs", "uploads", "tags", "list", "referrers", "_catalog", "v1", DIGEST, "", ".", "..",
    "%2e", "%00", "%2F", "%", "%zz", "%C3%28", "%F0%9F%92%A9", "a" * 300, "sha256:", ":", "@", "*", "A", "-", "%20",
    "sha512:" + "0" * 128, "..a", "{", "'", '"', "%27%20OR%201=1", "00000000-0000-4000-8000-000000000000",
]  # fmt: skip
FIELDS = [
    "n",
    "last",
    "digest",
    "mount",
    "from",
    "tag",
    "artifactType",
    "next",
    "ns",
    "digest-algorithm",
    "",
    "signature",
]
VALUES = [
    "0", "1", "-1", "9" * 50, "", "%00", "%ff", "a" * 2000, DIGEST, "app", "sha256:x", "[]", "e30=", "bnVsbA==",
    "%0d%0a", "W1tdXQ==", "WyJhIl0=", "sha512",
]  # fmt: skip
HEADERS = {
    "Content-Type": ["application/vnd.oci.image.manifest.v1+json", "text/html", "", ";", "a" * 5000, "\xff"],
    "Content-Range": ["0-0", "5-1", "x", "bytes 0-4/5", "9" * 50 + "-" + "9" * 50],
    "Range": ["bytes=0-0", "bytes=-1", "bytes=9-1", "bytes=" + "1-2," * 2000, "x", "bytes=٣-"],
    "Accept": ["*/*", "", ",", ";q=0", "a/b;q=0, */*;q=0", "a," * 3000],
    "Host": ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "x", "123456789012.dkr.ecr.xx.amazonaws.com", "[::1]"],
    "If-None-Match": ["*", '"', "W/", "," * 3000],
    "If-Range": ['"x"', "Tue, 15 Nov 1994 12:45:26 GMT"],
    "Authorization": ["Basic", "Basic !", "Bearer x", "Basic " + "A" * 30_000, "AWS4-HMAC-SHA256"],
    "Expect": ["100-continue", "x"],
    "X-Forwarded-For": ["1.2.3.4, x", "," * 1000],
}
BODIES = [
    b"", b"{}", b"[]", b"null", b'{"schemaVersion":2}', b"\xff" * 10, b"[" * 2000, b'{"a":' * 2000, b'"' * 99, b"layer",
]  # fmt: skip
IMAGE = encode(image_manifest((digest_of(b"{}"), 2), [(DIGEST, 5)]))
METHODS = ["GET", "HEAD", "PUT", "PUT", "POST", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]


def requests(password: str, uploads: list[str]) -> Iterator[bytes]:
    """Requests in bytes, the same in every run but for the ids in `uploads`, the paths of open sessions."""
    dice = random.Random(SEED)
    prefixes = ["/v2/", "/v2/app/", "/v2/app/manifests/", "/v2/app/blobs/", "/v2/app/blobs/uploads/", "/layers/"]
    real = [*uploads, f"/v2/app/blobs/{DIGEST}", "/v2/app/manifests/v1", "/v2/app/tags/list"]
    real += [f"/v2/app/referrers/{DIGEST}", f"/v2/app/manifests/{DIGEST}", "/v2/_catalog", "/v2/app/blobs/uploads/"]
    for number in range(REQUESTS):
        if number % 2:
            path = dice.choice(real)
        else:
            path = dice.choice(prefixes) + "/".join(dice.choice(PIECES) for _ in range(dice.randint(0, 4)))
        query = "&".join(f"{dice.choice(FIELDS)}={dice.choice(VALUES)}" for _ in range(dice.randint(0, 3)))
        headers = {"Host": "h", "Authorization": password}
        for name in dice.sample(list(HEADERS), dice.randint(0, 3)):
            headers[name] = dice.choice(HEADERS[name])
        body = dice.choice([*BODIES, IMAGE])
        target = quote(path, safe="/%:@*'\"{}-._~") + (f"?{query}" if query else "")
        lines = [f"{dice.choice(METHODS)} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(body)}", "Connection: close"]
        yield "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_never_a_failure_of_ours(database_address: DatabaseAddress, tmp_path: Path) -> None:
    async with running_registry(database_address, tmp_path, failed_logins_per_minute=0) as registry:
        await survives(registry)


async def survives(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1")
    started = [await registry.client.send("POST", "/v2/app/blobs/uploads/") for _ in range(8)]
    port = int(registry.url.rpartition(":")[2])
    authorization = registry.client.authorization or ""
    statuses: dict[int, int] = {}
    for sent in requests(authorization, [answer.headers["Location"] for answer in started]):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        text = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert text.startswith(b"HTTP/1.1 "), sent
        status = int(text[9:12])
        statuses[status] = statuses.get(status, 0) + 1
        assert 200 <= status < 500, (sent, text[:500])
    assert {200, 202, 204, 400, 401, 404, 405, 416} <= set(statuses), statuses


FIELDS_OF = {
    "GET /v2/app/tags/list": ["n", "last"],
    "GET /v2/_catalog": ["n", "last"],
    f"GET /v2/app/referrers/{DIGEST}": ["n", "next", "artifactType"],
    "POST /v2/app/blobs/uploads/": ["digest", "mount", "from", "digest-algorithm"],
    f"POST /v2/app/blobs/uploads/?mount={DIGEST}": ["from", "digest-algorithm", "digest"],
    "PUT /v2/app/manifests/v1": ["tag", "digest"],
    f"PUT /v2/app/manifests/{digest_of(IMAGE)}": ["tag", "digest"],
    f"GET /v2/app/blobs/{DIGEST}": ["digest", "ns"],
    "GET /v2/app/manifests/v1": ["tag", "ns"],
    "PUT UPLOAD": ["digest"],
    "PATCH UPLOAD": ["digest"],
}
ODD = [
    "%00", "a%00b", "%ff", "%ED%A0%80", "%F0%9F%92%A9", "", "-1", "9" * 50, "1e3", "%25", "%5C", "%27", "_", "*", "..",
    "a" * 2000, "sha256:" + "%00" * 64, "sha256:" + "%C3%A9" * 32, "sha512:" + "0" * 64, "null", "%7B%7D", "WyJhIl0=",
]  # fmt: skip


async def test_every_field_takes_anything(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1")
    upload = (await registry.client.send("POST", "/v2/app/blobs/uploads/")).headers["Location"]
    for request, fields in FIELDS_OF.items():
        method, path = request.replace("UPLOAD", upload).split(" ")
        body = IMAGE if "/manifests/" in path and method == "PUT" else None
        for field in fields:
            for odd in ODD:
                target = f"{path}{'&' if '?' in path else '?'}{field}={odd}"
                answer = await registry.client.send(method, target, body=body)
                assert answer.status < 500, (method, target, answer)
