"""Logging in with one command: a token for a host, written where docker and its kin look, or the helper set up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from entrepot.clients.aws_chain import Chain
from entrepot.clients.client_error import ClientError
from entrepot.clients.docker_config import LoginFiles, save_login, use_helper
from entrepot.clients.known_host import KnownHost, remember_host
from entrepot.clients.registry_host import RegistryHost
from entrepot.clients.registry_token import TokenSource
from entrepot.clients.token_cache import RegistryToken


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; None: as environment and profile say."""

    host: str | None
    profile: str | None
    region: str | None
    endpoint_url: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """What was done."""

    host: str
    where: str
    expires_at: datetime | None
    """When the login ends; None with the helper, whose logins never end."""


def log_in(wish: Wish) -> Done:
    """Get a token and write it down as a login.

    Raises:
        ClientError: no credentials, no token, or a file that cannot be changed.
    """
    host, _, token = _open(wish)
    where = save_login(LoginFiles.find(), host, token.username, token.password)
    return Done(host, where, datetime.fromtimestamp(token.expires_at, UTC))


def set_up_helper(wish: Wish) -> Done:
    """Name our helper for the host, after trying whether it would get a token.

    Raises:
        ClientError: no credentials, no token, or a file that cannot be changed.
    """
    host, source, _ = _open(wish)
    files = LoginFiles.find()
    remember_host(host, KnownHost(wish.profile, wish.region, source.endpoint_url))
    use_helper(files, host)
    return Done(host, str(files.main), None)


def _open(wish: Wish) -> tuple[str, TokenSource, RegistryToken]:
    chain = Chain.open(wish.profile, may_ask=True)
    asked = RegistryHost.parse(wish.host) if wish.host else RegistryHost("")
    source = TokenSource(chain, asked, region=wish.region, endpoint_url=wish.endpoint_url)
    token = source.fetch()
    if not (asked.name or token.host):
        raise ClientError("the server names no registry: say which host to log in to")
    return asked.name or token.host.lower(), source, token
