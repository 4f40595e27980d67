"""Questions of operators about access, read and checked before anything is opened."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from entrepot.app.workbench import CommandError
from entrepot.auth.authorize import ANY_RESOURCE
from entrepot.auth.condition_key import Values
from entrepot.domain.error import InvalidParameter
from entrepot.domain.policy.action import ACTIONS
from entrepot.domain.registry import Registry
from entrepot.service.principal import FORMS, is_principal

_ARN = re.compile(r"arn:([a-z-]+):([a-z0-9-]+):([a-z0-9-]*):([0-9]{12}|aws|):(.+)", re.DOTALL)


class QuestionMalformed(CommandError):
    """A question that nobody can answer, as a wrong command line."""

    code = 2


@dataclass(frozen=True, slots=True)
class Question:
    """May `principal` do `action` on `resource`, with these condition keys."""

    principal: str
    action: str
    """As AWS writes it."""
    resource: str
    """An ARN or `*`."""
    context: Mapping[str, Values]
    """Keys in lower case."""

    @classmethod
    def read(cls, principal: str, action: str, resource: str, pairs: Sequence[str] = ()) -> Self:
        """From the words of a command line; `pairs` are `KEY=VALUE`, where a key may come several times.

        Raises:
            QuestionMalformed: one of them has not its form, or there is no such action.
        """
        if not is_principal(principal):
            raise QuestionMalformed(f"{principal} is no principal: name {FORMS}")
        return cls(principal, _read_action(action), _read_resource(resource), _read_context(pairs))


def _read_action(text: str) -> str:
    known = {action.lower(): action for action in ACTIONS}
    if text.lower() in known:
        return known[text.lower()]
    if "*" in text or "?" in text:
        raise QuestionMalformed(f"{text} is a pattern of actions: name one action")
    near = difflib.get_close_matches(text.lower(), known, n=1)
    hint = f"; did you mean {known[near[0]]}?" if near else ", such as ecr:PutImage"
    raise QuestionMalformed(f"{text} is no action that this server knows{hint}")


def _read_resource(text: str) -> str:
    if text == ANY_RESOURCE:
        return text
    found = _ARN.fullmatch(text)
    if found is None:
        raise QuestionMalformed(f"{text} is no ARN: name arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, or *")
    partition, service, region, account_id, rest = found.groups()
    if service == "ecr":
        _check_place(text, partition, account_id, region)
    if service == "iam" and region:
        raise QuestionMalformed(f"{text} names a region, which IAM has not: arn:{partition}:iam::{account_id}:{rest}")
    return text


def _check_place(text: str, partition: str, account_id: str, region: str) -> None:
    try:
        owner = Registry.parse(account_id, region)
    except InvalidParameter as error:
        what = "account" if error.field == "registryId" else error.field
        raise QuestionMalformed(f"{text} names no registry: its {what} {error.detail}") from error
    if partition != owner.partition:
        raise QuestionMalformed(f"{text} names no registry: {region} is in the partition {owner.partition}")


def _read_context(pairs: Sequence[str]) -> dict[str, Values]:
    given: dict[str, Values] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or ":" not in key:
            raise QuestionMalformed(f"{pair} is no condition key with a value, such as aws:SourceIp=192.0.2.1")
        given[key.lower()] = (*given.get(key.lower(), ()), value)
    return given
