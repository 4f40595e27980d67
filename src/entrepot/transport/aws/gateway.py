"""The gateway of the AWS planes: every request of a JSON or Query service passes these steps in this order.

    find service and operation → identify the signer → read the body → verify the signature → parse and validate
    → authorise every resource → call the handler → serialise

Order matters: nothing of the body is read for a key, scope or time that cannot be right, and a caller learns
nothing about what exists before the authoriser let them pass.
"""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from entrepot.auth.authenticate import Authenticator
from entrepot.auth.condition_key import RequestFacts, Values
from entrepot.auth.credential_limit import check_credential, needs_no_permission
from entrepot.domain.ec2_error import DryRunSucceeded
from entrepot.domain.error import (
    AccessDenied,
    InvalidSignature,
    MissingAuthentication,
    RegistryError,
    UnrecognizedClient,
)
from entrepot.domain.iam_error import InvalidIdentityToken, NeverAllowed
from entrepot.domain.limit import MIB
from entrepot.domain.registry import Registry
from entrepot.transport.aws.addressee import Addressee, Protocol, answer_fault, find_addressee
from entrepot.transport.aws.budget import ByteBudget, Hold
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.condition_key import keys_of
from entrepot.transport.aws.constraint import constraint_fault
from entrepot.transport.aws.error import (
    Fault,
    RequestFault,
    fault_of,
    internal_failure,
)
from entrepot.transport.aws.model import ServiceModel, known_regions, service_model
from entrepot.transport.aws.operation import OPERATIONS, find_operation
from entrepot.transport.aws.permission import Permission
from entrepot.transport.aws.protocol import ec2, json, query
from entrepot.transport.aws.resource import ResourceKind, Target, target_of
from entrepot.transport.aws.row import BODY_BYTES_MAX, Row
from entrepot.transport.aws.unsigned import UNSIGNED, Opened, may_be_unsigned, open_unsigned, region_of
from entrepot.transport.aws.validate import ConstraintBroken, WrongType, compile_shape
from entrepot.transport.body import BodyBroken
from entrepot.transport.message import BodyTooLarge, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from entrepot.auth.authenticate import Identification
    from entrepot.auth.authorize import Authorizer
    from entrepot.auth.failed_login import FailedLogins
    from entrepot.auth.web_identities import WebIdentities
    from entrepot.domain.passage import Passage
    from entrepot.domain.principal import Caller
    from entrepot.domain.registry_url import RegistryUrl
    from entrepot.service.services import Services

SMALL_BODY_BYTES: Final = 64 * 1024
"""Bodies up to this size are hashed and parsed on the event loop, and never wait behind large ones."""

SMALL_BUDGET_BYTES: Final = 16 * MIB
"""Bytes of small bodies in one worker at a time."""

_COPIES: Final = 2
"""A large body is in memory as bytes and as what was parsed from it."""

_TOO_LARGE: Final = "The request body has more bytes than the operation takes"

_log = structlog.get_logger(__name__)


T = TypeVar("T")


class AwsGateway:
    """Answers requests of the services that we speak; of any other it says so. One per worker."""

    def __init__(
        self,
        services: Services,
        authorizer: Authorizer,
        failed_logins: FailedLogins,
        registry_url: RegistryUrl,
        web_identities: WebIdentities,
    ) -> None:
        self._services = services
        self._authorizer = authorizer
        self._failed_logins = failed_logins
        self._registry_url = registry_url
        self._web_identities = web_identities
        self._authenticator = Authenticator(services.identity, known_regions(), services.context.now)
        self._small = ByteBudget(SMALL_BUDGET_BYTES)
        self._large = ByteBudget()
        self._unsigned = ByteBudget(SMALL_BUDGET_BYTES)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="aws-body")

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request.

        Raises:
            BodyBroken: the connection is of no more use.
        """
        try:
            self._failed_logins.check(request.peer.address)
            return await self._answer(request)
        except RequestFault as error:
            return answer_fault(request, error.fault)
        except RegistryError as error:
            if _is_false(error):
                self._failed_logins.count(request.peer.address)
            return answer_fault(request, fault_of(error, _named_operation(request)))
        except BodyTooLarge:
            return answer_fault(request, Fault("RequestEntityTooLargeException", _TOO_LARGE, 413))
        except BodyBroken:
            raise
        except Exception as error:  # noqa: BLE001 (a border: whatever happened, the caller gets an answer)
            _log_failure(request, error)
            return answer_fault(request, internal_failure())

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        addressee = find_addressee(request)
        row = None if addressee.operation is None else _find_row(addressee, addressee.operation)
        if may_be_unsigned(request, addressee):
            return await self._answer_unsigned(request, addressee)
        signer = await self._authenticator.identify(request, addressee.service.signing_name)
        limit_bytes = BODY_BYTES_MAX if row is None else row.body_bytes_max
        size_bytes = min(_stated_size(request, limit_bytes), limit_bytes)
        is_large = size_bytes > SMALL_BODY_BYTES
        # A small body counts once it is here: who knows a key's id and sends nothing must take nobody's share.
        small = None if is_large else await request.read_body(limit_bytes)
        share = self._large.hold(size_bytes * _COPIES) if small is None else self._small.hold(len(small))
        async with share, self._large.hold(0) as hold:
            body = await request.read_body(limit_bytes) if small is None else small
            run = self._in_thread if is_large else _inline
            opened = await run(lambda: self._open(request, addressee, signer, body))
            self._note_use(opened.caller, signer.claim.region, addressee)
            call = await self._authorise(request, opened, signer.claim.region, hold)
            return await self._call(request, addressee, opened.row, call)

    async def _answer_unsigned(self, request: HttpRequest, addressee: Addressee) -> HttpResponse:
        """Answer a request that brings an issuer's token in the place of a signature.

        They share bytes of their own: whoever waits for a slow issuer takes nobody's who signs.
        """
        body = await request.read_body(SMALL_BODY_BYTES)
        async with self._unsigned.hold(len(body)), self._large.hold(0) as hold:
            row, parameters = _parse(request, addressee, body, known=UNSIGNED)
            opened = await open_unsigned(self._web_identities, row, parameters)
            try:
                call = await self._authorise(request, opened, region_of(request), hold)
                return await self._call(request, addressee, row, call)
            except AccessDenied as error:
                raise NeverAllowed(f"Not authorized to perform {row.action}") from error

    def _open(self, request: HttpRequest, addressee: Addressee, signer: Identification, body: bytes) -> Opened:
        """Verify the signature, then parse and validate."""
        caller = self._authenticator.confirm(request, signer, hashlib.sha256(body).hexdigest())
        return Opened(caller, *_parse(request, addressee, body))

    def _note_use(self, caller: Caller, region: str, addressee: Addressee) -> None:
        """Note when a key, and so perhaps a role, was used, whatever becomes of the request."""
        self._services.iam_access_key.uses.record(caller.access_key_id, region, addressee.service.signing_name)

    async def _authorise(self, request: HttpRequest, opened: Opened, region: str, hold: Hold) -> Call:
        row, caller, parameters = opened.row, opened.caller, opened.parameters
        own = Registry(caller.home, region)
        target = target_of(row.resource, own, parameters, caller.principal)
        identity = opened.web_identity
        keys = keys_of(row.service, row.name, parameters) | (identity.trust_keys() if identity else {})
        passage = await self._services.passage.open(request.peer.gate, request.peer.address)
        facts = _facts(request, region, keys, passage)
        check_credential(caller, row.action, target.arns)
        is_open = row.resource is ResourceKind.CALLER or needs_no_permission(caller, row.action)
        check = self._authorizer.check_unforbidden if is_open else self._authorizer.check
        for action in row.actions(parameters, caller.session):
            await check(caller, action, target.arns_of(action), facts)
        await self._check_beside(opened, own, target, facts)
        if row.service == "ec2" and parameters.get("DryRun"):
            raise DryRunSucceeded
        permission = Permission(self._authorizer, caller, row.action, target.arns, facts)
        services, registry_url = self._services, self._registry_url
        return Call(
            row.name, caller, target.registry, parameters, services, registry_url, hold, permission, passage, identity
        )

    async def _check_beside(self, opened: Opened, own: Registry, target: Target, facts: RequestFacts) -> None:
        """Authorise what an operation needs on other resources, and on its own where that will be."""
        row, caller, parameters = opened.row, opened.caller, opened.parameters
        for other in row.beside:
            asked = replace(facts, parameters=other.keys_of(parameters))
            await self._authorizer.check(caller, other.action, target_of(other.resource, own, parameters).arns, asked)
        if row.new_place:
            path, name = (parameters.get(member) for member in row.new_place)
            await self._authorizer.check_moved(caller, row.action, target.arns[0], (path, name), facts)

    async def _call(self, request: HttpRequest, addressee: Addressee, row: Row, call: Call) -> HttpResponse:
        result = await row.answer(call)
        service, operation = addressee.service, addressee.service.operation(row.name)
        run = self._in_thread if call.hold.held_bytes > MIB else _inline
        match addressee.protocol:
            case Protocol.JSON:
                return await run(lambda: json.serialise(operation, result, request.request_id))
            case Protocol.EC2:
                return await run(lambda: ec2.serialise(service, operation, result, request.request_id))
            case Protocol.QUERY:
                return await run(lambda: query.serialise(service, operation, result, request.request_id))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def preload() -> None:
    """Read the models and compile the validators, so that workers forked afterwards share them. Takes about 30 ms."""
    known_regions()
    for row in OPERATIONS.values():
        shape = service_model(row.service).operation(row.name).input if row.handler else None
        if shape is not None:
            compile_shape(shape)


def _parse(
    request: HttpRequest, addressee: Addressee, body: bytes, known: frozenset[str] | None = None
) -> tuple[Row, dict[str, Any]]:
    """The operation and its validated parameters; without a signature only those `known` are looked at."""
    try:
        if addressee.protocol is Protocol.JSON:
            row = _find_row(addressee, addressee.operation or "")
            raw = json.parse_body(body)
        else:
            form = _read_form(request, body)
            if known is not None and form.get("Action") not in known:
                raise MissingAuthentication
            row = _find_row(addressee, form.get("Action", ""), form.get("Version"))
            naming = ec2.NAMING if addressee.protocol is Protocol.EC2 else query.QUERY
            raw = query.parse_input(addressee.service.operation(row.name).input, form, naming)
        return row, _validate(addressee.service, row.name, raw)
    except WrongType as error:
        raise RequestFault("SerializationException", str(error)) from error


async def _inline(work: Callable[[], T]) -> T:
    return work()


def _is_false(error: RegistryError) -> bool:
    """Whether somebody tried credentials that are not right, and not just old or missing ones."""
    if isinstance(error, InvalidSignature | InvalidIdentityToken):
        return error.is_forged
    return isinstance(error, UnrecognizedClient)


def _named_operation(request: HttpRequest) -> str | None:
    return request.headers.get("X-Amz-Target", "").rpartition(".")[2] or None


def _find_row(addressee: Addressee, name: str, version: str | None = None) -> Row:
    service = addressee.service
    row = find_operation(service.signing_name, name)
    if row is not None and version in (None, service.api_version):
        return row
    shown = name[:128]
    if version not in (None, service.api_version):
        raise RequestFault("UnknownOperationException", f"Could not find operation {shown} for version {version[:32]}")
    if name in service.operation_names:
        raise RequestFault("UnknownOperationException", f"This server does not have the operation {shown} yet")
    raise RequestFault("UnknownOperationException", f"The service has no operation '{shown}'")


def _read_form(request: HttpRequest, body: bytes) -> dict[str, str]:
    try:
        return query.parse_form(request.raw_query if request.method == "GET" else body.decode())
    except UnicodeDecodeError as error:
        raise WrongType("The request body is not UTF-8") from error


def _validate(service: ServiceModel, name: str, raw: dict[str, Any]) -> dict[str, Any]:
    operation = service.operation(name)
    if operation.input is None:
        return {}
    try:
        parameters: dict[str, Any] = compile_shape(operation.input)(raw, "")
    except ConstraintBroken as error:
        raise constraint_fault(service.signing_name, operation, error) from error
    return parameters


def _facts(
    request: HttpRequest, region: str, keys: Mapping[str, Values], passage: Passage | None = None
) -> RequestFacts:
    return RequestFacts(
        source_ip=request.peer.address,
        is_secure=request.peer.is_secure,
        listener=request.peer.listener,
        region=region,
        user_agent=request.headers.get("User-Agent"),
        referer=request.headers.get("Referer"),
        parameters=keys,
        passage=passage,
    )


def _stated_size(request: HttpRequest, unknown_bytes: int) -> int:
    """Bytes of the body by its headers; `unknown_bytes` when it comes in chunks."""
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit():
        return int(length[:20])
    return unknown_bytes if "Transfer-Encoding" in request.headers else 0


def _log_failure(request: HttpRequest, error: Exception) -> None:
    """Log where it happened: no local variables, no parameters of statements, no headers."""
    _log.error(
        "aws request failed",
        request_id=request.request_id,
        target=request.headers.get("X-Amz-Target"),
        error=type(error).__name__,
        reason=str(error).partition("\n")[0][:300],
        stack="".join(traceback.format_tb(error.__traceback__)),
    )
