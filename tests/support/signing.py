"""Requests signed by botocore's own signers, as the gateway meets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.transport.message import BodyTooLarge, HttpRequest, Peer

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
HOST = "127.0.0.1:5000"
PEER = Peer("127.0.0.1", is_secure=False, listener="http://127.0.0.1:5000")


def message(
    method: str,
    url: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    request_id: str = "00000000-0000-4000-8000-000000000000",
) -> HttpRequest:
    """A request as a listener hands it over."""

    async def read_body(limit_bytes: int) -> bytes:
        if len(body) > limit_bytes:
            raise BodyTooLarge
        return body

    parts = urlsplit(url)
    sent = CIMultiDict(headers)
    if "Host" not in sent:
        sent["Host"] = parts.netloc
    if body and "Content-Length" not in sent:
        sent["Content-Length"] = str(len(body))
    return HttpRequest(
        method, parts.path, parts.query, CIMultiDictProxy(sent), PEER, read_body=read_body, request_id=request_id
    )


def signed(
    method: str,
    url: str,
    now: datetime,
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    *,
    key: tuple[str, str] = (KEY_ID, SECRET),
    token: str | None = None,
    scope: tuple[str, str] = (REGION, "ecr"),
) -> HttpRequest:
    """A request signed in its Authorization header at `now`; `scope` is region and service."""
    request = AWSRequest(method, url, dict(headers), body)
    region, service = scope
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4Auth(Credentials(*key, token), service, region).add_auth(request)
    return message(method, request.url, list(request.headers.items()), body)


def presigned(
    method: str,
    url: str,
    now: datetime,
    headers: Mapping[str, str] = {},
    *,
    key: tuple[str, str] = (KEY_ID, SECRET),
    token: str | None = None,
    scope: tuple[str, str] = (REGION, "sts"),
    expires: int = 900,
) -> HttpRequest:
    """A request signed in its query at `now`."""
    request = AWSRequest(method, url, dict(headers))
    region, service = scope
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4QueryAuth(Credentials(*key, token), service, region, expires).add_auth(request)
    return message(method, request.url, list(request.headers.items()))


def changed(
    request: HttpRequest,
    *,
    query: str | None = None,
    add: Iterable[tuple[str, str]] = (),
    drop: Iterable[str] = (),
    **replaced: str,
) -> HttpRequest:
    """The request after somebody touched it: headers added, dropped or, by name with `_` for `-`, replaced."""
    headers = CIMultiDict(request.headers)
    for name in drop:
        del headers[name]
    headers.update({name.replace("_", "-"): value for name, value in replaced.items()})
    headers.extend(list(add))
    raw_query = request.raw_query if query is None else query
    return HttpRequest(
        request.method,
        request.raw_path,
        raw_query,
        CIMultiDictProxy(headers),
        request.peer,
        request.read_body,
        request.request_id,
    )
