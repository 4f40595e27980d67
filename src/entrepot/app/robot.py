"""Robot tokens for the operator: made, listed and revoked in the database alone, with the rules of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from entrepot.app.config import Settings
from entrepot.app.data_directory import write_private
from entrepot.app.workbench import CommandError, Workbench, run
from entrepot.domain.error import InvalidParameter, RegistryError
from entrepot.domain.iam import EntityKind, entity_arn
from entrepot.domain.page import PageRequest
from entrepot.domain.registry import Registry
from entrepot.domain.robot_token import MadeRobotToken, NewRobotToken, RobotScope, RobotToken
from entrepot.service.identity import IdentityService
from entrepot.service.robot_token import RobotTokenService
from entrepot.transport.aws.entrepot.robot_token import pack_robot_token
from entrepot.transport.aws.error import fault_of
from entrepot.transport.aws.model import OWN_DATA, VERSIONS, service_model
from entrepot.transport.aws.validate import ConstraintBroken, WrongType, compile_shape

T = TypeVar("T")

_PAGE: Final = 1_000
_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_OPTIONS: Final = {
    "name": "NAME",
    "roleArn": "--role",
    "repositories": "--repository",
    "actions": "--allow",
    "addresses": "--address",
}
"""What the members of a request are called on the command line."""


class RobotQuestionMalformed(CommandError):
    """A wrong command line."""

    code = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token as a command line describes it."""

    name: str
    role: str
    """Name or ARN."""
    repositories: list[str]
    allow: list[str]
    addresses: list[str]
    expires_in: str | None = None


def create(settings: Settings, wanted: Wanted, password_file: Path | None = None) -> MadeRobotToken:
    """Make a token; its password goes to a new file that only its owner can read, if one is named.

    Raises:
        CommandError: it is refused, the file is there, or the database cannot be used.
    """
    role_arn, actions = _role_arn(settings.account_id, wanted.role), [one.upper() for one in wanted.allow]
    given = {"repositories": wanted.repositories, "actions": actions, "addresses": wanted.addresses}
    _check({"name": wanted.name, "roleArn": role_arn, **given})
    try:
        scope = RobotScope.parse(wanted.repositories, actions, wanted.addresses)
    except InvalidParameter as error:
        raise _malformed(error.field, error.detail) from error
    end = None if wanted.expires_in is None else datetime.now(UTC) + _read_span(wanted.expires_in)
    token = NewRobotToken(
        Registry(settings.account_id, settings.region),
        wanted.name,
        role_arn,
        scope,
        end,
    )
    if password_file is not None:
        _reserve(password_file)
    try:
        made = _with_tokens(settings, lambda tokens, _: tokens.create(token))
    except BaseException:
        if password_file is not None:
            password_file.unlink(missing_ok=True)
        raise
    if password_file is not None:
        write_private(password_file, f"{made.password}\n".encode())
    return made


def list_tokens(settings: Settings) -> list[RobotToken]:
    """The tokens of the account in the region, by name.

    Raises:
        CommandError: no such account, or the database cannot be used.
    """

    async def act(tokens: RobotTokenService, registry: Registry) -> list[RobotToken]:
        page = await tokens.list(registry, PageRequest(_PAGE))
        found = list(page.items)
        while page.next_key is not None:
            page = await tokens.list(registry, PageRequest(_PAGE, page.next_key))
            found += page.items
        return found

    return _with_tokens(settings, act)


def find(settings: Settings, name: str) -> RobotToken:
    """A token by name.

    Raises:
        CommandError: there is none, or the database cannot be used.
    """
    return _with_tokens(settings, lambda tokens, registry: tokens.describe(registry, [name]))[0]


def revoke(settings: Settings, name: str) -> RobotToken:
    """Take a token back: a running server refuses it from the next request on.

    Raises:
        CommandError: there is none, or the database cannot be used.
    """
    return _with_tokens(settings, lambda tokens, registry: tokens.revoke(registry, name))


def read_model() -> str:
    """The model of the service `entrepot`, as AWS's tools load it."""
    return (OWN_DATA / "entrepot" / VERSIONS["entrepot"] / "service-2.json").read_text(encoding="utf-8")


def to_document(token: RobotToken) -> dict[str, Any]:
    """A token as JSON, with what the API says."""
    packed = pack_robot_token(token).items()
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in packed}


def _check(given: dict[str, Any]) -> None:
    shape = service_model("entrepot").operation("CreateRobotToken").input
    if shape is None:
        raise LookupError("CreateRobotToken")
    try:
        compile_shape(shape)(json.loads(json.dumps(given)), "")
    except (ConstraintBroken, WrongType) as error:
        raise _malformed(getattr(error, "path", ""), str(getattr(error, "rule", error))) from error


def _malformed(path: str, rule: str) -> RobotQuestionMalformed:
    """What is wrong at a member of the request, in terms of the command line."""
    member, _, place = path.partition(".")
    which = _OPTIONS.get(member, member) + (f" number {place.partition('.')[0]}" if place else "")
    return RobotQuestionMalformed(f"{which}: {rule}")


def _role_arn(account_id: str, role: str) -> str:
    return role if role.startswith("arn:") else entity_arn(account_id, EntityKind.ROLE, "/", role)


def _read_span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise RobotQuestionMalformed(f"--expires-in {text} is no span of time: name one such as 30m, 12h or 90d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _reserve(file: Path) -> None:
    """Make the file before there is a password that could be lost."""
    try:
        write_private(file, b"", replaces=False)
    except FileExistsError as error:
        raise CommandError(f"{file} is there already: passwords are not written over anything") from error
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error


def _with_tokens(settings: Settings, act: Callable[[RobotTokenService, Registry], Awaitable[T]]) -> T:
    async def work(bench: Workbench) -> T:
        registry = Registry(settings.account_id, settings.region)
        accounts = await IdentityService(bench.database, bench.context, bench.keys).list_accounts()
        if registry.account_id not in {account.id for account in accounts}:
            raise CommandError(f"there is no account {registry.account_id}")
        try:
            return await act(RobotTokenService(bench.database, bench.context), registry)
        except RegistryError as error:
            raise CommandError(fault_of(error, None).message) from error

    return run(settings, work)
