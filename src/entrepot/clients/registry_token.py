"""Registry tokens: GetAuthorizationToken with the chain's credentials, for one registry host."""

from __future__ import annotations

import binascii
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from entrepot.clients.aws_chain import Chain, said_in_one_line
from entrepot.clients.client_error import ClientError
from entrepot.clients.registry_host import RegistryHost
from entrepot.clients.token_cache import RegistryToken, TokenCache, token_key
from entrepot.domain.endpoint import parse_endpoint


class TokenSource:
    """Tokens of one chain at one endpoint."""

    def __init__(self, chain: Chain, host: RegistryHost, *, region: str | None, endpoint_url: str | None) -> None:
        """`region` and `endpoint_url` stand in for the chain's; the host's own region comes before both.

        Raises:
            NoCredentials: the chain has none.
            ClientError: no region, or broken settings.
        """
        self._account_id = host.account_id
        self._region = host.region or region or chain.region()
        self._keys, self.is_static = chain.credentials()
        self._client = chain.client("ecr", self._region, endpoint_url=endpoint_url, keys=self._keys)

    @property
    def key(self) -> str:
        """Its name in the cache."""
        return token_key(
            endpoint_url=self.endpoint_url,
            region=self._region,
            access_key_id=self._keys.access_key,
            account_id=self._account_id,
        )

    @property
    def endpoint_url(self) -> str:
        """Where the API is asked."""
        url: str = self._client.meta.endpoint_url
        return url

    @property
    def is_at_aws_name(self) -> bool:
        """Whether the API is asked under a name of AWS's: its registries then have such names too."""
        return parse_endpoint(RegistryHost.parse(self.endpoint_url).name) is not None

    def is_at(self, host: RegistryHost) -> bool:
        """Whether the API is asked at this very host."""
        return RegistryHost.parse(self.endpoint_url).name == host.name

    def get(self, cache: TokenCache) -> RegistryToken:
        """A token from the cache or the server.

        Raises:
            ClientError: the server gives none.
        """
        return cache.get(self.key, self.fetch)

    def fetch(self) -> RegistryToken:
        """A new token.

        Raises:
            ClientError: the server gives none.
        """
        return fetch_token(self._client, self._account_id)


def fetch_token(client: Any, account_id: str | None, now: Callable[[], float] = time.time) -> RegistryToken:
    """GetAuthorizationToken of an ECR client.

    Raises:
        ClientError: the server gives none, or one that cannot be read.
    """
    with said_in_one_line():
        answer = client.get_authorization_token(**({"registryIds": [account_id]} if account_id else {}))
    try:
        data = answer["authorizationData"][0]
        username, _, password = b64decode(data["authorizationToken"]).decode().partition(":")
        return RegistryToken(username, password, data["proxyEndpoint"], now(), data["expiresAt"].timestamp())
    except (LookupError, AttributeError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise ClientError("the answer to GetAuthorizationToken holds no token") from error


def token_with_keys(chain: Chain, host: RegistryHost, region: str, keys: ReadOnlyCredentials) -> RegistryToken:
    """A new token for credentials that are not the chain's own, such as a role's; it is not kept.

    Raises:
        ClientError: the server gives none.
    """
    return fetch_token(chain.client("ecr", region, keys=keys), host.account_id)
