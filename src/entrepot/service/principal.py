"""Principals by the names that operators call them, as the callers that requests would have.

`123456789012`, `arn:aws:iam::123456789012:root`, ARNs of users, roles and sessions of roles, unique ids (of a session
`AROA…:NAME`), names of services, and ARNs of robot tokens. A role stands for a session of it; a session is taken as a
living key has it, if there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.identity import AccountNotFound, OperatorError
from entrepot.domain.principal import Caller, Session, role_session_of, root_of, service_of, user_of
from entrepot.domain.registry import Registry
from entrepot.domain.robot_token import RobotStatus
from entrepot.domain.service_principal import is_name
from entrepot.domain.session_record import read_session
from entrepot.service.robot_login import caller_of
from entrepot.service.robot_token import status_of
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.iam_entity import find_entity, find_entity_by_id
from entrepot.store.metadata.identity import find_account, list_sessions
from entrepot.store.metadata.robot_token import find_tokens
from entrepot.store.metadata.service_principal import list_service_principals

SESSION_NAME: Final = "explained"
"""Of the session that a role stands for."""

_ROOT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root|([0-9]{12})")
_USER_OR_ROLE = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):(user|role)/(?:.*/)?([^/]+)")
_SESSION = re.compile(r"arn:[a-z-]+:sts::([0-9]{12}):assumed-role/([^/]+)/([^/]+)")
_UNIQUE_ID = re.compile(r"(A[A-Z]{3}[A-Z0-9]{12,124})(?::([^:]+))?")
_ROBOT = re.compile(r"arn:[a-z-]+:entrepot:([a-z0-9-]+):([0-9]{12}):robot-token/([A-Za-z0-9._-]+)")

FORMS: Final = (
    "the ARN of a user, a role, a session of a role or an account's root, an account id of 12 digits, a unique id, a"
    " service such as lambda.amazonaws.com, or the ARN of a robot token"
)


class PrincipalUnknown(OperatorError):
    """Nobody has this name, perhaps another one with nearly the same."""

    def __init__(self, text: str, likely: str | None = None) -> None:
        super().__init__(f"there is no {text}" + (f", but there is {likely}" if likely else ""))
        self.text, self.likely = text, likely


@dataclass(frozen=True, slots=True)
class FoundPrincipal:
    """Somebody who could ask, and what was taken for granted of him."""

    caller: Caller
    remark: str | None = None


def is_principal(text: str) -> bool:
    """Whether a text has one of the forms."""
    return any(form.fullmatch(text) for form in (_ROOT, _USER_OR_ROLE, _SESSION, _UNIQUE_ID, _ROBOT)) or is_name(text)


def find_principal(connection: Connection, text: str, now: datetime) -> FoundPrincipal:
    """Find who is meant.

    Raises:
        PrincipalUnknown, AccountNotFound: nobody has it.
    """
    if found := _ROOT.fullmatch(text):
        return _root(connection, found[1] or found[2])
    if found := _USER_OR_ROLE.fullmatch(text):
        return _of_entity(connection, text, found[1], EntityKind(found[2]), found[3], now)
    if found := _SESSION.fullmatch(text):
        role = find_entity(connection, found[1], EntityKind.ROLE, found[2])
        if role is None:
            raise PrincipalUnknown(f"role {found[2]} in account {found[1]}")
        return _session(connection, role, found[3], now)
    if found := _UNIQUE_ID.fullmatch(text):
        return _of_unique_id(connection, found[1], found[2], now)
    if found := _ROBOT.fullmatch(text):
        return _robot(connection, Registry(found[2], found[1]), found[3], now)
    if is_name(text):
        return FoundPrincipal(Caller(service_of(text, text), ""), _service_remark(connection, text))
    raise PrincipalUnknown(text)


def _robot(connection: Connection, registry: Registry, name: str, now: datetime) -> FoundPrincipal:
    tokens = find_tokens(connection, registry, [name])
    if not tokens:
        raise PrincipalUnknown(f"robot token {name} in account {registry.account_id}, {registry.region}")
    row = tokens[0]
    if row.role is None:
        raise PrincipalUnknown(f"role {row.wanted.role_arn} any more, of which the robot token {name} is")
    status = status_of(row, now)
    remark = None if status is RobotStatus.ACTIVE else f"the robot token is refused before this is asked: {status}"
    return FoundPrincipal(caller_of(row, row.role), remark)


def _service_remark(connection: Connection, name: str) -> str | None:
    return None if list_service_principals(connection, name) else f"{name} has no credentials: nobody asks as it"


def _root(connection: Connection, account_id: str) -> FoundPrincipal:
    if find_account(connection, account_id) is None:
        raise AccountNotFound(account_id)
    return FoundPrincipal(Caller(root_of(account_id), ""))


def _of_entity(
    connection: Connection, text: str, account_id: str, kind: EntityKind, name: str, now: datetime
) -> FoundPrincipal:
    entity = find_entity(connection, account_id, kind, name)
    if entity is None or entity.arn.split(":", 2)[2] != text.split(":", 2)[2]:
        raise PrincipalUnknown(f"{kind.value} {text}", entity.arn if entity else None)
    return _who(connection, entity, None, now)


def _of_unique_id(connection: Connection, unique_id: str, session_name: str | None, now: datetime) -> FoundPrincipal:
    entity = find_entity_by_id(connection, unique_id)
    if entity is None:
        raise PrincipalUnknown(f"user or role with the unique id {unique_id}")
    if entity.kind not in {EntityKind.USER, EntityKind.ROLE}:
        raise PrincipalUnknown(f"user or role with the unique id {unique_id}", f"the {entity.kind.value} {entity.arn}")
    return _who(connection, entity, session_name, now)


def _who(connection: Connection, entity: Entity, session_name: str | None, now: datetime) -> FoundPrincipal:
    if entity.kind is EntityKind.USER:
        return FoundPrincipal(Caller(user_of(entity.account_id, entity.id, entity.path, entity.name), ""))
    if session_name is not None:
        return _session(connection, entity, session_name, now)
    held = _bare_session(SESSION_NAME, now)
    return _of_role(entity, held, "the role stands for a session of it, without session policies and session tags")


def _session(connection: Connection, role: Entity, name: str, now: datetime) -> FoundPrincipal:
    """The session as the newest key of that name has it."""
    living = [read_session(text) for text in list_sessions(connection, role.id, to_micros(now))]
    named = [held for held in living if held.name == name]
    if not named:
        remark = f"the role has no living session {name}: taken without session policies and session tags"
        return _of_role(role, _bare_session(name, now), remark)
    remark = f"the session is taken as a living key has it, issued at {named[0].issued_at:%Y-%m-%dT%H:%M:%SZ}"
    return _of_role(role, named[0], remark if len(named) == 1 else f"{remark}, the newest of {len(named)}")


def _bare_session(name: str, now: datetime) -> Session:
    return Session(now, now + timedelta(hours=1), name)


def _of_role(role: Entity, held: Session, remark: str) -> FoundPrincipal:
    principal = role_session_of(role.account_id, role.id, role.path, role.name, held.name or SESSION_NAME)
    return FoundPrincipal(Caller(principal, "", session=held), remark)
