"""Saved policies: documents name users and roles by ARN, what is decided with them names them by unique id.

An ARN is looked up when its document is saved. Who is made later under the same name is another and gains nothing.

Spec: IAM user guide, "AWS JSON policy elements: Principal": ARNs of users and roles become unique ids when the policy
is saved, and are shown as ARNs again; the id shows once its user or role is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from entrepot.domain.policy.fault import Fault, PolicyInvalid
from entrepot.domain.policy.identity_name import IdentityName, parse_identity
from entrepot.domain.policy.principal import Kind, Principals
from entrepot.domain.policy.statement import Policy, Statement

_MEMBERS: Final = ("Principal", "NotPrincipal")


@dataclass(frozen=True, slots=True)
class SavedPolicy:
    """A document as it was written, and the unique ids of the users and roles that it names, by those names."""

    document: str
    principals: Mapping[str, str]


class PrincipalNotFound(PolicyInvalid):
    """A policy names a user or role that does not exist; `name` is the ARN or unique id as it was written."""

    def __init__(self, name: str) -> None:
        super().__init__(Fault.PRINCIPAL_FORM, "", kind=Kind.AWS.value, found=name)
        self.name = name


def check_actions(policy: Policy, decided: frozenset[str]) -> None:
    """Check that each Action means at least one of the actions that policies of its kind decide, in lower case.

    It is checked only when a policy is saved: a policy that was saved stays valid, whatever is decided later.

    Raises:
        PolicyInvalid: an action of another service, or of none that is known.
    """
    for statement in policy.statements:
        for index, pattern in enumerate(() if statement.is_action_negated else statement.actions):
            if not any(pattern.matches(action) for action in decided):
                raise PolicyInvalid(Fault.FOREIGN_ACTION, f"{statement.position}.Action[{index}]")


def named_identities(policy: Policy) -> dict[str, IdentityName]:
    """Users, roles and roles' sessions that its principals name, by the names as they are written, in their order."""
    texts = {
        text
        for statement in policy.statements
        if statement.principals
        for kind, text in statement.principals.names
        if kind is Kind.AWS
    }
    return {text: name for text in sorted(texts) if (name := parse_identity(text)) is not None}


def with_unique_ids(policy: Policy, ids: Mapping[str, str]) -> Policy:
    """The policy as it is decided with: each name in `ids` replaced by its unique id."""
    return replace(policy, statements=tuple(_with_ids(statement, ids) for statement in policy.statements))


def with_names(document: str, names: Mapping[str, str]) -> str:
    """A saved document as it is shown: principals replaced where `names` has others, all else as it was written."""
    if all(name == now for name, now in names.items()):
        return document
    content = json.loads(document)
    statements = content["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for member in _MEMBERS:
            if isinstance(statement.get(member), dict):
                _rename(statement[member], names)
    return json.dumps(content)


def _with_ids(statement: Statement, ids: Mapping[str, str]) -> Statement:
    if statement.principals is None:
        return statement
    names = frozenset((kind, ids.get(text, text)) for kind, text in statement.principals.names)
    return replace(statement, principals=Principals(names, statement.principals.is_negated))


def _rename(principals: dict[str, Any], names: Mapping[str, str]) -> None:
    written = principals.get(Kind.AWS.value)
    if isinstance(written, str):
        principals[Kind.AWS.value] = names.get(written, written)
    elif written is not None:
        principals[Kind.AWS.value] = [names.get(text, text) for text in written]
