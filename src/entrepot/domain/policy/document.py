"""Policy documents: JSON read as AWS reads it, with what is wrong and where, in the order in which IAM finds it.

Spec: IAM user guide, "Grammar of the IAM JSON policy language"; ECR user guide, "Private repository policies", "Private
registry permissions". Every kind of document has the same grammar; what a kind demands and forbids is in `Kind`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from entrepot.domain.json_document import DocumentInvalid, parse_text_document
from entrepot.domain.limit import POLICY_TEXT_LENGTH_MAX
from entrepot.domain.policy.action import TRUST_ACTIONS, action_pattern, check_action, check_vendor
from entrepot.domain.policy.condition import compile_condition, parse_operator
from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.legacy import is_cut_short, is_date
from entrepot.domain.policy.principal import Principals
from entrepot.domain.policy.resource import PARTITIONS, ArnPattern, check_resource
from entrepot.domain.policy.shape import RawStatement, check_shape, condition_values, each, principal_names
from entrepot.domain.policy.statement import Policy, Statement, Version
from entrepot.domain.policy.template import variables_of


class Need(Enum):
    """Whether a kind of document has an element."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    PROHIBITED = "prohibited"


class _Rules(NamedTuple):
    attached_to: str
    length: int
    """Most characters, white space not counted."""
    principal: Need
    resource: Need
    is_iam: bool = True
    """IAM wants the newer version of the language and alphanumeric statement ids."""
    has_unique_sids: bool = True


class Kind(Enum):
    """Kinds of documents, by what they are attached to."""

    IDENTITY = _Rules("identity", POLICY_TEXT_LENGTH_MAX, Need.PROHIBITED, Need.REQUIRED)
    """Users, groups, roles; boundaries and session policies are of the same form. Each has a length of its own, which
    IAM looks at; AWS's managed policies can be longer than all of them."""
    SERVICE_CONTROL = _Rules("account", 10_240, Need.PROHIBITED, Need.REQUIRED)
    TRUST = _Rules("role", 8_192, Need.REQUIRED, Need.PROHIBITED, is_iam=False)
    REPOSITORY = _Rules("repository", 10_240, Need.REQUIRED, Need.OPTIONAL, is_iam=False, has_unique_sids=False)
    REGISTRY = _Rules("registry", 10_240, Need.REQUIRED, Need.REQUIRED, is_iam=False)
    KEY = _Rules("key", 32_768, Need.REQUIRED, Need.REQUIRED, is_iam=False)
    ENDPOINT = _Rules("endpoint", 20_480, Need.REQUIRED, Need.REQUIRED, is_iam=False)


_Check = Callable[[RawStatement, Kind], None]


def parse_policy(text: str, kind: Kind) -> Policy:
    """Read and compile a document.

    Raises:
        PolicyInvalid: not a document of this kind. What is wrong with any statement in an earlier respect comes
            before what is wrong with another in a later one.
    """
    document = _load(text, kind)
    statements = check_shape(document)
    version = Version(document.get("Version", Version.OLD.value))
    if kind.value.is_iam and version is Version.OLD:
        raise PolicyInvalid(Fault.VERSION, "Version")
    if kind.value.has_unique_sids:
        _check_sids_unique(statements)
    for check in _CHECKS:
        for statement in statements:
            check(statement, kind)
    return Policy(version, tuple(_compile(statement, version) for statement in statements))


def _load(text: str, kind: Kind) -> dict[str, Any]:
    if len(text) > POLICY_TEXT_LENGTH_MAX or len("".join(text.split())) > kind.value.length:
        raise PolicyInvalid(Fault.TOO_LONG, "", found=str(kind.value.length))
    try:
        return parse_text_document(text.encode("utf-8", "surrogatepass"))
    except DocumentInvalid as error:
        cause = error.__cause__
        place = f"line {cause.lineno} column {cause.colno}" if isinstance(cause, json.JSONDecodeError) else error.detail
        raise PolicyInvalid(Fault.JSON if kind is Kind.TRUST else Fault.SYNTAX, place) from error


def _check_sids_unique(statements: list[RawStatement]) -> None:
    seen = set[str]()
    for statement in statements:
        sid = statement.members.get("Sid", "")
        if sid and sid in seen:
            raise PolicyInvalid(Fault.SID_TWICE, f"{statement.position}.Sid")
        seen.add(sid)


def _check_legacy(statement: RawStatement, kind: Kind) -> None:
    """What passes IAM's grammar and fails its older parser: the effect's case, dates, ARNs cut short."""
    if statement.members["Effect"] not in {"Allow", "Deny"}:
        raise PolicyInvalid(Fault.LEGACY, f"{statement.position}.Effect")
    for name, key, values in _conditions(statement):
        if "date" in name.lower() and not all(map(is_date, values)):
            raise PolicyInvalid(Fault.LEGACY, f"{statement.position}.Condition.{name}.{key}")
    for position, resource in _resources(statement):
        if kind.value.is_iam and is_cut_short(resource, PARTITIONS):
            raise PolicyInvalid(Fault.LEGACY, position)


def _check_sid_form(statement: RawStatement, kind: Kind) -> None:
    sid = statement.members.get("Sid", "")
    if kind.value.is_iam and sid and not (sid.isascii() and sid.isalnum()):
        raise PolicyInvalid(Fault.SID_FORM, f"{statement.position}.Sid")


def _check_actions_there(statement: RawStatement, _: Kind) -> None:
    if not list(_actions(statement)):
        raise PolicyInvalid(Fault.NO_ACTION, statement.position)


def _check_vendors(statement: RawStatement, _: Kind) -> None:
    for position, action in _actions(statement):
        check_vendor(action, position)


def _check_resources_there(statement: RawStatement, kind: Kind) -> None:
    need, has = kind.value.resource, bool(statement.members.keys() & {"Resource", "NotResource"})
    if need is Need.PROHIBITED and has:
        raise PolicyInvalid(Fault.RESOURCE_PROHIBITED, statement.position)
    if (need is Need.REQUIRED or has) and not list(_resources(statement)):
        raise PolicyInvalid(Fault.NO_RESOURCE, statement.position)


def _check_resources(statement: RawStatement, kind: Kind) -> None:
    for position, resource in _resources(statement):
        check_resource(resource, position, is_iam=kind.value.is_iam)


def _check_actions(statement: RawStatement, _: Kind) -> None:
    for position, action in _actions(statement):
        check_action(action, position)


def _check_principals(statement: RawStatement, kind: Kind) -> None:
    has = bool(statement.members.keys() & {"Principal", "NotPrincipal"})
    if kind.value.principal is Need.PROHIBITED and has:
        raise PolicyInvalid(Fault.PRINCIPAL_PROHIBITED, statement.position)
    if kind.value.principal is Need.REQUIRED and not has:
        raise PolicyInvalid(Fault.PRINCIPAL_MISSING, statement.position)
    principal_names(statement)


def _check_trust(statement: RawStatement, kind: Kind) -> None:
    if kind is not Kind.TRUST:
        return
    if "NotAction" in statement.members:
        raise PolicyInvalid(Fault.TRUST_ACTION, f"{statement.position}.NotAction")
    for position, action in _actions(statement):
        pattern = action_pattern(action)
        if action == "*" or not any(pattern.matches(known) for known in TRUST_ACTIONS):
            raise PolicyInvalid(Fault.TRUST_ACTION, position)


_CHECKS: tuple[_Check, ...] = (
    _check_legacy,
    _check_sid_form,
    _check_actions_there,
    _check_resources_there,
    _check_vendors,
    _check_resources,
    _check_actions,
    _check_principals,
    _check_trust,
)


def _actions(statement: RawStatement) -> Iterator[tuple[str, str]]:
    return each(statement, "Action", "NotAction")


def _resources(statement: RawStatement) -> Iterator[tuple[str, str]]:
    return each(statement, "Resource", "NotResource")


def _conditions(statement: RawStatement) -> Iterator[tuple[str, str, list[str]]]:
    """Operator, key and values."""
    for name, keys in statement.members.get("Condition", {}).items():
        for key, values in keys.items():
            yield name, key, condition_values(values)


def _compile(statement: RawStatement, version: Version) -> Statement:
    members, variables = statement.members, version is Version.NEW
    resources = tuple(ArnPattern(text, variables=variables) for _, text in _resources(statement))
    return Statement(
        position=statement.position,
        sid=members.get("Sid", ""),
        is_allow=members["Effect"] == "Allow",
        actions=tuple(action_pattern(text) for _, text in _actions(statement)),
        is_action_negated="NotAction" in members,
        principals=_principals(statement),
        resources=resources or None,
        is_resource_negated="NotResource" in members,
        conditions=tuple(
            compile_condition(operator, key, values, variables=variables, name=name)
            for name, key, values in _conditions(statement)
            if (operator := parse_operator(name)) is not None
        ),
        keys=frozenset(_keys(statement, version)),
    )


def _keys(statement: RawStatement, version: Version) -> Iterator[str]:
    texts = [text for _, text in _resources(statement)]
    for _, key, values in _conditions(statement):
        yield key.lower()
        texts.extend(values)
    if version is Version.NEW:
        yield from variables_of(texts)


def _principals(statement: RawStatement) -> Principals | None:
    names = principal_names(statement)
    return Principals(frozenset(names), is_negated="NotPrincipal" in statement.members) if names else None
