"""Bearer hosts: names under which chosen repositories are for everybody, and whose registry each one means.

    public.example.com                              any port; the registry of the server's own account and region
    127.0.0.1:5001=210987654321/eu-west-1           this port only; another registry
    123456789012.dkr.ecr.us-east-1.amazonaws.com    the registry that the name says

Whoever connects says which host he means, so nothing is decided by it but how he is asked to log in.

Spec: design, "Every protocol on every listener"; security rules, "Decisions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from entrepot.domain.endpoint import EndpointKind, parse_endpoint
from entrepot.domain.error import InvalidParameter
from entrepot.domain.registry import Registry

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class BearerHost:
    """One name, in lower case, perhaps with a port."""

    name: str
    registry: Registry | None
    """None: the server's own."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST[:PORT]` or `HOST[:PORT]=ACCOUNT/REGION`.

        Raises:
            ValueError: neither, or a name of AWS's that says another registry, or none.
        """
        host, equals, given = text.lower().partition("=")
        if not _HOST.fullmatch(host):
            raise ValueError(f"{text!r} must be HOST, HOST:PORT or HOST:PORT=ACCOUNT/REGION")
        registry = _registry(text, given) if equals else None
        endpoint = parse_endpoint(host)
        if endpoint is None:
            return cls(host, registry)
        if endpoint.kind is not EndpointKind.REGISTRY or not endpoint.account_id or not endpoint.region:
            raise ValueError(f"{host} is not the name of a private registry")
        said = Registry(endpoint.account_id, endpoint.region)
        if registry not in (None, said):
            raise ValueError(f"{host} already says its account and region")
        return cls(host, said)

    def __str__(self) -> str:
        return self.name if self.registry is None else f"{self.name}={self.registry.account_id}/{self.registry.region}"


class BearerHosts:
    """All of them, for one server."""

    def __init__(self, hosts: Iterable[BearerHost], own: Registry) -> None:
        """`own` is meant where a host says no registry."""
        self._registries = {host.name: host.registry or own for host in hosts}

    def registry_of(self, host: str) -> Registry | None:
        """The registry that a Host header means; None if it is not one of these."""
        if not self._registries:
            return None
        host = host.lower()
        name, _, port = host.rpartition(":")
        return self._registries.get(host) or (self._registries.get(name) if port.isdecimal() else None)


def _registry(text: str, given: str) -> Registry:
    account_id, _, region = given.partition("/")
    try:
        return Registry.parse(account_id, region)
    except InvalidParameter as error:
        raise ValueError(f"{text!r}: {error.field} {error.detail}") from error
