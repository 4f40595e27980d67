"""S3 requests as they leave: where they go, what they sign, and where credentials come from."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from botocore.credentials import Credentials

from entrepot.domain.error import StorageFull, StorageUnavailable
from entrepot.store.blob.base import Segment
from entrepot.store.blob.s3 import credentials
from entrepot.store.blob.s3.client import Bucket, S3Client
from entrepot.store.blob.s3.request import complete_body, multipart_etag

PATH_STYLE = Bucket("http://127.0.0.1:9000", "blobs", "a/", "us-east-1", is_virtual=False)
VIRTUAL = Bucket("https://s3.eu-central-1.amazonaws.com", "blobs", "a/", "eu-central-1", is_virtual=True)


class Sent:
    """The pool's last request, and the answer that it gives."""

    def __init__(self, client: S3Client, monkeypatch: pytest.MonkeyPatch, status: int = 200, body: bytes = b"") -> None:
        self.client, self.status, self.body = client, status, body
        self.count = 0
        monkeypatch.setattr(client._pool, "urlopen", self._take)

    def _take(self, method: str, path: str, **named: Any) -> urllib3.HTTPResponse:
        self.method, self.path, self.headers = method, path, named["headers"]
        self.count += 1
        return urllib3.HTTPResponse(io.BytesIO(self.body), status=self.status, preload_content=True)


def client_of(bucket: Bucket, token: str | None = None) -> S3Client:
    return S3Client(bucket, Credentials("AKIA", "secret", token), pause=lambda _: None)


@pytest.mark.parametrize(
    ("bucket", "path", "host"),
    [(PATH_STYLE, "/blobs/a/k%2Be%20y", "127.0.0.1"), (VIRTUAL, "/a/k%2Be%20y", "blobs.s3.eu-central-1.amazonaws.com")],
)
def test_where_a_request_goes(bucket: Bucket, path: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(bucket)
    sent = Sent(client, monkeypatch)
    client.call("PUT", "k+e y", {"partNumber": "1"}, {}, b"four")
    assert (sent.method, sent.path) == ("PUT", f"{path}?partNumber=1")
    assert client._pool.host == host
    client.call("GET", "", {"uploads": ""})
    assert sent.path == ("/blobs" if bucket is PATH_STYLE else "/") + "?uploads="


def test_what_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(VIRTUAL, "session-token")
    sent = Sent(client, monkeypatch)
    client.call("PUT", "key", body=b"four")
    assert sent.headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"
    assert sent.headers["Content-Length"] == "4"
    assert sent.headers["X-Amz-Security-Token"] == "session-token"
    assert "/eu-central-1/s3/aws4_request" in sent.headers["Authorization"]
    assert "If-None-Match" not in sent.headers
    assert "secret" not in str(sent.headers)


def test_a_url_for_others() -> None:
    url = urlsplit(client_of(VIRTUAL).presign("key", {"response-content-type": "application/octet-stream"}, 900))
    query = parse_qs(url.query)
    assert (url.netloc, url.path) == ("blobs.s3.eu-central-1.amazonaws.com", "/a/key")
    assert query["X-Amz-Expires"] == ["900"]
    assert query["response-content-type"] == ["application/octet-stream"]


@pytest.mark.parametrize(
    ("status", "body", "error", "attempts"),
    [
        (507, b"", StorageFull, 1),
        (403, b"<Error><Code>QuotaExceeded</Code></Error>", StorageFull, 1),
        (403, b"<Error><Code>AccessDenied</Code></Error>", StorageUnavailable, 1),
        (301, b"<Error><Code>PermanentRedirect</Code></Error>", StorageUnavailable, 1),
        (503, b"<Error><Code>SlowDown</Code></Error>", StorageUnavailable, 6),
        (502, b"<html>", StorageUnavailable, 6),
        (400, b"<Error><Code>RequestTimeout</Code></Error>", StorageUnavailable, 6),
        (200, b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>", StorageUnavailable, 6),
    ],
)
def test_which_answers_are_final(
    status: int, body: bytes, error: type[Exception], attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(PATH_STYLE)
    sent = Sent(client, monkeypatch, status, body)
    with pytest.raises(error):
        client.call("POST", "key")
    assert sent.count == attempts


def test_etag_of_parts() -> None:
    """Spec: AWS, "Checking object integrity": the MD5 of the parts' MD5 sums, and how many there are."""
    parts = [
        Segment("00001.part", 1, "0cc175b9c0f1b6a831c399e269772661"),
        Segment("00002.part", 1, "92eb5ffee6ae2fec3ad71c777531578f"),
    ]
    assert multipart_etag(parts) == "96e024ba2074fe77e8e965ba43a704be-2"
    assert multipart_etag([Segment("00001.part", 1, "not-a-sum")]) is None
    assert multipart_etag([Segment("00001.part", 1)]) is None
    assert complete_body([(1, "ab")]) == (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;ab&quot;</ETag></Part>"
        b"</CompleteMultipartUpload>"
    )


def test_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert credentials.find("AKIASETTINGS", "secret").get_frozen_credentials().access_key == "AKIASETTINGS"
    with pytest.raises(StorageUnavailable, match="no credentials for S3"):
        credentials.find(None, None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert credentials.find(None, None).get_frozen_credentials().access_key == "AKIAENVIRONMENT"
