"""Decisions: whether policies of all kinds together let somebody do something, and which statements decided.

Spec: IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions boundaries"; STS
API, AssumeRole; KMS developer guide, "Determining access". Any Deny that applies decides. Endpoint and service control
policies and the scope of the credential, where there are any, must allow. Then, by who asks and what for:

- in his own account, his identity policies within boundary and session policy, or a resource's policy, are enough;
- a role's trust policy and a key's policy must allow in any case: what they say to an account is decided by identity
  policies, what they say to a user, role or session stands by itself;
- what is said to a role is limited by boundary and session policy, what is said to its session is not;
- in another account both sides must allow; services and providers' users have no side of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from entrepot.domain.policy.action import IDENTITY_ONLY, REGISTRY_V1_ACTIONS, TRUST_ACTIONS
from entrepot.domain.policy.index import Entry, PolicySet
from entrepot.domain.policy.principal import Grant, Subject
from entrepot.domain.policy.template import Context


class Outcome(Enum):
    """Decisions, as the simulator names them."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


class Layer(Enum):
    """Kinds of policies, as the words of a denial name them."""

    SERVICE_CONTROL = "service control policy"
    ENDPOINT = "VPC endpoint policy"
    RESOURCE = "resource-based policy"
    REGISTRY = "registry policy"
    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SCOPE = "robot token scope"
    """What a credential of ours was made for; more than a session policy, as nothing is allowed beyond it."""


class RegistryScope(Enum):
    """What a registry policy is looked at for."""

    V1 = "V1"
    """Replication, pull through cache and the making of repositories."""
    V2 = "V2"
    """Every action of ECR, but GetAuthorizationToken."""


class Request(NamedTuple):
    """What somebody wants to do."""

    subject: Subject
    action: str
    """Such as `ecr:PutImage`, in any case."""
    resource: str
    """An ARN, or `*` for actions without resources."""
    resource_account_id: str | None
    """Whose the resource is; for `*`, the caller's own."""
    context: Context
    key_grant: Grant = Grant.NONE
    """What a KMS grant on the key says to the caller."""


class Policies(NamedTuple):
    """The policies that a request meets. None: there is no such policy, which only matters for limits."""

    identity: PolicySet = PolicySet()
    boundary: PolicySet | None = None
    session: PolicySet | None = None
    resource: PolicySet | None = None
    """The repository's, the role's trust policy, or the key's."""
    registry: PolicySet | None = None
    registry_scope: RegistryScope = RegistryScope.V2
    endpoint: PolicySet | None = None
    service_control: tuple[PolicySet, ...] = ()
    """One set for each level of the organisation, each of which must allow."""
    scope: PolicySet | None = None
    """Of the credential itself, whatever its session may."""


class Match(NamedTuple):
    """A statement that applied."""

    layer: Layer
    entry: Entry
    grant: Grant

    @property
    def is_allow(self) -> bool:
        """Allow, or else Deny."""
        return self.entry.statement.is_allow


class Decision(NamedTuple):
    """What was decided, by whom, and what else applied."""

    outcome: Outcome
    layer: Layer | None
    """Where it was denied: the kind of the Deny, or the kind that did not allow."""
    decided_by: tuple[Match, ...]
    """The Denies, or the Allows that together were enough; empty if nothing allowed."""
    matched: tuple[Match, ...]
    """Every statement that applied."""

    @property
    def is_allowed(self) -> bool:
        """Whether the request may go on."""
        return self.outcome is Outcome.ALLOWED


class Case(NamedTuple):
    """A decision with all that it was made of."""

    request: Request
    policies: Policies
    decision: Decision


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide one action on one resource."""
    matched = _matches(request, policies)
    denies = tuple([match for match in matched if not match.entry.statement.is_allow])
    if denies:
        return Decision(Outcome.EXPLICIT_DENY, denies[0].layer, denies, matched)
    missing, used = _Votes(request, policies, matched).count()
    if missing:
        return Decision(Outcome.IMPLICIT_DENY, missing, (), matched)
    return Decision(Outcome.ALLOWED, None, tuple([match for match in matched if match.layer in used]), matched)


def _matches(request: Request, policies: Policies) -> tuple[Match, ...]:
    action, subject = request.action.lower(), request.subject
    matched: list[Match] = []
    for layer, policy_set in layers_of(action, policies):
        for entry in policy_set.matching(action, request.resource, request.context):
            statement, grant = entry.statement, Grant.DIRECT
            if statement.principals:
                grant = statement.principals.grant(subject, is_deny=not statement.is_allow)
            if grant:
                matched.append(Match(layer, entry, grant))
    return tuple(matched)


def layers_of(action: str, policies: Policies) -> list[tuple[Layer, PolicySet]]:
    """The kinds of policies that there are and that count for an action (in lower case)."""
    layers = [(Layer.IDENTITY, policies.identity)]
    if policies.resource:
        layers.append((Layer.RESOURCE, policies.resource))
    if policies.registry and _is_in_scope(action, policies.registry_scope):
        layers.append((Layer.REGISTRY, policies.registry))
    if policies.boundary:
        layers.append((Layer.BOUNDARY, policies.boundary))
    if policies.session:
        layers.append((Layer.SESSION, policies.session))
    if policies.endpoint:
        layers.append((Layer.ENDPOINT, policies.endpoint))
    layers.extend([(Layer.SERVICE_CONTROL, level) for level in policies.service_control])
    if policies.scope:
        layers.append((Layer.SCOPE, policies.scope))
    return layers


def _is_in_scope(action: str, scope: RegistryScope) -> bool:
    if scope is RegistryScope.V1:
        return action in REGISTRY_V1_ACTIONS
    return action.startswith("ecr:") and action != IDENTITY_ONLY


# Tuples: they are searched by identity, and a member of an Enum is slow to hash.
_ON_RESOURCE: Final = (Layer.RESOURCE, Layer.REGISTRY)
_LIMITS: Final = (Layer.BOUNDARY, Layer.SESSION)
_ON_CALLER: Final = (Layer.IDENTITY, *_LIMITS)
_CEILING: Final = (Layer.SERVICE_CONTROL, Layer.ENDPOINT, Layer.SCOPE)

_STANDS: Final = Grant.EVERYBODY | Grant.DIRECT
"""What a resource's policy says and nobody else needs to agree to, in one account."""

_Count = tuple[Layer | None, tuple[Layer, ...]]
"""The layer that does not allow, if any, and the layers that were needed."""


class _Votes:
    """The Allows that apply, counted; there is no Deny."""

    __slots__ = ("_allowed", "_matched", "_policies", "_request", "_said")

    def __init__(self, request: Request, policies: Policies, matched: Sequence[Match]) -> None:
        self._request, self._policies, self._matched = request, policies, matched
        self._allowed = [match.layer for match in matched]
        self._said = Grant.NONE
        for match in matched:
            if match.layer in _ON_RESOURCE:
                self._said |= match.grant
        if request.key_grant and _is_of_key(request):
            self._said |= request.key_grant

    def count(self) -> _Count:
        """Count all: the ceiling first."""
        missing, used = self._ceiling() or self._rest()
        return missing, used + _CEILING

    def _ceiling(self) -> _Count | None:
        if self._policies.scope and Layer.SCOPE not in self._allowed:
            return Layer.SCOPE, ()
        if self._policies.endpoint and Layer.ENDPOINT not in self._allowed:
            return Layer.ENDPOINT, ()
        if self._policies.service_control:
            allowing = {match.entry for match in self._matched if match.layer is Layer.SERVICE_CONTROL}
            if any(allowing.isdisjoint(level.entries) for level in self._policies.service_control):
                return Layer.SERVICE_CONTROL, ()
        return None

    def _rest(self) -> _Count:
        request = self._request
        if request.subject.account_id is None:
            return (None if self._said & _STANDS else Layer.RESOURCE), _ON_RESOURCE
        if request.subject.account_id != request.resource_account_id:
            return (self._caller() if self._said else Layer.RESOURCE), _ON_RESOURCE + _ON_CALLER
        if _is_of_role(request):
            return self._by_resource(alone=Grant.DIRECT)
        if _is_of_key(request):
            return self._by_resource(alone=_STANDS)
        return self._by_either()

    def _by_resource(self, alone: Grant) -> _Count:
        """The resource's policy must allow; what it says to none of `alone` needs the caller's side as well."""
        if self._said & alone:
            return None, _ON_RESOURCE
        if self._said & Grant.ROLE:  # where these fail, so does the caller's side
            return self._limits(), _ON_RESOURCE + _LIMITS
        return (self._caller() if self._said else Layer.RESOURCE), _ON_RESOURCE + _ON_CALLER

    def _by_either(self) -> _Count:
        if self._said & _STANDS:
            return None, _ON_RESOURCE
        if self._said & Grant.ROLE and not self._limits():
            return None, _ON_RESOURCE + _LIMITS
        return self._caller(), _ON_CALLER

    def _caller(self) -> Layer | None:
        """What is missing on the caller's side; root needs no policy."""
        if not self._request.subject.is_root and Layer.IDENTITY not in self._allowed:
            return Layer.IDENTITY
        return self._limits()

    def _limits(self) -> Layer | None:
        if self._policies.boundary and Layer.BOUNDARY not in self._allowed:
            return Layer.BOUNDARY
        if self._policies.session and Layer.SESSION not in self._allowed:
            return Layer.SESSION
        return None


def _is_of_role(request: Request) -> bool:
    """Whether a role is to be assumed: its trust policy must allow."""
    return ":role/" in request.resource and request.action.lower() in TRUST_ACTIONS


def _is_of_key(request: Request) -> bool:
    """Whether a KMS key is to be used: its policy, or a grant, must allow."""
    return ":key/" in request.resource and request.action.lower().startswith("kms:")
