"""Saved policies: whom a policy names is found when it is saved, and shown as he is called now.

What is kept beside a document is `{"arn:aws:iam::111111111111:user/ana": "AIDA…"}`: each user and role as it was
written, with its unique id.

Spec: IAM user guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.identity_name import IdentityName, keys_of, parse_identity
from entrepot.domain.policy.saved import PrincipalNotFound, SavedPolicy, check_actions, named_identities, with_names
from entrepot.domain.policy.statement import Policy
from entrepot.domain.policy_error import PolicyPrincipalNotFound, PolicyTextInvalid
from entrepot.store.metadata.iam_entity import find_entities, find_identities


def find_principals(connection: Connection, policy: Policy) -> dict[str, str]:
    """Unique ids of the users and roles that a policy names, by the names as they are written.

    Raises:
        PrincipalNotFound: there is no such user or role; the first by name is told.
    """
    named = named_identities(policy)
    found = {key: entity for entity in _find_entities(connection, named.values()) for key in keys_of(entity)}
    ids = dict[str, str]()
    for text, name in named.items():
        entity = found.get(name.key)
        if entity is None or (name.session is not None and entity.kind is not EntityKind.ROLE):
            raise PrincipalNotFound(text)
        ids[text] = name.unique_id(entity)
    return ids


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
    ids = {_entity_id(unique_id) for _, principals in saved for unique_id in principals.values()}
    entities = {entity.id: entity for entity in find_entities(connection, ids)} if ids else {}
    return [
        with_names(
            document,
            {text: _called(text, unique_id, entities) for text, unique_id in principals.items()},
        )
        for document, principals in saved
    ]


def _find_entities(connection: Connection, names: Collection[IdentityName]) -> list[Entity]:
    """At least those that are meant."""
    by_id = [place for account_id, place in (name.key for name in names) if account_id is None]
    by_place = [(account_id, place) for account_id, place in (name.key for name in names) if account_id is not None]
    entities = find_entities(connection, by_id) if by_id else []
    if by_place:
        accounts = {account_id for account_id, _ in by_place}
        entities += find_identities(connection, accounts, {place.rpartition("/")[2] for _, place in by_place})
    return entities


def _called(written: str, unique_id: str, entities: Mapping[str, Entity]) -> str:
    name, entity = parse_identity(written), entities.get(_entity_id(unique_id))
    return unique_id if name is None or entity is None else name.called(entity)


def _entity_id(unique_id: str) -> str:
    """The user's or role's, of what may be that of a session."""
    return unique_id.partition(":")[0]
