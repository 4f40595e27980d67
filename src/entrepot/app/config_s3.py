"""Settings of blobs in S3: what belongs together, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]*")


class S3Settings(Protocol):
    """The settings that matter here."""

    @property
    def blob_url(self) -> str | None: ...
    @property
    def blob_dir(self) -> Path | None: ...
    @property
    def storage_encryption(self) -> str: ...
    @property
    def redirect_downloads(self) -> bool: ...
    @property
    def s3_endpoint_url(self) -> str | None: ...
    @property
    def s3_region(self) -> str: ...
    @property
    def s3_addressing(self) -> str: ...
    @property
    def s3_credentials(self) -> str: ...
    @property
    def s3_access_key_id(self) -> str | None: ...
    @property
    def s3_secret_access_key(self) -> SecretStr | None: ...
    @property
    def s3_kms_key(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where the objects are."""

    bucket: str
    prefix: str
    """Empty, or ending with a slash."""
    endpoint: str
    is_virtual: bool
    """Whether the bucket is part of the host name."""

    @property
    def text(self) -> str:
        """For people, and to tell one place from another."""
        return f"s3://{self.bucket}/{self.prefix} at {self.endpoint}"


def parse_blob_url(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://BUCKET/PREFIX`.

    Raises:
        ValueError
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise ValueError("must be s3://BUCKET or s3://BUCKET/PREFIX")
    if not _PREFIX.fullmatch(prefix) or "//" in prefix or {".", ".."} & set(prefix.split("/")):
        raise ValueError("has a prefix with characters that are not safe in an S3 key")
    return bucket, f"{prefix}/" if prefix else ""


def check_endpoint(url: str) -> str:
    """An endpoint without a slash at its end.

    Raises:
        ValueError
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("must be http://HOST[:PORT] or https://HOST[:PORT] without a path")
    if parts.username is not None:
        raise ValueError("must not hold credentials")
    return url.rstrip("/")


def check(settings: S3Settings) -> None:
    """Refuse what does not go together.

    Raises:
        ValueError: with the names of the settings between backquotes.
    """
    if (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        raise ValueError("`s3_access_key_id` and `s3_secret_access_key` must be set together")
    if settings.redirect_downloads and settings.storage_encryption != "bucket":
        raise ValueError("`redirect_downloads` needs `storage_encryption` bucket: clients cannot read what we encrypt")
    if settings.s3_kms_key is not None and settings.storage_encryption != "bucket":
        raise ValueError("`s3_kms_key` needs `storage_encryption` bucket")
    if settings.blob_url is None:
        _check_without_s3(settings)
        return
    if settings.blob_dir is not None:
        raise ValueError("`blob_url` and `blob_dir` are both set; blobs are in one place")
    has_keys = settings.s3_access_key_id is not None
    if settings.s3_credentials == "settings" and not has_keys:
        raise ValueError(
            "`blob_url` needs `s3_access_key_id` and `s3_secret_access_key`, or `s3_credentials` aws, which looks for"
            " them where AWS's own tools do"
        )
    if settings.s3_credentials == "aws" and has_keys:
        raise ValueError("`s3_credentials` aws and `s3_access_key_id` are both set; credentials have one source")


def _check_without_s3(settings: S3Settings) -> None:
    if settings.storage_encryption == "bucket":
        raise ValueError("`storage_encryption` bucket needs `blob_url`")
    for name in ("s3_endpoint_url", "s3_access_key_id"):
        if getattr(settings, name) is not None:
            raise ValueError(f"`{name}` needs `blob_url`")


def place_of(settings: S3Settings) -> S3Place | None:
    """Where blobs are in S3; None when they are local files."""
    if settings.blob_url is None:
        return None
    bucket, prefix = parse_blob_url(settings.blob_url)
    endpoint = settings.s3_endpoint_url or f"https://s3.{settings.s3_region}.amazonaws.com"
    is_virtual = settings.s3_addressing == "virtual" or (
        settings.s3_addressing == "auto" and settings.s3_endpoint_url is None and "." not in bucket
    )
    return S3Place(bucket, prefix, endpoint, is_virtual)


def encryption_headers(settings: S3Settings) -> Mapping[str, str]:
    """What asks S3 to encrypt what it is given.

    Spec: Amazon S3 API Reference, PutObject.
    """
    if settings.storage_encryption != "bucket":
        return {}
    if settings.s3_kms_key is None:
        return {"x-amz-server-side-encryption": "AES256"}
    return {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": settings.s3_kms_key,
    }
