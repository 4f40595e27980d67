"""Authorisation: may this caller do this action on these resources.

Every request of both planes passes `check` with its action and every resource it names. What each policy means is
`domain/policy`'s; here it is decided which policies a request meets, and what the condition keys are.

Spec: docs/design/policy.md; SECURITY of the design, "Decisions": without permission the answer is the same whether the
resource exists or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from entrepot.auth.condition_key import CLOCK_KEYS, Facts, RequestContext, reader_of
from entrepot.domain.arn import account_of, ec2_resource_of, entity_of, moved_arn, repository_of
from entrepot.domain.error import AccessDenied
from entrepot.domain.iam import EntityKind
from entrepot.domain.kms import key_name_of
from entrepot.domain.managed_policy import AWS_ACCOUNT
from entrepot.domain.policy.action import ALIAS_ACTIONS, KEY_ACTIONS_FOR_ALL, TRUST_ACTIONS
from entrepot.domain.policy.evaluate import Case, Decision, Layer, Outcome, Policies, Request, evaluate
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import Grant
from entrepot.service.access import CallerAccess, policies_of
from entrepot.service.resource_access import ResourceAccess

if TYPE_CHECKING:
    from entrepot.domain.kms import KeyName
    from entrepot.domain.passage import Passage
    from entrepot.domain.principal import Caller
    from entrepot.domain.registry import Registry
    from entrepot.domain.view import RepositoryView
    from entrepot.service.access import AccessService

ANY_RESOURCE: Final = "*"
DECISIONS_MAX: Final = 4_096
"""Decisions that a worker remembers for each caller."""

_OF_EVERYBODY: Final = frozenset(
    {
        "iam:getpolicy",
        "iam:getpolicyversion",
        "iam:listentitiesforpolicy",
        "iam:listpolicytags",
        "iam:listpolicyversions",
    }
)
"""What can be asked of AWS's managed policies, as if they belonged to whoever asks; nothing changes them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """One action on one resource."""

    readers: tuple[Callable[[Facts], object], ...]
    """What reads that of a request on which the decision depends: the rest every such request has in common."""
    is_lasting: bool
    """Whether the same can come again: not if the time counts."""

    def values(self, facts: Facts) -> tuple[object, ...]:
        """What decides beside the policies."""
        return tuple([read(facts) for read in self.readers])


class Authorizer:
    """Decides for one worker, and remembers decisions for as long as caller's and owner's access epochs stand."""

    def __init__(self, access: AccessService, now: Callable[[], datetime]) -> None:
        self._access, self._now = access, now

    def recalls(self, caller: Caller, action: str, facts: Facts, view: RepositoryView) -> bool:
        """Whether the caller was let do `action` to the repository of `view` before, and all that counts is the same.

        What a pull costs, again and again: a look into two tables. What is not known here, `check` decides.
        """
        holder = self._access.kept_caller(caller)
        passage = facts.passage
        endpoint = passage and passage.key
        question = holder and holder.questions.get((action, view.repository_id, view.owner_epoch, endpoint))
        if not holder or not question or not question.is_lasting:
            return False
        decision = holder.decisions.get((question, question.values(facts)))
        return decision is not None and decision.is_allowed

    async def check(
        self,
        caller: Caller,
        action: str,
        resource_arns: Iterable[str],
        facts: Facts,
        view: RepositoryView | None = None,
    ) -> None:
        """Let the request pass if `action`, such as `ecr:PutImage`, is allowed on every resource.

        With the `view` of the one repository that is named, nothing is read that is known already.

        Raises:
            AccessDenied: for the first resource on which it is not.
        """
        for arn in resource_arns:
            decision = await self.decide(caller, action, arn, facts, view)
            if not decision.is_allowed:
                raise _denied(caller, action, arn, await self._told(caller, action, arn, facts, decision))

    async def check_granted(self, caller: Caller, action: str, arn: str, granted: Grant, facts: Facts) -> None:
        """Let the request pass if what a grant says to the caller of itself is enough, or the key's policy allows.

        A grant is its holder's, whoever has the key: he needs of his own account only what he would need for its keys.

        Raises:
            AccessDenied
        """
        holder, resource = await self._access.caller(caller), await self._resource(caller, action, arn, None)
        context = self._context(caller, facts, holder, resource)
        held = replace(resource, account_id=caller.account_id) if granted else resource
        decision = _evaluate(holder, held, action, arn, context, granted).decision
        if not decision.is_allowed:
            raise _denied(caller, action, arn, await self._told(caller, action, arn, facts, decision))

    async def check_elsewhere(self, caller: Caller, action: str, arn: str, own: Registry, facts: Facts) -> None:
        """Let the request pass if the caller's own policies allow `action` on a KMS key that another server has.

        `own` is the caller's account in the region.

        Raises:
            AccessDenied
        """
        holder, resource = await self._access.caller(caller), self._access.keys.elsewhere(own)
        context = self._context(caller, facts, holder, resource)
        decision = _evaluate(holder, resource, action, arn, context).decision
        if not decision.is_allowed:
            raise _denied(caller, action, arn, decision)

    async def check_unforbidden(self, caller: Caller, action: str, resource_arns: Iterable[str], facts: Facts) -> None:
        """Let the request pass unless a Deny applies: for what nobody needs to be allowed.

        Raises:
            AccessDenied: for the first resource on which one does.
        """
        for arn in resource_arns:
            decision = await self.decide(caller, action, arn, facts)
            if decision.outcome is Outcome.EXPLICIT_DENY:
                raise _denied(caller, action, arn, await self._told(caller, action, arn, facts, decision))

    async def check_moved(
        self, caller: Caller, action: str, arn: str, place: tuple[str | None, str | None], facts: Facts
    ) -> None:
        """Let the request pass if `action` is also allowed on an entity of IAM at its new path and name, if it has any.

        Of an entity that is not there nothing is asked: nothing moves.

        Raises:
            AccessDenied: it is not.
        """
        resource = await self._resource(caller, action, arn, None)
        if resource.arn is None:
            return
        moved = moved_arn(resource.arn, *place)
        holder = await self._access.caller(caller)
        context = self._context(caller, facts, holder, resource)
        decision = _evaluate(holder, resource, action, moved, context).decision
        if not decision.is_allowed:
            raise _denied(caller, action, moved, decision)

    async def lacks_only_a_grant(
        self, caller: Caller, action: str, arn: str, facts: Facts, view: RepositoryView
    ) -> bool:
        """Whether nothing is against what nothing allows: no Deny, and no limit that would have to allow it too."""
        decision = await self.decide(caller, action, arn, facts, view)
        return decision.outcome is Outcome.IMPLICIT_DENY and decision.layer is Layer.RESOURCE

    async def decide(
        self, caller: Caller, action: str, arn: str, facts: Facts, view: RepositoryView | None = None
    ) -> Decision:
        """Decide one action on one resource, whose ARN may lack the path of an entity of IAM."""
        holder = await self._access.caller(caller)
        resource = await self._resource(caller, action, arn, view)
        context = self._context(caller, facts, holder, resource)
        if granted := await self._granted(caller, action, resource, context):
            return _evaluate(holder, resource, action, resource.arn or arn, context, granted).decision
        if resource.is_kept:
            return _recall(holder, resource, action, arn, context)
        return _evaluate(holder, resource, action, resource.arn or arn, context).decision

    async def _told(self, caller: Caller, action: str, arn: str, facts: Facts, decision: Decision) -> Decision:
        """The denial that the caller may hear of: the one that there would be if nothing of that name existed, if any.

        Policy and tags of a resource show in the reason of a denial only to those whom nothing else keeps out.
        """
        holder = await self._access.caller(caller)
        bare = (await self._resource(caller, action, arn, None)).bare()
        context = self._context(caller, facts, holder, bare)
        without = _evaluate(holder, bare, action, arn, context).decision
        return decision if without.is_allowed else without

    async def explain(self, caller: Caller, action: str, arn: str, facts: Facts) -> Case:
        """Decide as `decide` does, from nothing that is remembered; with the policies and keys that were asked."""
        holder = await self._access.caller(caller)
        resource = await self._resource(caller, action, arn, None)
        context = self._context(caller, facts, holder, resource)
        granted = await self._granted(caller, action, resource, context)
        return _evaluate(holder, resource, action, resource.arn or arn, context, granted)

    async def _granted(self, caller: Caller, action: str, resource: ResourceAccess, context: RequestContext) -> Grant:
        """What grants on a KMS key say to the caller."""
        if resource.arn is None or action.lower() not in KEY_ACTIONS_FOR_ALL:
            return Grant.NONE
        key = key_name_of(resource.arn)
        if key is None or key.key_id is None:
            return Grant.NONE
        return await self._access.keys.granted(caller, key.key_id, action, context)

    def _context(self, caller: Caller, facts: Facts, holder: CallerAccess, resource: ResourceAccess) -> RequestContext:
        belongs = resource.account_id, resource.tags, resource.keys
        return RequestContext(caller, facts, self._now(), holder.tags, *belongs)

    async def may_with(
        self, caller: Caller, action: str, resource_arns: Iterable[str], facts: Facts, policy: PolicySet
    ) -> bool:
        """Whether `action` would be allowed on every resource if `policy` stood in the place of its own."""
        holder = await self._access.caller(caller)
        for arn in resource_arns:
            resource = replace(await self._resource(caller, action, arn, None), policy=policy)
            context = self._context(caller, facts, holder, resource)
            if not _evaluate(holder, resource, action, resource.arn or arn, context).decision.is_allowed:
                return False
        return True

    async def _resource(self, caller: Caller, action: str, arn: str, view: RepositoryView | None) -> ResourceAccess:
        if arn == ANY_RESOURCE:
            return ResourceAccess(caller.home)
        if repository := repository_of(arn):
            owner, name = repository
            if view is not None:
                return await self._access.repository(owner, view.owner_epoch, view.repository_id)
            if caller.account_id != owner.account_id:
                return await self._access.stranger_repository(owner, name)
            return await self._access.named_repository(owner, name)
        return await self._resource_by_arn(caller, action, arn)

    async def _resource_by_arn(self, caller: Caller, action: str, arn: str) -> ResourceAccess:
        if entity := entity_of(arn):
            return await self._entity(caller, action, entity)
        if named := ec2_resource_of(arn):
            return await self._access.ec2_resource(*named)
        if key := key_name_of(arn):
            return await self._key(caller, action.lower(), key)
        return ResourceAccess(account_of(arn))

    async def _key(self, caller: Caller, action: str, name: KeyName) -> ResourceAccess:
        if name.alias is not None and action in ALIAS_ACTIONS:
            return ResourceAccess(name.place.account_id)
        if caller.account_id != name.place.account_id and action not in KEY_ACTIONS_FOR_ALL:
            return ResourceAccess(name.place.account_id, PolicySet())
        return await self._access.keys.find(name)

    async def _entity(self, caller: Caller, action: str, entity: tuple[str, EntityKind, str]) -> ResourceAccess:
        if entity[0] == AWS_ACCOUNT:
            return ResourceAccess(caller.account_id if action.lower() in _OF_EVERYBODY else AWS_ACCOUNT)
        trusts = action.lower() in TRUST_ACTIONS
        found = await self._access.entity(*entity, trusts=trusts)
        return found or ResourceAccess(entity[0], PolicySet() if trusts else None)


def _recall(holder: CallerAccess, resource: ResourceAccess, action: str, arn: str, context: RequestContext) -> Decision:
    """The decision, remembered if the condition keys that matter had the same values before."""
    question = _question(holder, resource, action, arn, context.facts.passage)
    if not question.is_lasting:
        return _evaluate(holder, resource, action, arn, context).decision
    place = question, question.values(context.facts)
    decision: Decision | None = holder.decisions.get(place)
    if decision is None:
        decision = _evaluate(holder, resource, action, arn, context).decision
        _remember(holder.decisions, place, decision)
    return decision


def _question(
    holder: CallerAccess, resource: ResourceAccess, action: str, arn: str, passage: Passage | None
) -> _Question:
    """Kept by the id of the repository, or by the ARN of what has none, by the epoch of its owner, and by endpoint."""
    place = action, resource.repository_id or arn, resource.epoch, passage and passage.key
    known: _Question | None = holder.questions.get(place)
    if known is None:
        sets = _sets(policies_of(holder, resource, passage))
        keys = frozenset[str]().union(*(one.keys(action.lower()) for one in sets))
        known = _Question(tuple(filter(None, map(reader_of, keys))), not keys & CLOCK_KEYS)
        _remember(holder.questions, place, known)
    return known


def _remember(memory: dict[Any, Any], place: Any, value: Any) -> None:
    if len(memory) >= DECISIONS_MAX:
        memory.clear()
    memory[place] = value


def _sets(policies: Policies) -> Iterable[PolicySet]:
    return [one for one in policies if isinstance(one, PolicySet)]


def _evaluate(
    holder: CallerAccess,
    resource: ResourceAccess,
    action: str,
    arn: str,
    context: RequestContext,
    granted: Grant = Grant.NONE,
) -> Case:
    request = Request(holder.subject, action, arn, resource.account_id, context, granted)
    policies = policies_of(holder, resource, context.facts.passage)
    return Case(request, policies, evaluate(request, policies))


def _denied(caller: Caller, action: str, arn: str, decision: Decision) -> AccessDenied:
    layer = decision.layer.value if decision.layer else None
    is_explicit = bool(decision.decided_by)
    return AccessDenied(caller.principal.arn, action, arn, layer, is_explicit=is_explicit)
