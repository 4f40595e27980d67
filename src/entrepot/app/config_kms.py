"""Settings of a KMS elsewhere, whose keys protect repositories."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

AWS = "aws"
"""In the place of a URL: AWS's own KMS of the region."""


class KmsSettings(BaseSettings):
    """The part of the settings that says where that KMS is."""

    kms_endpoint: str | None = Field(
        default=None,
        description="URL of a KMS elsewhere, `https://HOST[:PORT]`, or `aws`: new repositories with encryption KMS are "
        "protected by its keys. Credentials come from where AWS's tools look.",
        json_schema_extra={"default_text": "none: the KMS of this server"},
    )
    kms_region: str | None = Field(
        default=None,
        description="Region of `kms_endpoint`, for signatures.",
        json_schema_extra={"default_text": "`region`"},
    )

    @field_validator("kms_endpoint")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value in (None, AWS):
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("must be `aws`, or http://HOST[:PORT] or https://HOST[:PORT] without a path")
        return value

    @model_validator(mode="after")
    def _has_endpoint(self) -> Self:
        if self.kms_region is not None and self.kms_endpoint is None:
            raise ValueError("`kms_region` needs `kms_endpoint`")
        return self
