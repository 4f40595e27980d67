"""The server under comparison: its ECR API, if it has one, and its registry."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

TIMEOUT_SECONDS = 20
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes


class NoApi(Exception):
    """The check is about the ECR API, and this server has none."""


@dataclass(frozen=True)
class Target:
    """Where the server is and how to log in; `api` is None for a plain registry."""

    api: str | None
    registry: str
    access_key: str = "test"
    secret_key: str = field(default="test", repr=False)
    region: str = "us-east-1"

    def need_api(self) -> None:
        """Go on only with an ECR API.

        Raises:
            NoApi
        """
        if self.api is None:
            raise NoApi

    def client(self, secret_key: str | None = None) -> Any:
        """An ECR client that sends what it is given, right or wrong."""
        self.need_api()
        return boto3.client(
            "ecr",
            endpoint_url=self.api,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=Config(parameter_validation=False, retries={"max_attempts": 0}, read_timeout=TIMEOUT_SECONDS),
        )

    @cached_property
    def ecr(self) -> Any:
        """The client of ordinary calls."""
        return self.client()

    @cached_property
    def token(self) -> str | None:
        """The docker login of GetAuthorizationToken as base64."""
        if self.api is None:
            return None
        token: str = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return token

    def create(self, repository: str, **settings: Any) -> str:
        """Make a repository where repositories must be made."""
        if self.api is not None:
            try:
                self.ecr.create_repository(repositoryName=repository, **settings)
            except ClientError as error:
                if error_code(error) != "RepositoryAlreadyExistsException":
                    raise
        return repository

    def ask_anonymously(self, path: str) -> Answer:
        """A GET without a login."""
        return _exchange("GET", urljoin(self.registry, path), b"", {})

    def send(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        token: str | None = None,
        query: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `url` may be a path of the registry. Redirects are followed for GET."""
        sent = {"Content-Length": str(len(body)), **(headers or {})}
        absolute = urljoin(self.registry, url)
        if absolute.startswith(self.registry):
            login = token or self.token
            sent |= {"Authorization": f"Basic {login}"} if login else {}
        answer = _exchange(method, _with_query(absolute, query or {}), body, sent)
        if method == "GET" and answer.status in (302, 303, 307):
            return self.send("GET", answer.headers["location"], headers=headers)
        return answer


def error_code(error: BotoCoreError | ClientError) -> str:
    """The AWS code of a failed call, or the name of what went wrong before there was one."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def manifest(config: bytes, layers: list[bytes], **members: Any) -> bytes:
    """An OCI image manifest."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(config, CONFIG_TYPE),
        "layers": [descriptor(layer, LAYER_TYPE) for layer in layers],
        **members,
    }
    return json.dumps(document).encode()


def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    """What a manifest says of some bytes."""
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def digest(content: bytes) -> str:
    """The address of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _with_query(url: str, query: dict[str, str]) -> str:
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}{urlencode(query)}" if query else url


def _exchange(method: str, url: str, body: bytes, headers: dict[str, str]) -> Answer:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, re.sub(r"^[a-z]+://[^/]*", "", url) or "/", body, headers)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()
