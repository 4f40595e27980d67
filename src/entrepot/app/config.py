"""Settings: the one table of what an operator may set, read from flags, environment and entrepot.toml.

A flag wins over the environment, the environment over the file, the file over the default. Wrong values are
named with every form of the setting's name (`app/config_load.py`).
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from entrepot.app import config_s3, config_value
from entrepot.app.config_kms import KmsSettings
from entrepot.app.config_value import AbsolutePath, Network
from entrepot.app.listener import Listener
from entrepot.domain.bearer_host import BearerHost
from entrepot.domain.error import InvalidParameter
from entrepot.domain.identity import check_access_key
from entrepot.domain.limit import TOKEN_LIFETIME_SECONDS
from entrepot.domain.registry import Registry

ENV_PREFIX = "ENTREPOT_"
MASTER_KEY_BYTES = 32
DEFAULT_PORT = 5000


class Settings(KmsSettings):
    """What one server is told. Frozen; every value has been checked."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, arbitrary_types_allowed=True
    )

    config: AbsolutePath | None = Field(
        default=None, description="TOML file of settings; its keys are their names, such as `data_dir`."
    )
    data_dir: AbsolutePath = Field(
        default_factory=config_value.data_home,
        description="Directory of everything the server keeps: database, blobs, master key. Created if missing.",
        json_schema_extra={"default_text": "~/.local/share/entrepot"},
    )
    listen: Annotated[tuple[Listener, ...], NoDecode, BeforeValidator(config_value.listeners)] = Field(
        default=(),
        description="URLs to listen on, `http://ADDRESS:PORT` or `https://ADDRESS:PORT`; every one serves everything. "
        "The flag may be repeated; the environment separates by commas.",
        json_schema_extra={"default_text": "http://127.0.0.1:5000", "items": "URL"},
    )
    port: int | None = Field(
        default=None, ge=0, le=65535, description="Short for `--listen http://127.0.0.1:PORT`; 0 picks a free port."
    )
    tls_certificate: AbsolutePath | None = Field(
        default=None, description="PEM file with the certificate chain of the `https` listeners."
    )
    tls_key: AbsolutePath | None = Field(default=None, description="PEM file with the private key of the certificate.")
    insecure: bool = Field(
        default=False,
        description="Allow plain HTTP on addresses that other machines reach: passwords cross the network unencrypted.",
    )
    workers: int = Field(
        default_factory=config_value.cores,
        ge=1,
        le=256,
        description="Processes that serve requests.",
        json_schema_extra={"default_text": "number of cores"},
    )
    parallel_jobs: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Background jobs that each worker does at a time; 0 leaves them to other servers of the database.",
    )
    account_id: str = Field(default="123456789012", description="Account that the first start makes: 12 digits.")
    region: str = Field(
        default="us-east-1", description="Region that the first start makes and clients are set up for."
    )
    root_access_key_id: str | None = Field(
        default=None,
        description="Access key id of the account's root user; when set, replaces the stored one at each start.",
        json_schema_extra={"default_text": "a random one, made at the first start"},
    )
    root_secret_access_key: SecretStr | None = Field(
        default=None,
        description="Secret of `root_access_key_id`.",
        json_schema_extra={"default_text": "a random one, made at the first start"},
    )
    aws_profile: str = Field(
        default="entrepot",
        pattern=r"\A[A-Za-z0-9._-]*\z",
        description="Profile that is written to the AWS config and credentials files (or where AWS_CONFIG_FILE and "
        "AWS_SHARED_CREDENTIALS_FILE point); `none` writes nothing.",
    )
    registry_url: str | None = Field(
        default=None,
        description="Template of the URL under which clients reach a registry, with `{account}` and `{region}`; "
        "decides repositoryUri, proxyEndpoint and download URLs.",
        json_schema_extra={"default_text": "the first listener, or the ECR names after `entrepot connect`"},
    )
    database_url: str | None = Field(
        default=None,
        description="`postgresql://USER:PASSWORD@HOST/DATABASE`.",
        json_schema_extra={"default_text": "SQLite in the data directory", "secret": True},
    )
    blob_dir: AbsolutePath | None = Field(
        default=None,
        description="Directory of the blobs, on a local disk.",
        json_schema_extra={"default_text": "`store` in the data directory"},
    )
    blob_url: str | None = Field(
        default=None,
        description="`s3://BUCKET/PREFIX`: blobs are kept in S3, or in what speaks its protocol, not in local files.",
    )
    s3_endpoint_url: str | None = Field(
        default=None,
        description="Where S3 is, for another one than AWS's: `https://HOST:PORT`.",
        json_schema_extra={"default_text": "AWS's of `s3_region`", "secret": True},
    )
    s3_region: str = Field(default="us-east-1", description="Region of the bucket, for signatures.")
    s3_addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="Where the bucket stands: in the `path` or in the host name, `virtual`; `auto`: so at AWS.",
    )
    s3_credentials: Literal["settings", "aws"] = Field(
        default="settings",
        description="Where the credentials for S3 come from: these `settings`, or, with `aws`, from where AWS's tools"
        " look (environment, profile, web identity, container, instance), renewed as they expire.",
    )
    s3_access_key_id: str | None = Field(default=None, description="Access key id for S3.")
    s3_secret_access_key: SecretStr | None = Field(default=None, description="Secret of `s3_access_key_id`.")
    s3_kms_key: str | None = Field(
        default=None,
        description="KMS key by which S3 encrypts with `storage_encryption` bucket.",
        json_schema_extra={"default_text": "none: S3's own keys"},
    )
    redirect_downloads: bool = Field(
        default=False,
        description="Send clients to S3 for layers, by a URL signed for 15 minutes; needs `storage_encryption` bucket.",
    )
    free_space_reserve: ByteSize | None = Field(
        default=None,
        description="Free space below which uploads are refused, in bytes or as `256MiB`.",
        json_schema_extra={"default_text": "the larger of 1 % of the disk and 256 MiB"},
    )
    storage_encryption: Literal["frames", "none", "bucket"] = Field(
        default="frames",
        description="How blobs are written from now on: `frames` seals them with AES-256-GCM, `none` does not, `bucket`"
        " asks S3 to encrypt them. Blobs already written stay readable.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="Key of 32 bytes that seals every other key, as base64 or hex.",
        json_schema_extra={"default_text": "the file `master.key` in the data directory, made at the first start"},
    )
    token_lifetime_seconds: int = Field(
        default=TOKEN_LIFETIME_SECONDS, ge=60, le=TOKEN_LIFETIME_SECONDS, description="Life of docker login passwords."
    )
    aws_policies: AbsolutePath | None = Field(
        default=None,
        description="JSON file with more of AWS's managed policies, or others in their place: what "
        "`aws iam get-account-authorization-details --filter AWSManagedPolicy` prints.",
        json_schema_extra={"default_text": "those for ECR, and some that nearly everybody uses"},
    )
    bearer_hosts: Annotated[tuple[BearerHost, ...], NoDecode, BeforeValidator(config_value.bearer_hosts)] = Field(
        default=(),
        description="Host names on which the images of repositories that `entrepot admin anonymous-pull` opened can be"
        " pulled without a login, as clients write them: `HOST`, or `HOST:PORT=ACCOUNT/REGION` for another registry"
        " than that of `account_id` and `region`.",
        json_schema_extra={"default_text": "none", "items": "HOST"},
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(config_value.networks)] = Field(
        default=(),
        description="Networks (CIDR) of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        json_schema_extra={"default_text": "none", "items": "CIDR"},
    )
    outbound_allow: Annotated[tuple[str, ...], NoDecode, BeforeValidator(config_value.texts)] = Field(
        default=(),
        description="Networks (CIDR) and host names beyond the public internet that the server may fetch from, such as"
        " the issuer of a cluster's tokens. A host named here may be reached without TLS, too.",
        json_schema_extra={"default_text": "none", "items": "CIDR or HOST"},
    )
    aws_defaults: bool = Field(
        default=False, description="Begin with AWS's defaults where entrepot's differ: no blob mounting."
    )
    stall_timeout_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="A body that makes no progress for this long ends its connection."
    )
    idle_timeout_seconds: float = Field(
        default=75.0, gt=0, le=3600, description="A connection without a whole request for this long is closed."
    )
    shutdown_grace_seconds: float = Field(
        default=30.0, ge=0, le=3600, description="Time that requests under way get when the server is told to stop."
    )
    blob_promise_seconds: int = Field(
        default=3600,
        ge=1,
        le=30 * 24 * 3600,
        description="A blob that a client was told exists is kept for at least this long without an image; it may stay"
        " twice as long.",
    )
    collection_period_seconds: float = Field(
        default=900.0, gt=0, le=7 * 24 * 3600, description="Time between two runs of the garbage collector."
    )
    failed_logins_per_minute: int = Field(
        default=100,
        ge=0,
        description="False credentials that each worker takes from an address in a minute; then the address is told to"
        " wait. 0 takes any number. Behind a proxy set `trusted_proxies`, or all clients count as one.",
    )
    access_log: bool = Field(default=False, description="Log a line for each request.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="Form of the log on standard error; `auto` is console on a terminal and json elsewhere.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file."""
        del dotenv_settings, file_secret_settings
        path = init_settings().get("config") or env_settings().get("config")
        sources = [init_settings, env_settings]
        return (*sources, TomlConfigSettingsSource(settings_cls, path)) if path else tuple(sources)

    @field_validator("account_id")
    @classmethod
    def _account_id(cls, value: str) -> str:
        return _registry(value, "us-east-1").account_id

    @field_validator("region")
    @classmethod
    def _region(cls, value: str) -> str:
        return _registry("123456789012", value).region

    @field_validator("aws_profile")
    @classmethod
    def _aws_profile(cls, value: str) -> str:
        return "" if value == "none" else value

    @field_validator("registry_url")
    @classmethod
    def _registry_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        plain = value.replace("{account}", "1").replace("{region}", "r")
        scheme, separator, host = plain.partition("://")
        if scheme not in ("http", "https") or not separator or not host or set(host) & set("/{}?#@ "):
            raise ValueError("must be http://HOST or https://HOST without a path; {account} and {region} are filled in")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
            raise ValueError("must begin with postgresql:// (without it SQLite in the data directory is used)")
        return value

    @field_validator("blob_url")
    @classmethod
    def _blob_url(cls, value: str | None) -> str | None:
        if value is not None:
            config_s3.parse_blob_url(value)
        return value

    @field_validator("s3_endpoint_url")
    @classmethod
    def _s3_endpoint_url(cls, value: str | None) -> str | None:
        return None if value is None else config_s3.check_endpoint(value)

    @field_validator("master_key")
    @classmethod
    def _master_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_master_key(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _pairs(self) -> Settings:
        if self.listen and self.port is not None:
            raise ValueError("`listen` and `port` are both set; the one is short for the other")
        if (self.root_access_key_id is None) != (self.root_secret_access_key is None):
            raise ValueError("`root_access_key_id` and `root_secret_access_key` must be set together")
        _check_root_key(self.root_access_key_id, self.root_secret_access_key)
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("`tls_certificate` and `tls_key` must be set together")
        for listener in self.listen:
            self._check(listener)
        config_s3.check(self)
        return self

    def _check(self, listener: Listener) -> None:
        if listener.is_secure and self.tls_certificate is None:
            raise ValueError(f"`listen`: {listener.url} needs `tls_certificate` and `tls_key`")
        if not listener.is_secure and not listener.is_loopback and not self.insecure:
            raise ValueError(
                f"`listen`: {listener.url} is plain HTTP that other machines reach; passwords would cross the network "
                "unencrypted. Use https, or set `insecure` if something else protects it"
            )

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What is listened on, certificates included."""
        if not self.listen:
            return (Listener("http", "127.0.0.1", DEFAULT_PORT if self.port is None else self.port),)
        if self.tls_certificate is None or self.tls_key is None:
            return self.listen
        certificate, key = self.tls_certificate, self.tls_key
        return tuple(one.with_tls(certificate, key) if one.is_secure else one for one in self.listen)


def parse_master_key(text: str) -> bytes:
    """32 bytes from hex or base64.

    Raises:
        ValueError: neither, or another length.
    """
    for read in (bytes.fromhex, _from_base64):
        try:
            key = read(text.strip())
        except (ValueError, binascii.Error):
            continue
        if len(key) == MASTER_KEY_BYTES:
            return key
    raise ValueError(f"must be {MASTER_KEY_BYTES} bytes, written as base64 or hex")


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _check_root_key(access_key_id: str | None, secret: SecretStr | None) -> None:
    if access_key_id is None or secret is None:
        return
    try:
        check_access_key(access_key_id, secret.get_secret_value())
    except InvalidParameter as error:
        name = "root_access_key_id" if error.field == "accessKeyId" else "root_secret_access_key"
        raise ValueError(f"`{name}` {error.detail}") from error


def _registry(account_id: str, region: str) -> Registry:
    try:
        return Registry.parse(account_id, region)
    except InvalidParameter as error:
        raise ValueError(error.detail) from error
