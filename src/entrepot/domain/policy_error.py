"""What goes wrong with the policies of repositories and registries: errors of the API beside those of `error.py`.

Spec: ECR API, errors of SetRepositoryPolicy, PutRegistryPolicy and the operations that read and delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from entrepot.domain.error import Invalid, NotFound

if TYPE_CHECKING:
    from entrepot.domain.registry import Registry


class RepositoryPolicyNotFound(NotFound):
    """The repository has no policy."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name


class RegistryPolicyNotFound(NotFound):
    """The registry has no policy."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.registry = registry


class PolicyTextInvalid(Invalid):
    """Not a policy of a `repository` or `registry`; `reason` says what is wrong and where."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


class PolicyPrincipalNotFound(Invalid):
    """A policy of a repository or registry names a user or role that does not exist."""

    def __init__(self, principal: str) -> None:
        super().__init__(principal)
        self.principal = principal


class PolicyLocksOut(Invalid):
    """With the new policy of the repository the caller could not set another one, and `force` was not given."""

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.registry, self.name = registry, name
