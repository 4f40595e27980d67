"""Download URLs: a path whose signature stands for the right to fetch one layer for a while.

    /layers/123456789012/us-east-1/sha256:…?repository=team%2Fapp&expires=1790000000&key=…&signature=…

The signature is HMAC-SHA256 over the method, every field and the endpoint it was given through: GET, and HEAD as the
GET without its body, of exactly this layer, nothing else.
Spec: ECR API, GetDownloadUrlForLayer; design, "Download URL".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode

from entrepot.domain.digest import Digest
from entrepot.domain.error import AccessDenied, DigestInvalid, InvalidParameter, NameInvalid, TokenExpired
from entrepot.domain.key import SigningKey
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, parse_repository_name

PREFIX = "/layers/"
ACTION = "ecr:GetDownloadUrlForLayer"
_FIELDS = ("repository", "expires", "key", "signature")
_EXPIRES_DIGITS_MAX = 12


@dataclass(frozen=True, slots=True)
class Download:
    """What one URL gives the right to; `endpoint` is empty unless it was given through one."""

    registry: Registry
    repository: RepositoryName
    digest: Digest
    expires: int
    """Seconds since 1970, UTC."""
    endpoint: str = ""


def signed_path(download: Download, key: SigningKey) -> str:
    """Path and query of a download."""
    fields = {
        "repository": download.repository,
        "expires": str(download.expires),
        "key": key.id,
        "signature": _signature(download, key),
    }
    registry = download.registry
    return (
        f"{PREFIX}{registry.account_id}/{registry.region}/{quote(str(download.digest), safe=':')}?{urlencode(fields)}"
    )


def verified_download(
    path: str, query: str, now: datetime, find_key: Callable[[str], SigningKey | None], endpoint: str = ""
) -> Download:
    """Read back what `signed_path` made; `path` and `query` are as sent, through `endpoint` or none.

    Raises:
        AccessDenied: not ours, changed, or of another endpoint.
        TokenExpired: ours, and its time is over.
    """
    try:
        download, key_id, signature = _parse(path, query, endpoint)
    except (ValueError, DigestInvalid, InvalidParameter, NameInvalid) as error:
        raise AccessDenied("", ACTION, path) from error
    key = find_key(key_id)
    if key is None or not hmac.compare_digest(_signature(download, key).encode(), signature.encode()):
        raise AccessDenied("", ACTION, path)
    if now >= datetime.fromtimestamp(download.expires, UTC):
        raise TokenExpired
    return download


def _parse(path: str, query: str, endpoint: str) -> tuple[Download, str, str]:
    if not path.startswith(PREFIX):
        raise ValueError(path)
    account_id, region, digest = (unquote(part) for part in path.removeprefix(PREFIX).split("/"))
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=len(_FIELDS))
    fields = dict(pairs)
    if len(pairs) != len(_FIELDS) or set(fields) != set(_FIELDS):
        raise ValueError(query)
    expires = fields["expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= _EXPIRES_DIGITS_MAX):
        raise ValueError(expires)
    registry = Registry.parse(account_id, region)
    repository = parse_repository_name(fields["repository"])
    download = Download(registry, repository, Digest.parse(digest), int(expires), endpoint)
    return download, fields["key"], fields["signature"]


def _signature(download: Download, key: SigningKey) -> str:
    fields = (
        "entrepot-download-2",
        "GET",  # covers HEAD
        download.registry.account_id,
        download.registry.region,
        download.repository,
        str(download.digest),
        str(download.expires),
        key.id,
        download.endpoint,
    )
    mac = hmac.new(key.secret, "\n".join(fields).encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()
