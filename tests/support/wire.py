"""A plain HTTP client for tests: sends exactly what it is told, shows exactly what came back."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_SILENT = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        """Codes of an OCI error body, none without one."""
        if not self.body or self.headers.get("Content-Type") != "application/json":
            return []
        document = self.json()
        return [item["code"] for item in document.get("errors", [])]


@dataclass(frozen=True, slots=True)
class Client:
    """Requests to one server, with one Authorization header unless another is given."""

    session: ClientSession
    url: str
    authorization: str | None = None

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | CIMultiDict[str] | None = None,
        body: bytes | AsyncIterator[bytes] | None = None,
    ) -> Answer:
        """One request; a body that is an iterator goes out chunked."""
        sent = CIMultiDict(headers or {})
        if self.authorization and "Authorization" not in sent:
            sent["Authorization"] = self.authorization
        if sent.get("Authorization") == "":
            del sent["Authorization"]
        address = path if path.startswith("http") else self.url + path
        async with self.session.request(
            method,
            URL(address, encoded=True),
            headers=sent,
            data=io.BytesIO(body) if isinstance(body, bytes) else body,
            allow_redirects=False,
            skip_auto_headers=_SILENT,
            timeout=ClientTimeout(total=60),
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def put_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> str:
        """Upload a blob in one piece; its digest."""
        digest = digest_of(content, algorithm)
        answer = await self.send("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", body=content)
        if answer.status != 201:
            raise AssertionError(answer)
        return digest

    async def put_manifest(self, name: str, reference: str, document: dict[str, Any] | bytes) -> str:
        """Push a manifest of OCI type; its digest."""
        raw = document if isinstance(document, bytes) else encode(document)
        kind = json.loads(raw)["mediaType"]
        answer = await self.send("PUT", f"/v2/{name}/manifests/{reference}", {"Content-Type": kind}, raw)
        if answer.status != 201:
            raise AssertionError(answer)
        return answer.headers["Docker-Content-Digest"]

    async def put_image(self, name: str, reference: str, content: bytes = b"layer") -> str:
        """Push an image of one layer with everything it needs; its digest."""
        config, layer = await self.put_blob(name, b"{}"), await self.put_blob(name, content)
        return await self.put_manifest(name, reference, image_manifest((config, 2), [(layer, len(content))]))


def basic(password: str, user: str = "AWS") -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def encode(document: dict[str, Any]) -> bytes:
    """JSON as a client would write it."""
    return json.dumps(document, indent=1).encode()


def descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    """A descriptor without extras."""
    return {"mediaType": media_type, "digest": digest, "size": size}


def image_manifest(config: tuple[str, int], layers: list[tuple[str, int]], **members: Any) -> dict[str, Any]:
    """An OCI image manifest of (digest, size) pairs."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, *config),
        "layers": [descriptor(OCI_LAYER, *layer) for layer in layers],
        **members,
    }


def index_manifest(manifests: list[tuple[str, int]], **members: Any) -> dict[str, Any]:
    """An OCI index of (digest, size) pairs of image manifests."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_MANIFEST, *manifest) for manifest in manifests],
        **members,
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One request and what must come back."""

    what: str
    """Names the row in a report."""
    request: str
    """Method and path."""
    status: int
    headers: Mapping[str, str] | CIMultiDict[str] = field(default_factory=dict)
    body: bytes | None = None
    codes: tuple[str, ...] = ()
    """Codes of the error body, in order."""
    answer: Mapping[str, str | None] = field(default_factory=dict)
    """Headers that must come back with these values; None: must not come back."""
    answer_body: bytes | None = None
    """The exact body, when it matters."""

    async def check(self, client: Client) -> Answer:
        """Send it and compare."""
        method, _, path = self.request.partition(" ")
        answer = await client.send(method, path, self.headers, self.body)
        seen = (answer.status, tuple(answer.codes), {name: answer.headers.get(name) for name in self.answer})
        if seen != (self.status, self.codes, dict(self.answer)):
            raise AssertionError(
                f"{self.what}: {self.request}\nwanted {(self.status, self.codes, self.answer)}\n"
                f"got    {seen}\n{dict(answer.headers)}\n{answer.body[:500]!r}"
            )
        if self.answer_body is not None and answer.body != self.answer_body:
            raise AssertionError(f"{self.what}: {self.request}\nanother body: {answer.body[:500]!r}")
        return answer
