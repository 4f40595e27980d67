"""Simulation: what policies, of a user, group or role or given with the question, would decide, without doing anything.

Spec: IAM API, SimulateCustomPolicy, SimulatePrincipalPolicy, GetContextKeysForCustomPolicy,
GetContextKeysForPrincipalPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.arn import entity_of
from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.iam_error import EntityNotFound, InvalidInput
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.page import Page, PageRequest, slice_page
from entrepot.domain.policy import principal
from entrepot.domain.policy.context_key import context_keys
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.simulate import Result, Scene, Simulator, Source, SourceType
from entrepot.service.iam.entity import get_entity
from entrepot.service.iam.standing import Standing, load_standing
from entrepot.store.metadata.base import Database

_KINDS: Final = {EntityKind.USER: "User", EntityKind.ROLE: "AssumedRole"}
_ACCOUNT_FIELD: Final = 4
_FIELDS: Final = 6


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be simulated."""

    account_id: str
    """Whose asks."""
    actions: Sequence[str]
    resources: Sequence[str]
    policies: Sequence[str] = ()
    """Documents that count beside those of the user, group or role."""
    boundary: str | None = None
    """A document in the place of the boundary."""
    service_control: Sequence[Sequence[str]] = ()
    resource_policy: str | None = None
    resource_owner: str | None = None
    """An account's id, or the ARN of its root user."""
    caller_arn: str | None = None
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By key in lower case."""
    excluded: frozenset[str] = frozenset()
    """ARNs of managed policies and names of inline ones (`user/mia/NAME`) that do not count."""


class IamSimulationService:
    """Questions about policies."""

    def __init__(self, database: Database, aws: AwsPolicies) -> None:
        self._database, self._aws = database, aws

    async def simulate_custom(self, question: Question, page: PageRequest) -> Page[Result]:
        """What the policies of the question decide of each action on each resource.

        Raises:
            InvalidInput: a document is no policy, or who asks cannot be known.
        """

        def query(_: Connection) -> Page[Result]:
            return _answer(question, _scene(question), page)

        return await self._database.read(query)

    async def simulate_principal(self, source_arn: str, question: Question, page: PageRequest) -> Page[Result]:
        """The same with the policies of a user (and his groups), a group or a role.

        Raises:
            InvalidInput: as of `simulate_custom`, or the ARN names nobody who has policies.
            EntityNotFound: there is no such user, group or role.
        """

        def query(connection: Connection) -> Page[Result]:
            entity = _get_source(connection, question.account_id, source_arn)
            standing = load_standing(connection, self._aws, entity.id)
            return _answer(question, _scene_of(question, entity, standing), page)

        return await self._database.read(query)

    async def context_keys(self, documents: Sequence[str]) -> list[str]:
        """The keys that documents ask for.

        Raises:
            InvalidInput: one of them is no policy.
        """
        return _keys_of(documents)

    async def context_keys_of(self, account_id: str, source_arn: str, documents: Sequence[str]) -> list[str]:
        """The keys that the policies of a user, group or role and further documents ask for.

        Raises:
            InvalidInput: a document is no policy, or the ARN names nobody who has policies.
            EntityNotFound: there is no such user, group or role.
        """

        def query(connection: Connection) -> list[str]:
            entity = _get_source(connection, account_id, source_arn)
            standing = load_standing(connection, self._aws, entity.id)
            return _keys_of([*(text for _, text in standing.identity), *documents])

        return await self._database.read(query)


def _answer(question: Question, scene: Scene, page: PageRequest) -> Page[Result]:
    """Only the questions of the page are decided."""
    try:
        simulator = Simulator(scene)
    except PolicyInvalid as error:
        raise InvalidInput(error.sentence) from error
    pairs = slice_page([(action, resource) for action in question.actions for resource in question.resources], page)
    results = [simulator.ask(action, resource, _owner(question, scene, resource)) for action, resource in pairs.items]
    return Page(results, pairs.next_key)


def _scene(question: Question) -> Scene:
    if question.resource_policy is not None and question.caller_arn is None:
        raise InvalidInput("CallerArn is required if ResourcePolicy is given and no user's policies are simulated.")
    subject = principal.user(question.account_id, "")
    if question.caller_arn is not None:
        subject = _subject(question.caller_arn)
    boundary, resource = question.boundary, question.resource_policy
    return Scene(
        subject,
        identity=_inputs("PolicyInputList", question.policies),
        boundary=_input("PermissionsBoundaryPolicyInputList.1", boundary) if boundary is not None else None,
        resource=Source("ResourcePolicy", SourceType.RESOURCE, resource) if resource is not None else None,
        service_control=[
            _inputs(f"OrderedOrganizationPolicyInputList.{number}.ServiceControlPolicyInputList", level)
            for number, level in enumerate(question.service_control, 1)
        ],
        context=question.context,
    )


def _scene_of(question: Question, entity: Entity, standing: Standing) -> Scene:
    if question.caller_arn is None and entity.kind is not EntityKind.GROUP:
        question = replace(question, caller_arn=entity.arn)
    scene = _scene(question)
    identity = [_source(name, text) for name, text in standing.identity if name not in question.excluded]
    boundary = scene.boundary
    if boundary is None and standing.boundary is not None and standing.boundary[0] not in question.excluded:
        boundary = _source(*standing.boundary)
    own = _own_context(entity, standing.tags)
    return replace(scene, identity=[*identity, *scene.identity], boundary=boundary, context={**own, **question.context})


def _own_context(entity: Entity, tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What is known of who asks."""
    kind = _KINDS.get(entity.kind)
    if kind is None:
        return {}
    known = {"principalaccount": entity.account_id, "principalarn": entity.arn, "principaltype": kind}
    if entity.kind is EntityKind.USER:
        known |= {"username": entity.name, "userid": entity.id}
    known |= {f"principaltag/{key.lower()}": value for key, value in tags.items()}
    return {f"aws:{key}": (value,) for key, value in known.items()}


def _owner(question: Question, scene: Scene, resource: str) -> str | None:
    """Whose a resource is; without its policy nobody but the caller is asked."""
    if question.resource_policy is None:
        return scene.subject.account_id
    fields = resource.split(":", _FIELDS - 1)
    of_arn = fields[_ACCOUNT_FIELD] if len(fields) == _FIELDS else ""
    return of_arn or _account(question.resource_owner) or scene.subject.account_id


def _account(owner: str | None) -> str | None:
    return owner.split(":")[_ACCOUNT_FIELD] if owner and owner.count(":") >= _ACCOUNT_FIELD else owner


def _subject(arn: str) -> principal.Subject:
    fields = arn.split(":", _FIELDS - 1)
    if len(fields) == _FIELDS and fields[2] in ("iam", "sts"):
        account_id, resource = fields[_ACCOUNT_FIELD], fields[5]
        kind, _, rest = resource.partition("/")
        if resource == "root":
            return principal.root(account_id)
        if kind == "user" and rest:
            return principal.user(account_id, arn)
        if kind == "role" and rest:
            return principal.session(account_id, "", arn)
        if kind == "assumed-role" and "/" in rest:
            role_arn = f"arn:{fields[1]}:iam::{account_id}:role/{rest.partition('/')[0]}"
            return principal.session(account_id, arn, role_arn)
    raise InvalidInput(f"Invalid caller ARN: {arn}")


def _get_source(connection: Connection, account_id: str, arn: str) -> Entity:
    named = entity_of(arn)
    if named is None or named[1] is EntityKind.POLICY:
        raise InvalidInput(f"ARN {arn} is not valid.")
    if named[0] != account_id:
        raise EntityNotFound(named[1].value, named[2])
    return get_entity(connection, *named)


def _source(name: str, document: str) -> Source:
    """A policy as it counts for somebody: a managed one by ARN, an inline one by whose it is."""
    if name.startswith("arn:"):
        kind = SourceType.AWS if name.startswith("arn:aws:iam::aws:") else SourceType.MANAGED
        return Source(name.rpartition("/")[2], kind, document)
    return Source(name.replace("/", "_"), name.partition("/")[0], document)


def _inputs(name: str, documents: Iterable[str]) -> list[Source]:
    return [_input(f"{name}.{number}", document) for number, document in enumerate(documents, 1)]


def _input(name: str, document: str) -> Source:
    return Source(name, SourceType.NONE, document)


def _check(document: str) -> None:
    try:
        parse_policy(document, Kind.IDENTITY)
    except PolicyInvalid as error:
        raise InvalidInput(error.sentence) from error


def _keys_of(documents: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for document in documents:
        _check(document)
        for key in context_keys(document):
            found.setdefault(key.lower(), key)
    return list(found.values())
