"""Permissions that only a handler can ask for: once it knows what else is touched, or what a policy would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.auth.authorize import Authorizer
    from entrepot.auth.condition_key import RequestFacts, Values
    from entrepot.domain.policy.index import PolicySet
    from entrepot.domain.policy.principal import Grant
    from entrepot.domain.principal import Caller
    from entrepot.domain.registry import Registry


@dataclass(frozen=True, slots=True)
class Permission:
    """What the caller of a request that was let pass may do beside it."""

    _authorizer: Authorizer
    _caller: Caller
    _action: str
    _arns: Sequence[str]
    _facts: RequestFacts

    async def check(self, arn: str) -> None:
        """Let the request pass if its action is allowed on another resource too.

        Raises:
            AccessDenied
        """
        await self._authorizer.check(self._caller, self._action, [arn], self._facts)

    async def check_action(self, action: str, arn: str, keys: Mapping[str, Values] | None = None) -> None:
        """Let the request pass if another action is allowed, perhaps with other condition keys of its own.

        Raises:
            AccessDenied
        """
        facts = self._facts if keys is None else replace(self._facts, parameters=keys)
        await self._authorizer.check(self._caller, action, [arn], facts)

    async def check_granted(self, action: str, arn: str, granted: Grant) -> None:
        """Let the request pass if another action is allowed on a KMS key of which a grant says `granted` to the caller.

        Raises:
            AccessDenied
        """
        await self._authorizer.check_granted(self._caller, action, arn, granted, self._facts)

    async def check_elsewhere(self, action: str, arn: str, own: Registry, keys: Mapping[str, Values]) -> None:
        """The same for a KMS key that another server has: the caller's own policies decide here.

        Raises:
            AccessDenied
        """
        await self._authorizer.check_elsewhere(self._caller, action, arn, own, replace(self._facts, parameters=keys))

    async def may_with(self, policy: PolicySet) -> bool:
        """Whether the caller could do the same again if the resource had this policy."""
        return await self._authorizer.may_with(self._caller, self._action, self._arns, self._facts, policy)

    async def may_then(self, action: str, arn: str, policy: PolicySet) -> bool:
        """Whether the caller could do something to a resource if it had this policy."""
        return await self._authorizer.may_with(self._caller, action, [arn], self._facts, policy)
