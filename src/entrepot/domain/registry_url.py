"""Registry URLs: the address under which clients are told to reach a registry.

It comes from settings, never from a Host header.
"""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.registry import Registry


@dataclass(frozen=True, slots=True)
class RegistryUrl:
    """A template such as `http://127.0.0.1:5000` or `https://{account}.dkr.ecr.{region}.amazonaws.com`."""

    template: str

    def endpoint(self, registry: Registry) -> str:
        """What GetAuthorizationToken shows as proxyEndpoint, and what download URLs begin with."""
        return self.template.replace("{account}", registry.account_id).replace("{region}", registry.region)

    def repository_uri(self, registry: Registry, name: str) -> str:
        """What docker is given: host, port and repository name, without a scheme."""
        return f"{self.endpoint(registry).partition('://')[2]}/{name}"
