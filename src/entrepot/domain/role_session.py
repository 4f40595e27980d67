"""Sessions of roles: what may be asked for, what is inherited along a chain, and how much room policies and tags take.

Spec: STS API, AssumeRole; IAM user guide, "Pass session tags in AWS STS", "Monitor and control actions taken with
assumed roles", "IAM and AWS STS quotas".
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from entrepot.domain.iam_error import InvalidSessionTag, NeverAllowed, PackedPolicyTooLarge, ValidationFailed
from entrepot.domain.iam_tag import DUPLICATE, RESERVED
from entrepot.domain.limit import (
    CHAINED_SESSION_SECONDS_MAX,
    ROLE_SESSION_SECONDS_DEFAULT,
    SESSION_PACKED_BYTES_MAX,
    SESSION_POLICY_ARNS_MAX,
    SESSION_POLICY_LENGTH_MAX,
)
from entrepot.domain.principal import Session

_RESERVED = "aws:"


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What AssumeRole is asked for."""

    name: str
    seconds: int | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    """In the order in which they were given; not checked."""
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str | None = None
    vouched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Condition keys that the session keeps, of who holds a web identity token."""

    @property
    def packed_percent(self) -> int | None:
        """How much of the room for session policies and tags is used; None if there are none. Over 100 is too much."""
        parts = [self.policy or "", *self.policy_arns, *(text for tag in self.tags for text in tag)]
        if not any(parts):
            return None
        plain = len("".join((self.policy or "").split())) + sum(map(len, self.policy_arns))
        packed = len(zlib.compress(json.dumps(parts).encode(), 9))
        percent = _percent(packed, SESSION_PACKED_BYTES_MAX)
        return (
            percent if plain <= SESSION_POLICY_LENGTH_MAX else max(percent, _percent(plain, SESSION_POLICY_LENGTH_MAX))
        )


def start_session(request: SessionRequest, caller: Session | None, seconds_max: int, now: datetime) -> Session:
    """The session that a caller, perhaps in a session himself, is given of a role whose sessions last `seconds_max`.

    Raises:
        ValidationFailed: it would last for too long, has too many policies or a reserved source identity.
        InvalidSessionTag: tags twice, reserved, or in the way of inherited ones; a transitive one that is not there.
        PackedPolicyTooLarge: policies and tags have no room.
        NeverAllowed: the caller has another source identity for good.
    """
    seconds = _seconds(request.seconds, caller, seconds_max)
    if len(request.policy_arns) > SESSION_POLICY_ARNS_MAX:
        raise ValidationFailed(f"A session cannot have more than {SESSION_POLICY_ARNS_MAX} managed policies")
    tags = _tags(request, caller)
    if (percent := request.packed_percent or 0) > 100:  # noqa: PLR2004 (percent)
        raise PackedPolicyTooLarge(percent)
    return Session(
        issued_at=now,
        expires_at=now + timedelta(seconds=seconds),
        name=request.name,
        policy=request.policy,
        policy_arns=request.policy_arns,
        tags=tags,
        transitive_tag_keys=(*(caller.transitive_tag_keys if caller else ()), *_transitive_keys(request)),
        source_identity=_source_identity(request, caller),
        is_chained=is_of_role(caller),
        vouched=request.vouched,
    )


def is_of_role(session: Session | None) -> bool:
    """Whether a session is a role's; those of GetSessionToken are their user's."""
    return session is not None and session.name is not None


def inherited_tags(caller: Session | None) -> dict[str, str]:
    """The tags that pass on from the session that asks."""
    if caller is None:
        return {}
    return {key: value for key, value in caller.tags.items() if key in caller.transitive_tag_keys}


def _seconds(asked: int | None, caller: Session | None, seconds_max: int) -> int:
    if asked is None:
        return ROLE_SESSION_SECONDS_DEFAULT
    if is_of_role(caller) and asked > CHAINED_SESSION_SECONDS_MAX:
        raise ValidationFailed(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if asked > seconds_max:
        raise ValidationFailed("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return asked


def _tags(request: SessionRequest, caller: Session | None) -> dict[str, str]:
    given, inherited = dict(request.tags), inherited_tags(caller)
    keys = _lower(given)
    if len(keys) < len(request.tags):
        raise InvalidSessionTag(DUPLICATE)
    if any(key.startswith(_RESERVED) for key in keys):
        raise InvalidSessionTag(RESERVED)
    if not _lower(request.transitive_tag_keys) <= keys:
        raise InvalidSessionTag("The specified transitive tag key must be included in the requested tags.")
    if keys & _lower(inherited):
        raise InvalidSessionTag(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    return inherited | given


def _transitive_keys(request: SessionRequest) -> list[str]:
    """As the tags spell them."""
    wanted = _lower(request.transitive_tag_keys)
    return [key for key, _ in request.tags if key.lower() in wanted]


def _source_identity(request: SessionRequest, caller: Session | None) -> str | None:
    asked, before = request.source_identity, caller.source_identity if caller else None
    if asked is not None and asked.lower().startswith(_RESERVED):
        raise ValidationFailed("The source identity cannot begin with aws:, which is reserved.")
    if before is not None and asked not in (None, before):
        raise NeverAllowed("The source identity of a session cannot be changed in the sessions that it makes.")
    return asked or before


def _lower(keys: Iterable[str]) -> set[str]:
    return {key.lower() for key in keys}


def _percent(used: int, room: int) -> int:
    return -(-100 * used // room)
