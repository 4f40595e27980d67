"""Authorisation: may this caller do this action on these resources.

The only principals so far are the root users of accounts, who may do everything in their own account and nothing
elsewhere. Every request of both planes passes `check` with its action and every resource it names, so that
policies replace the decision and no call site.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from entrepot.domain.error import AccessDenied
from entrepot.domain.principal import Caller

ANY_RESOURCE: Final = "*"
_ACCOUNT_FIELD: Final = 4
"""Of an ARN's six fields: arn, partition, service, region, account, resource."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What condition keys are made of, all of it from the connection or signed by the caller."""

    source_ip: str
    is_secure: bool
    listener: str
    """URL of the listener that accepted the connection."""
    region: str | None = None
    """`aws:RequestedRegion`."""
    user_agent: str | None = None
    referer: str | None = None


class Authorizer:
    """Decides. Without permission the answer is the same whether the resource exists or not."""

    async def check(
        self,
        caller: Caller,
        action: str,
        resource_arns: Iterable[str],
        facts: RequestFacts,  # noqa: ARG002 (conditions come with policies)
    ) -> None:
        """Let the request pass if `action`, such as `ecr:PutImage`, is allowed on every resource.

        Raises:
            AccessDenied: for the first resource on which it is not.
        """
        for arn in resource_arns:
            if arn != ANY_RESOURCE and _account_of(arn) != caller.account_id:
                raise AccessDenied(caller.principal.arn, action, arn)


def _account_of(arn: str) -> str | None:
    fields = arn.split(":", _ACCOUNT_FIELD + 1)
    return fields[_ACCOUNT_FIELD] if len(fields) > _ACCOUNT_FIELD + 1 else None
