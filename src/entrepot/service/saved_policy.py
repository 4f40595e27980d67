"""Saved policies: whom a policy names is found when it is saved, and shown as he is called now.

What is kept beside a document is `{"arn:aws:iam::111111111111:user/ana": "AIDA…"}`: each user and role as it was
written, with its unique id.

Spec: IAM user guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.saved import PrincipalNotFound, SavedPolicy, check_actions, named_identities, with_names
from entrepot.domain.policy.statement import Policy
from entrepot.domain.policy_error import PolicyPrincipalNotFound, PolicyTextInvalid
from entrepot.store.metadata.iam_entity import find_entities

_IDENTITIES = (EntityKind.USER, EntityKind.ROLE)


def find_principals(connection: Connection, policy: Policy) -> dict[str, str]:
    """Unique ids of the users and roles that a policy names, by the names as they are written.

    Raises:
        PrincipalNotFound: there is no such user or role; the first by name is told.
    """
    named = sorted(named_identities(policy))
    if not named:
        return {}
    entities = find_entities(connection, named, [name.rpartition("/")[2] for name in named])
    ids = {name: entity.id for entity in entities if entity.kind in _IDENTITIES for name in (entity.id, entity.arn)}
    for name in named:
        if _in_aws(name) not in ids:
            raise PrincipalNotFound(name)
    return {name: ids[_in_aws(name)] for name in named}


def to_be_saved(connection: Connection, text: str, kind: Kind, decided: frozenset[str]) -> tuple[SavedPolicy, Policy]:
    """Check a policy of one of ECR's resources, which decides the actions `decided` (in lower case); also compiled.

    Raises:
        PolicyTextInvalid: not a policy of its kind, or it speaks of other actions.
        PolicyPrincipalNotFound: it names a user or role that does not exist.
    """
    try:
        policy = parse_policy(text, kind)
        check_actions(policy, decided)
        return SavedPolicy(text, find_principals(connection, policy)), policy
    except PrincipalNotFound as error:
        raise PolicyPrincipalNotFound(error.name) from error
    except PolicyInvalid as error:
        raise PolicyTextInvalid(kind.value.attached_to, str(error)) from error


def show(connection: Connection, document: str, principals: Mapping[str, str]) -> str:
    """A saved document with the ARNs of today; the unique id stands for a user or role that is deleted."""
    return show_all(connection, [(document, principals)])[0]


def show_all(connection: Connection, saved: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    """Several documents, each with its principals, after one look at all of their users and roles."""
    ids = {unique_id for _, principals in saved for unique_id in principals.values()}
    entities = {entity.id: entity for entity in find_entities(connection, ids)} if ids else {}
    return [
        with_names(
            document,
            {name: _called(name, unique_id, entities.get(unique_id)) for name, unique_id in principals.items()},
        )
        for document, principals in saved
    ]


def _called(written: str, unique_id: str, entity: Entity | None) -> str:
    if entity is None:
        return unique_id
    fields = written.split(":")
    return ":".join(["arn", fields[1], *entity.arn.split(":")[2:]]) if len(fields) > 1 else entity.arn


def _in_aws(name: str) -> str:
    """ARNs of one entity differ by partition only; IAM's own are in `aws`."""
    fields = name.split(":")
    return ":".join(["arn", "aws", *fields[2:]]) if len(fields) > 1 else name
