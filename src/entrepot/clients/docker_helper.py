"""`docker-credential-entrepot`: docker's credential helper for registries of entrepot and ECR, under any host name.

The password is a registry token, got with AWS's usual chain of credentials whenever docker asks, and kept for half of
its life. A host is ours if its name is ECR's, if `entrepot login --helper` set it up, or if the server says so: it is
the host of the API, or the one that GetAuthorizationToken names. A password is given for no other.

Spec: docker-credential-helpers, "Development" (get, store, erase, list; errors on standard output, exit code 1).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from entrepot import __version__
from entrepot.clients.client_error import ClientError, NoCredentials
from entrepot.clients.known_host import KnownHost, known_hosts
from entrepot.clients.registry_host import RegistryHost
from entrepot.clients.standard_input import read_request
from entrepot.clients.token_cache import RegistryToken, TokenCache, settings_key

if TYPE_CHECKING:
    from entrepot.clients.registry_token import TokenSource

NOT_FOUND = "credentials not found in native keychain"
"""Docker's library compares these words: clients then go on without credentials."""
NO_SERVER = "no credentials server URL"
NO_USERNAME = "no credentials username"
_USERNAME = "AWS"


class HelperError(ClientError):
    """What docker is told on standard output."""


def get(asked: str) -> str:
    """The credentials of a host, as docker reads them.

    Raises:
        HelperError: not a registry of ours, or no credentials for it.
        ClientError: the registry's API refuses, or cannot be reached.
    """
    token = token_of(_host(asked), TokenCache.of_user())
    return json.dumps({"ServerURL": asked.strip(), "Username": token.username, "Secret": token.password})


def store(text: str) -> str:
    """Take `docker login`'s word for a token; nothing is kept, since a fresh one is got whenever it is asked for.

    Raises:
        HelperError: a password that would have to be kept.
    """
    try:
        given = json.loads(text)
        server, username = given.get("ServerURL"), given.get("Username")
    except (ValueError, AttributeError, RecursionError) as error:
        raise HelperError("the credentials to store are not a JSON object") from error
    if not username:
        raise HelperError(NO_USERNAME)
    if _host(str(server or "")) and username != _USERNAME:
        raise HelperError(
            f"docker-credential-entrepot keeps no passwords, and the user {username!r} is not {_USERNAME}"
        )
    return ""


def erase(asked: str) -> str:
    """Forget the tokens of a host, as `docker logout` wants.

    Raises:
        HelperError: no host was named.
    """
    host, cache = _host(asked), TokenCache.of_user()
    for key, token in list(cache.tokens()):
        if token.host == host.name:
            cache.forget(key)
    return ""


def list_hosts(_: str = "") -> str:
    """Hosts that were set up, or have a valid token, each with its user name."""
    hosts = {*known_hosts(), *(token.host for _, token in TokenCache.of_user().tokens())}
    return json.dumps(dict.fromkeys(sorted(hosts), _USERNAME))


def token_of(host: RegistryHost, cache: TokenCache) -> RegistryToken:
    """A token that opens this host.

    Raises:
        HelperError: not a registry of ours, or no credentials for it.
        ClientError: the registry's API refuses, or cannot be reached.
    """
    known = known_hosts().get(host.name)
    settings = settings_key(host.name, *(known and (known.profile, known.region, known.endpoint_url)) or ())
    if token := cache.find_known(settings):
        return token
    source = _source(host, known)
    is_named = host.is_aws_shaped or known is not None
    token = source.get(cache) if is_named or source.is_at(host) else _token_if_ours(source, host, cache)
    if source.is_static:
        cache.know(settings, source.key)
    return token


def _source(host: RegistryHost, known: KnownHost | None) -> TokenSource:
    # botocore takes a tenth of a second to load: only when the cache does not know
    work = importlib.import_module("entrepot.clients.registry_token")
    chain = importlib.import_module("entrepot.clients.aws_chain").Chain
    way = known or KnownHost()
    try:
        source: TokenSource = work.TokenSource(
            chain.open(way.profile), host, region=way.region, endpoint_url=way.endpoint_url
        )
    except ClientError as error:
        if (known or host.is_aws_shaped) and not isinstance(error, NoCredentials):
            raise
        sys.stderr.write(f"docker-credential-entrepot: {error}\n")
        raise HelperError(NOT_FOUND) from error
    return source


def _token_if_ours(source: TokenSource, host: RegistryHost, cache: TokenCache) -> RegistryToken:
    """The token, if it names this host; where docker has no other store, it asks us for every registry there is."""
    if source.is_at_aws_name:
        raise HelperError(NOT_FOUND)
    try:
        token = source.get(cache)
    except ClientError as error:
        raise HelperError(NOT_FOUND) from error
    if token.host != host.name:
        raise HelperError(NOT_FOUND)
    return token


def _host(asked: str) -> RegistryHost:
    if not asked.strip():
        raise HelperError(NO_SERVER)
    return RegistryHost.parse(asked)


ACTIONS: dict[str, Callable[[str], Any]] = {"get": get, "store": store, "erase": erase, "list": list_hosts}


def run(arguments: list[str]) -> int:
    """One call of docker's: an action, its input on standard input, its answer on standard output."""
    if arguments in (["version"], ["--version"], ["-v"]):
        sys.stdout.write(f"docker-credential-entrepot {__version__}\n")
        return 0
    if len(arguments) != 1 or arguments[0] not in ACTIONS:
        sys.stdout.write(f"Usage: docker-credential-entrepot <{'|'.join(ACTIONS)}|version>\n")
        return 1
    try:
        answer = ACTIONS[arguments[0]]("" if arguments[0] == "list" else read_request())
    except ClientError as error:
        sys.stdout.write(f"{error}\n")
        if not isinstance(error, HelperError):  # `docker push` and oras go on in silence, but show standard error
            sys.stderr.write(f"docker-credential-entrepot: {error}\n")
        return 1
    sys.stdout.write(f"{answer}\n" if answer else "")
    return 0


def main() -> None:
    """The program `docker-credential-entrepot`."""
    sys.exit(run(sys.argv[1:]))
