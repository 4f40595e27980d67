"""OpenID Connect providers for the operator: how their keys are had, of which the API of IAM says nothing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from entrepot.app.config import Settings
from entrepot.app.workbench import CommandError, Workbench, run
from entrepot.auth.web_identity import parse_keys
from entrepot.domain.arn import entity_of
from entrepot.domain.iam import EntityKind
from entrepot.domain.iam_error import EntityNotFound
from entrepot.domain.web_identity import KEY_SET_BYTES_MAX, Provider
from entrepot.service.iam.provider import IamProviderService
from entrepot.service.identity import IdentityService

T = TypeVar("T")


def list_providers(settings: Settings) -> list[Provider]:
    """The providers of all accounts, by account and issuer.

    Raises:
        CommandError: the database cannot be used.
    """

    async def work(bench: Workbench) -> list[Provider]:
        providers = IamProviderService(bench.database, bench.context)
        accounts = await IdentityService(bench.database, bench.context, bench.keys).list_accounts()
        entities = [entity for account in accounts for entity in await providers.list(account.id)]
        found = [await providers.find(entity.account_id, entity.name) for entity in entities]
        return [provider for provider in found if provider is not None]

    return run(settings, work)


def find_provider(settings: Settings, arn: str) -> Provider:
    """A provider by its ARN.

    Raises:
        CommandError: there is none, or the database cannot be used.
    """

    async def find(providers: IamProviderService, account_id: str, issuer: str) -> Provider:
        found = await providers.find(account_id, issuer)
        if found is None:
            raise EntityNotFound(EntityKind.PROVIDER.value, arn)
        return found

    return _with_provider(settings, arn, find)


def set_keys(settings: Settings, arn: str, file: Path | None) -> None:
    """Verify a provider's tokens with the public keys in a file; None: with those that its issuer publishes.

    Raises:
        CommandError: no key set, no such provider, or the database cannot be used.
    """
    keys = None if file is None else read_keys(file)
    _with_provider(settings, arn, lambda providers, *which: providers.set_keys(*which, keys))


def set_ca(settings: Settings, arn: str, file: Path | None) -> None:
    """Believe the certificates in a file, and no others, when the issuer is asked; None: those of the system.

    Raises:
        CommandError: no certificates, no such provider, or the database cannot be used.
    """
    ca = None if file is None else read_certificates(file)
    _with_provider(settings, arn, lambda providers, *which: providers.set_ca(*which, ca))


def read_keys(file: Path) -> str:
    """The public keys of a JSON Web Key Set that can verify, as one; nothing secret is taken over.

    Raises:
        CommandError: it cannot be read, or has none.
    """
    try:
        return json.dumps({"keys": parse_keys(_read(file))})
    except ValueError as error:
        raise CommandError(f"{file} is {error}") from error


def read_certificates(file: Path) -> str:
    """The certificates of a PEM file, without whatever else is in it.

    Raises:
        CommandError: it cannot be read, or has none.
    """
    try:
        found = x509.load_pem_x509_certificates(_read(file))
    except ValueError as error:
        raise CommandError(f"{file} has no certificates in the form of PEM") from error
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in found)


def key_ids(provider: Provider) -> list[str]:
    """The ids of the keys that were given; `-` for one without."""
    keys: list[dict[str, Any]] = json.loads(provider.keys)["keys"] if provider.keys else []
    return [str(key.get("kid", "-")) for key in keys]


def certificate_names(provider: Provider) -> list[str]:
    """The subjects of the certificates that were given, with their ends."""
    found = x509.load_pem_x509_certificates(provider.ca.encode()) if provider.ca else []
    return [f"{one.subject.rfc4514_string()} (until {one.not_valid_after_utc:%Y-%m-%d})" for one in found]


def _with_provider(settings: Settings, arn: str, act: Callable[[IamProviderService, str, str], Awaitable[T]]) -> T:
    named = entity_of(arn)
    if named is None or named[1] is not EntityKind.PROVIDER:
        raise CommandError(f"{arn} is not the ARN of an OpenID Connect provider: `entrepot admin oidc list` shows them")
    account_id, _, issuer = named

    async def work(bench: Workbench) -> T:
        try:
            return await act(IamProviderService(bench.database, bench.context), account_id, issuer)
        except EntityNotFound as error:
            raise CommandError(f"there is no provider {arn}: `entrepot admin oidc list` shows them") from error

    return run(settings, work)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(KEY_SET_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    if len(raw) > KEY_SET_BYTES_MAX:
        raise CommandError(f"{file} has more than {KEY_SET_BYTES_MAX} bytes")
    return raw
