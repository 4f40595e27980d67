"""Explaining: what a request would be answered, asked of a database as requests ask it, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from entrepot.app import workbench
from entrepot.app.aws_policy import AwsPolicyError, load_aws_policies
from entrepot.app.config import Settings
from entrepot.app.question import Question
from entrepot.app.workbench import CommandError, Workbench
from entrepot.auth.authorize import ANY_RESOURCE, Authorizer
from entrepot.auth.condition_key import RequestFacts
from entrepot.auth.credential_limit import check_credential, needs_no_permission
from entrepot.domain.arn import entity_of, repository_of
from entrepot.domain.iam_error import NeverAllowed, SessionNotAccepted
from entrepot.domain.kms import key_name_of
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.policy.evaluate import Case, Decision, Outcome
from entrepot.domain.policy.miss import Miss, misses
from entrepot.domain.principal import Caller, PrincipalKind
from entrepot.domain.registry import partition_of
from entrepot.domain.service_principal import is_source, vouches
from entrepot.service.access import AccessService
from entrepot.service.principal import find_principal
from entrepot.store.metadata.iam_entity import find_entity
from entrepot.store.metadata.identity import find_account
from entrepot.store.metadata.kms_key import find_key
from entrepot.store.metadata.service_principal import list_service_principals
from entrepot.store.metadata.view import view_repository
from entrepot.transport.aws.operation import OPERATIONS
from entrepot.transport.aws.resource import ResourceKind

SOURCE_IP: Final = "127.0.0.1"
"""Where the request comes from, unless the question says."""

IAM_REGION: Final = "us-east-1"
"""Where clients sign for IAM."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A question, what was asked of the policies, and what they say."""

    question: Question
    caller: Caller
    case: Case
    missed: tuple[Miss, ...]
    assumed: dict[str, str]
    """Those that stand for what nobody said, by their names."""
    notes: tuple[str, ...]
    always: tuple[bool, str] | None = None
    """Where policies are not asked: what is answered, and why."""

    @property
    def is_allowed(self) -> bool:
        """What a request would be answered."""
        return self.always[0] if self.always else self.case.decision.is_allowed


def explain(settings: Settings, question: Question) -> Explained:
    """Ask, and say why.

    Raises:
        CommandError: nobody has the name of the principal, or the database cannot be used.
    """
    return workbench.run(settings, lambda bench: explain_bench(bench, question))


async def explain_bench(bench: Workbench, question: Question) -> Explained:
    """The same, on what is open already."""
    now = bench.context.now()
    found = await bench.database.read(lambda connection: find_principal(connection, question.principal, now))
    region = _region(bench.settings, question)
    caller = _asking(found.caller, question, region)
    listener = _listener(bench)
    is_secure = listener.startswith("https:")
    facts = RequestFacts(SOURCE_IP, is_secure, listener, region, parameters=question.context)
    authorizer = Authorizer(AccessService(bench.database, read_aws_policies(bench.settings)), lambda: now)
    case = await authorizer.explain(caller, question.action, question.resource, facts)
    notes = await bench.database.read(
        lambda connection: [*_service_notes(connection, caller), *_notes(connection, question)]
    )
    assumed = {
        "aws:SourceIp": SOURCE_IP,
        "aws:SecureTransport": str(is_secure).lower(),
        "aws:RequestedRegion": region,
        "aws:CurrentTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }
    return Explained(
        question,
        caller,
        case,
        misses(case),
        {name: value for name, value in assumed.items() if name.lower() not in question.context},
        (*([found.remark] if found.remark else []), *notes),
        _always(caller, question, case.decision),
    )


def _asking(caller: Caller, question: Question, region: str) -> Caller:
    """Who asks in a region; a service, for the source that the question names."""
    source = question.context.get("aws:sourcearn", (None,))[0]
    is_service = caller.principal.kind is PrincipalKind.SERVICE
    principal = caller.principal.in_partition(partition_of(region))
    return replace(caller, principal=principal, source_arn=source if is_service else None)


def _service_notes(connection: Connection, caller: Caller) -> list[str]:
    """What is odd about the source of a service."""
    if caller.principal.kind is not PrincipalKind.SERVICE:
        return []
    name, source = caller.principal.arn, caller.source_arn
    if source is None:
        return [f"{name} asks for one source in each request: name it with --context aws:SourceArn=ARN"]
    credentials = list_service_principals(connection, name)
    if is_source(source) and any(vouches(one.source_arns, source) for one in credentials):
        return []
    return [f"no credential of {name} is for {source}: its requests are refused"]


def _always(caller: Caller, question: Question, decision: Decision) -> tuple[bool, str] | None:
    """What is answered whatever policies say."""
    action = question.action
    try:
        check_credential(caller, action, (question.resource,))
    except NeverAllowed as error:
        return False, f"whatever policies say: {error.sentence.rstrip('.')}"
    except SessionNotAccepted:
        return False, "whatever policies say: IAM takes only a user's own key, and this is a session of GetSessionToken"
    if ResourceKind.NONE in _kinds(action):
        return True, f"{action} is open to everybody who has a key: no policy is asked"
    is_open = ResourceKind.CALLER in _kinds(action) or needs_no_permission(caller, action)
    if is_open and decision.outcome is Outcome.IMPLICIT_DENY:
        return True, f"{action} needs no policy that allows it, and no policy says Deny"
    return None


def _kinds(action: str) -> set[ResourceKind]:
    """How the operations that need an action name their resources."""
    return {row.resource for row in OPERATIONS.values() if row.action == action}


def _notes(connection: Connection, question: Question) -> list[str]:
    """What is odd about the resource."""
    arn, kinds = question.resource, _kinds(question.action)
    if arn == ANY_RESOURCE:
        return [] if not kinds or ResourceKind.ANY in kinds else [f"requests of {question.action} name their resources"]
    notes = []
    if kinds == {ResourceKind.ANY} and not arn.endswith(":*"):
        notes.append(f"requests of {question.action} are decided on the resource `*`")
    account_id = arn.split(":")[4]
    if account_id.isdigit() and find_account(connection, account_id) is None:
        return [*notes, f"there is no account {account_id}"]
    return notes + _missing(connection, arn)


def _missing(connection: Connection, arn: str) -> list[str]:
    if repository := repository_of(arn):
        owner, name = repository
        is_there = name == ANY_RESOURCE or view_repository(connection, owner.account_id, owner, name).repository_id
        return [] if is_there else [f"there is no repository {name} in account {owner.account_id}, {owner.region}"]
    entity = entity_of(arn)
    if entity and entity[0].isdigit() and find_entity(connection, *entity) is None:
        return [f"there is no {entity[1].value} {entity[2]} in account {entity[0]}"]
    key = key_name_of(arn)
    if key and find_key(connection, key) is None:
        return [f"there is no {key.alias or f'key {key.key_id}'} in account {key.place.account_id}, {key.place.region}"]
    return []


def _region(settings: Settings, question: Question) -> str:
    if named := question.context.get("aws:requestedregion"):
        return named[0]
    if question.action.startswith("iam:"):
        return IAM_REGION
    return (question.resource.split(":") + [""] * 4)[3] or settings.region


def _listener(bench: Workbench) -> str:
    """The first that the server has, or would have."""
    server = bench.directory.running()
    return server.listeners[0] if server else bench.settings.listeners[0].url


def read_aws_policies(settings: Settings) -> AwsPolicies:
    """AWS's managed policies as the server knows them.

    Raises:
        CommandError: the operator's file cannot be used.
    """
    try:
        return load_aws_policies(settings.aws_policies)
    except AwsPolicyError as error:
        raise CommandError(str(error)) from error
