"""Holders of policies: the operations that users, groups and roles have alike, in a table of their names.

AttachUserPolicy  UserName   user        AttachGroupPolicy  GroupName  group       AttachRolePolicy  RoleName  role
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.service.iam.attachment import Holder
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.resource import ResourceKind


@dataclass(frozen=True, slots=True)
class HolderKind:
    """One kind of holder as operations name it."""

    kind: EntityKind
    word: str
    """In names of operations: `User`."""
    resource: ResourceKind

    @property
    def name_member(self) -> str:
        """`UserName`."""
        return f"{self.word}Name"

    def holder_of(self, call: Call) -> Holder:
        """Whom a call names."""
        return Holder(call.caller.account_id, self.kind, call.parameters[self.name_member])


USER: Final = HolderKind(EntityKind.USER, "User", ResourceKind.USER)
GROUP: Final = HolderKind(EntityKind.GROUP, "Group", ResourceKind.GROUP)
ROLE: Final = HolderKind(EntityKind.ROLE, "Role", ResourceKind.ROLE)

Answer = Callable[[Call, HolderKind], Awaitable[dict[str, Any]]]


def operations_of(kinds: tuple[HolderKind, ...], answers: dict[str, Answer]) -> dict[str, tuple[ResourceKind, Handler]]:
    """An operation for each kind and answer; `{}` in the keys of `answers` stands for the kind's word."""
    return {
        name.format(kind.word): (kind.resource, _handler(kind, answer))
        for kind in kinds
        for name, answer in answers.items()
    }


def _handler(kind: HolderKind, answer: Answer) -> Handler:
    async def handle(call: Call) -> dict[str, Any]:
        return await answer(call, kind)

    return handle
