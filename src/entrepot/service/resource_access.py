"""What a resource brings to a decision: its policies and tags, and what conditions can ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from entrepot.domain.policy.evaluate import RegistryScope
from entrepot.domain.policy.index import PolicySet


@dataclass(frozen=True, slots=True, eq=False)
class ResourceAccess:
    """What a resource brings to a decision."""

    account_id: str | None
    policy: PolicySet | None = None
    registry: PolicySet | None = None
    registry_scope: RegistryScope = RegistryScope.V2
    tags: Mapping[str, str] = field(default_factory=dict)
    """Keys in lower case."""
    arn: str | None = None
    """Where it is known better than from the request."""
    boundary: str | None = None
    """Of a user or role: the ARN of its permissions boundary."""
    is_kept: bool = False
    """Whether the next request meets the same object, unless the epoch moves on."""
    epoch: int | None = None
    """Of its owner's account, if it is kept."""
    repository_id: int | None = None
    """Of a repository that exists."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Condition keys that say more of it, in lower case."""
    unknown: PolicySet | None = None
    """The policy that counts where there is none of that name."""

    def bare(self) -> ResourceAccess:
        """What there would be if nothing of that name existed: no policy, no tags, but what its registry says."""
        policy = None if self.policy is None else self.unknown or PolicySet()
        bare: dict[str, Any] = {"tags": {}, "arn": None, "boundary": None, "keys": {}}
        return replace(self, policy=policy, is_kept=False, epoch=None, repository_id=None, **bare)


def tags_in_lower_case(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags by their keys in lower case, as policies ask for them."""
    return {key.lower(): value for key, value in tags.items()}
