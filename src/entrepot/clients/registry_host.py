"""Registry hosts: what a client asks a password for, and what its name says about account and region."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from entrepot.clients.client_error import ClientError
from entrepot.domain.endpoint import EndpointKind, parse_endpoint

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class RegistryHost:
    """A host name in lower case, with the port where one was given."""

    name: str
    account_id: str | None = None
    region: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host`, `host:port` or a URL of either; what follows the host does not count.

        Raises:
            ClientError: no host in it.
        """
        name = _without_scheme(text.strip()).partition("/")[0].lower()
        if not name or any(sign.isspace() or sign in '@"\\' for sign in name):
            raise ClientError(f"not the host of a registry: {text.strip()!r}")
        endpoint = parse_endpoint(name)
        if endpoint is None or endpoint.kind is not EndpointKind.REGISTRY:
            return cls(name)
        return cls(name, endpoint.account_id, endpoint.region)

    @classmethod
    def of_image(cls, image: str) -> Self:
        """The host of an image name such as `127.0.0.1:5000/team/app:1`.

        Raises:
            ClientError: it names no host.
        """
        host, slash, _ = _without_scheme(image).partition("/")
        if not slash or not (set(host) & {".", ":"} or host == "localhost"):
            raise ClientError(f"the image name has no host: {image!r}")
        return cls.parse(host)

    @property
    def is_aws_shaped(self) -> bool:
        """Whether the name says account and region, as ECR's do."""
        return self.account_id is not None


def _without_scheme(text: str) -> str:
    """What follows a scheme at the beginning: one further on belongs to a path, which must not name the host."""
    return _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text
