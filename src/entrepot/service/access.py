"""Access: the policies that a request meets, compiled once and kept for as long as the access epoch stands.

What belongs to a caller (identity policies, boundary, session policies, tags) is kept under the epoch of the caller's
account, what belongs to a resource under the epoch of its owner. The one metadata read of a request brings both, so a
change holds from the next request on, on every worker; nothing is ever invalidated otherwise.

Spec: IAM user guide, "Policy evaluation logic"; docs/design/policy.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.passage import Passage
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.evaluate import Policies, RegistryScope
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import ANONYMOUS, Subject, federated, root, service, session, user
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.principal import Caller, PrincipalKind
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.compiled_policy import compile_policy, identity_set, saved_set
from entrepot.service.epoch_cache import EpochCache
from entrepot.service.iam.standing import DENY_ALL, Standing, load_managed, load_standing
from entrepot.service.kms.access import KeyAccess
from entrepot.service.resource_access import ResourceAccess, tags_in_lower_case
from entrepot.store.metadata import access as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.ec2_tag import list_ec2_tags
from entrepot.store.metadata.iam_entity import find_entity
from entrepot.store.metadata.iam_tag import list_tags
from entrepot.store.metadata.resource_policy import find_policy
from entrepot.store.metadata.resource_tag import list_resource_tags
from entrepot.store.metadata.schema import repository_policy
from entrepot.store.metadata.view import view_repository
from entrepot.store.metadata.vpc_endpoint import find_endpoint


@dataclass(frozen=True, slots=True, eq=False)
class CallerAccess:
    """What a caller brings to a decision."""

    subject: Subject
    identity: PolicySet
    boundary: PolicySet | None
    session: PolicySet | None
    tags: Mapping[str, str]
    """Of the user or role, overlaid by those of the session; keys in lower case."""
    scope: PolicySet | None = None
    """Of the credential itself."""
    questions: dict[Any, Any] = field(default_factory=dict)
    decisions: dict[Any, Any] = field(default_factory=dict)
    """What was decided already; `auth/authorize.py` knows how."""


class AccessService:
    """Policies of callers and resources, for one worker."""

    def __init__(self, database: Database, aws: AwsPolicies) -> None:
        self._database, self._aws = database, aws
        self._callers = EpochCache[CallerAccess]()
        self._standings = EpochCache[_Compiled]()
        self._registries = EpochCache[ResourceAccess]()
        self._repositories = EpochCache[ResourceAccess]()
        self.keys = KeyAccess(database)

    def kept_caller(self, caller: Caller) -> CallerAccess | None:
        """What belongs to a caller, if it is known at the epoch that the caller has."""
        return self._callers.get(_place_of(caller), caller.epoch)

    async def caller(self, caller: Caller) -> CallerAccess:
        """What belongs to a caller, as of the epoch that the caller has."""
        found = self.kept_caller(caller)
        if found is None:
            found = await self._make_caller(caller)
            self._callers.keep(_place_of(caller), caller.epoch, found)
        return found

    async def repository(self, owner: Registry, epoch: int | None, repository_id: int | None) -> ResourceAccess:
        """What belongs to a repository, or to one that does not exist, as of `epoch` of its owner."""
        if repository_id is None:
            return await self._registry(owner, epoch)
        found = self._repositories.get(repository_id, epoch)
        if found is None:
            found = await self._make_repository(await self._registry(owner, epoch), repository_id)
            self._repositories.keep(repository_id, epoch, found)
        return found

    async def named_repository(self, owner: Registry, name: RepositoryName) -> ResourceAccess:
        """The same by name, for a caller of the owner's account."""
        view = await self._database.lookup(
            lambda connection: view_repository(connection, owner.account_id, owner, name)
        )
        return await self.repository(owner, view.owner_epoch, view.repository_id)

    async def stranger_repository(self, owner: Registry, name: str) -> ResourceAccess:
        """The same for a caller of another account: without a policy for anyone, nothing is looked at (ADR 0013)."""
        epoch = await self._database.lookup(lambda connection: rows.find_epoch(connection, owner.account_id))
        repository_id = await self._database.lookup(
            lambda connection: rows.find_repository_with_policy(connection, owner, name)
        )
        return await self.repository(owner, epoch, repository_id)

    async def entity(self, account_id: str, kind: EntityKind, name: str, *, trusts: bool) -> ResourceAccess | None:
        """What belongs to an entity of IAM; None when there is none. With `trusts`, a role's trust policy decides."""

        def query(connection: Connection) -> ResourceAccess | None:
            entity = find_entity(connection, account_id, kind, name)
            if entity is None:
                return None
            tags = tags_in_lower_case(list_tags(connection, entity.id))
            saved = rows.find_trust_policy(connection, entity.id) if trusts else None
            policy = None if saved is None else saved_set("trust policy", saved, Kind.TRUST)
            return ResourceAccess(account_id, policy, tags=tags, arn=entity.arn, boundary=entity.boundary)

        return await self._database.read(query)

    async def ec2_resource(self, owner: Registry, resource_id: str) -> ResourceAccess:
        """What belongs to something of EC2's, existing or not; of an endpoint that exists, also its service."""

        def query(connection: Connection) -> ResourceAccess:
            endpoint = find_endpoint(connection, resource_id, owner)
            keys = {"ec2:vpceservicename": (endpoint.service_name,)} if endpoint else {}
            tags = list_ec2_tags(connection, owner, resource_id)
            return ResourceAccess(owner.account_id, tags=tags_in_lower_case(tags), keys=keys)

        return await self._database.read(query)

    async def _registry(self, owner: Registry, epoch: int | None) -> ResourceAccess:
        found = self._registries.get(owner, epoch)
        if found is None:
            row = await self._database.lookup(lambda connection: rows.find_registry_access(connection, owner))
            policy = None if row.policy is None else saved_set("registry policy", row.policy, Kind.REGISTRY)
            found = ResourceAccess(
                owner.account_id,
                registry=policy,
                registry_scope=_scope(row.settings),
                is_kept=True,
                epoch=epoch,
            )
            self._registries.keep(owner, epoch, found)
        return found

    async def _make_repository(self, registry: ResourceAccess, repository_id: int) -> ResourceAccess:
        def query(connection: Connection) -> tuple[SavedPolicy | None, dict[str, str]]:
            return (
                find_policy(connection, repository_policy, repository_id),
                list_resource_tags(connection, repository_id),
            )

        saved, tags = await self._database.read(query)
        policy = None if saved is None else saved_set("repository policy", saved, Kind.REPOSITORY)
        return replace(registry, policy=policy, tags=tags_in_lower_case(tags), repository_id=repository_id)

    async def _make_caller(self, caller: Caller) -> CallerAccess:
        principal, held = caller.principal, caller.session
        if principal.kind is PrincipalKind.ROOT:
            return CallerAccess(root(principal.account_id), PolicySet(), None, None, {})
        if principal.kind is PrincipalKind.FEDERATED:
            return CallerAccess(federated(principal.arn), PolicySet(), None, None, {})
        if principal.kind is PrincipalKind.SERVICE:
            return CallerAccess(service(principal.arn), PolicySet(), None, None, {})
        if principal.kind is PrincipalKind.ANONYMOUS:
            return CallerAccess(ANONYMOUS, PolicySet(), None, None, {})
        standing = self._standings.get(principal.unique_id, caller.epoch)
        if standing is None:
            loaded = await self._database.read(lambda c: load_standing(c, self._aws, principal.unique_id))
            standing = _Compiled.of(loaded)
            self._standings.keep(principal.unique_id, caller.epoch, standing)
        limits = await self._session_policies(caller) if held and held.is_limited else None
        tags = {**standing.tags, **(tags_in_lower_case(held.tags) if held else {})}
        return CallerAccess(_subject(caller), standing.identity, standing.boundary, limits, tags, _scope_of(caller))

    async def _session_policies(self, caller: Caller) -> PolicySet:
        held = caller.session
        if held is None:
            raise ValueError(caller.access_key_id)
        arns, account_id = held.policy_arns, caller.account_id

        def query(connection: Connection) -> list[tuple[str, str | None]]:
            return [(arn, load_managed(connection, self._aws, account_id, arn)) for arn in arns]

        managed = await self._database.read(query) if arns else []
        # Nobody can say any more what a deleted policy denied.
        policies = [(arn, compile_policy(text or DENY_ALL, Kind.IDENTITY)) for arn, text in managed]
        if held.policy is not None:  # each session may have another: none of them is kept beyond its session
            policies.append(("session policy", parse_policy(held.policy, Kind.IDENTITY)))
        return PolicySet(policies)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The standing of a user or role, its policies compiled."""

    identity: PolicySet
    boundary: PolicySet | None
    tags: Mapping[str, str]

    @classmethod
    def of(cls, standing: Standing) -> _Compiled:
        boundary = None if standing.boundary is None else identity_set([standing.boundary])
        return cls(identity_set(standing.identity), boundary, tags_in_lower_case(standing.tags))


def _place_of(caller: Caller) -> tuple[str, str, str | None]:
    """Under which a caller is kept.

    The same key belongs to somebody with another ARN in a region of another partition, and one of a service asks for
    many sources, on which decisions depend.
    """
    return caller.access_key_id, caller.principal.arn, caller.source_arn


def policies_of(caller: CallerAccess, resource: ResourceAccess, passage: Passage | None = None) -> Policies:
    """All policies that a decision looks at."""
    return Policies(
        caller.identity,
        caller.boundary,
        caller.session,
        resource.policy,
        resource.registry,
        resource.registry_scope,
        None if passage is None else passage.policy,
        scope=caller.scope,
    )


def _scope_of(caller: Caller) -> PolicySet | None:
    """Of a robot token, by its session's name."""
    if caller.scope is None or caller.session is None:
        return None
    return PolicySet([(caller.session.name or "", compile_policy(caller.scope, Kind.IDENTITY))])


def _subject(caller: Caller) -> Subject:
    principal = caller.principal
    if principal.kind is PrincipalKind.ROLE:
        return session(principal.account_id, principal.arn, principal.identity_arn, principal.unique_id)
    return user(principal.account_id, principal.arn, principal.unique_id)


def _scope(settings: str) -> RegistryScope:
    return RegistryScope(json.loads(settings).get("REGISTRY_POLICY_SCOPE", RegistryScope.V2.value))
