"""Deployments: settings after the ports are bound, with what follows from them; what workers are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.listener import Listener
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.registry import Registry
from entrepot.domain.registry_url import RegistryUrl
from entrepot.store.aws_policy import package_policies


@dataclass(frozen=True, slots=True)
class Deployment:
    """What one server is, the same in the supervisor and in every worker."""

    settings: Settings
    directory: DataDirectory
    listeners: tuple[Listener, ...]
    """With the ports that were bound."""
    registry_url: RegistryUrl
    aws_policies: AwsPolicies = field(default_factory=package_policies, repr=False)

    @property
    def registry(self) -> Registry:
        """The registry that the first start made."""
        return Registry(self.settings.account_id, self.settings.region)

    @property
    def api_url(self) -> str:
        """Where clients of this machine reach the AWS API.

        By plain HTTP if that is served, else by a name that the certificate can have, else by address.
        """
        plain = next((one for one in self.listeners if not one.is_secure), None)
        if plain is not None:
            return plain.local_url
        template = self.registry_url.template
        return self.listeners[0].local_url if "{" in template else template
