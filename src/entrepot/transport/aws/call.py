"""Calls: a request that passed every check, as a handler gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.domain.repository import RepositoryName, parse_repository_name

if TYPE_CHECKING:
    from entrepot.domain.passage import Passage
    from entrepot.domain.principal import Caller
    from entrepot.domain.registry import Registry
    from entrepot.domain.registry_url import RegistryUrl
    from entrepot.domain.web_identity import WebIdentity
    from entrepot.service.services import Services
    from entrepot.transport.aws.budget import Hold
    from entrepot.transport.aws.permission import Permission


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with validated parameters by a caller who may do it."""

    operation: str
    caller: Caller
    registry: Registry
    """The one that the request addresses; not always the caller's."""
    parameters: dict[str, Any]
    """Typed by the operation's input shape; absent members are absent."""
    services: Services
    registry_url: RegistryUrl
    hold: Hold
    """Bytes of this worker's budget that the call may hold in memory."""
    permission: Permission
    passage: Passage | None = None
    """The private endpoint that it came in through."""
    web_identity: WebIdentity | None = None
    """Whom an issuer's token vouches for, where that stands for the signature."""

    @property
    def repository(self) -> RepositoryName:
        """The member `repositoryName`."""
        return parse_repository_name(self.parameters["repositoryName"])


Handler = Callable[[Call], Awaitable[dict[str, Any]]]
"""Answers a call with the members of its output shape; None stands for an absent one."""
