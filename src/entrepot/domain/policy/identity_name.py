"""Names of users, roles and their sessions in policies: which identity one means, and how it is called today.

    arn:aws:iam::111111111111:user/team/ana                 a user, in its path
    arn:aws:sts::111111111111:assumed-role/build/ci         the session `ci` of the role `build`
    AIDAANAANAANAANAANAAA, AROABUILDBUILDBUILDBU:ci         the same by unique ids

Spec: IAM user guide, "AWS JSON policy elements: Principal", "IAM identifiers".
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from entrepot.domain.iam import Entity, EntityKind

_ARN: Final = re.compile(r"arn:([a-z-]+):iam::([0-9]{12}):((?:user|role)/[^*?]+)")
_SESSION_ARN: Final = re.compile(r"arn:([a-z-]+):sts::([0-9]{12}):(assumed-role/[^/*?]+)/([^/*?]+)")
_UNIQUE_ID: Final = re.compile(r"(A[A-Z]{3}[A-Z0-9]{12,124})(?::([^/*?:]+))?")

Key = tuple[str | None, str]
"""Account and place of an identity there, or None and its unique id."""


class IdentityName(NamedTuple):
    """A name as it is written."""

    key: Key
    partition: str = "aws"
    session: str | None = None
    """Of a role: only the session of this name is meant."""

    def unique_id(self, entity: Entity) -> str:
        """The name by unique id, once its key has led to an entity."""
        return entity.id if self.session is None else f"{entity.id}:{self.session}"

    def called(self, entity: Entity) -> str:
        """The ARN of today, in the partition in which it was written."""
        if self.session is None:
            return f"arn:{self.partition}:{entity.arn.split(':', 2)[2]}"
        return f"arn:{self.partition}:sts::{entity.account_id}:assumed-role/{entity.name}/{self.session}"


def parse_identity(text: str) -> IdentityName | None:
    """Read a name of a user, a role or a role's session, existing or not; None for anything else."""
    if arn := _ARN.fullmatch(text):
        return IdentityName((arn[2], arn[3]), arn[1])
    if session := _SESSION_ARN.fullmatch(text):
        return IdentityName((session[2], session[3]), session[1], session[4])
    if unique_id := _UNIQUE_ID.fullmatch(text):
        return IdentityName((None, unique_id[1]), session=unique_id[2])
    return None


def keys_of(entity: Entity) -> tuple[Key, ...]:
    """The keys of all names that an entity has; groups and policies have none."""
    if entity.kind is EntityKind.USER:
        return (None, entity.id), (entity.account_id, f"user{entity.path}{entity.name}")
    if entity.kind is EntityKind.ROLE:
        place, sessions = f"role{entity.path}{entity.name}", f"assumed-role/{entity.name}"
        return (None, entity.id), (entity.account_id, place), (entity.account_id, sessions)
    return ()
