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
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import structlog

from entrepot.auth.authenticate import Authenticator
from entrepot.auth.authorize import RequestFacts
from entrepot.domain.error import RegistryError
from entrepot.domain.limit import MIB
from entrepot.domain.registry import Registry
from entrepot.transport.aws.addressee import Addressee, Protocol, answer_fault, find_addressee
from entrepot.transport.aws.budget import ByteBudget, Hold
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.error import RequestFault, fault_of, internal_failure, invalid_parameter
from entrepot.transport.aws.model import OperationModel, known_regions
from entrepot.transport.aws.operation import BODY_BYTES_MAX, Row, find_operation
from entrepot.transport.aws.protocol import json, query
from entrepot.transport.aws.resource import target_of
from entrepot.transport.aws.validate import ConstraintBroken, WrongType, compile_shape
from entrepot.transport.message import BodyTooLarge, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from entrepot.auth.authenticate import Identification
    from entrepot.auth.authorize import Authorizer
    from entrepot.domain.principal import Caller
    from entrepot.domain.registry_url import RegistryUrl
    from entrepot.service.services import Services

SMALL_BODY_BYTES: Final = 64 * 1024
"""Bodies up to this size are hashed and parsed on the event loop, and never wait behind large ones."""

SMALL_BUDGET_BYTES: Final = 16 * MIB
"""Bytes of small bodies in one worker at a time."""

_COPIES: Final = 2
"""A large body is in memory as bytes and as what was parsed from it."""

_log = structlog.get_logger(__name__)


class AwsGateway:
    """Answers requests of the services that we speak; of any other it says so. One per worker."""

    def __init__(self, services: Services, authorizer: Authorizer, registry_url: RegistryUrl) -> None:
        self._services = services
        self._authorizer = authorizer
        self._registry_url = registry_url
        self._authenticator = Authenticator(services.identity, known_regions(), services.context.now)
        self._small = ByteBudget(SMALL_BUDGET_BYTES)
        self._large = ByteBudget()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="aws-body")

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request. Only the end of the connection or of the process is raised."""
        try:
            return await self._answer(request)
        except RequestFault as error:
            return answer_fault(request, error.fault)
        except RegistryError as error:
            return answer_fault(request, fault_of(error, _operation_name(request)))
        except BodyTooLarge:
            text = "The request body has more bytes than the operation takes"
            return answer_fault(request, RequestFault("RequestEntityTooLargeException", text, 413).fault)
        except (OSError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 (a border: whatever it is, the caller gets an answer)
            _log_failure(request, error)
            return answer_fault(request, internal_failure())

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        addressee = find_addressee(request)
        row = None if addressee.operation is None else _find_row(addressee, addressee.operation)
        signer = await self._authenticator.identify(request, addressee.service.signing_name)
        limit_bytes = BODY_BYTES_MAX if row is None else row.body_bytes_max
        size_bytes = _expected_size(request, limit_bytes)
        is_large = size_bytes > SMALL_BODY_BYTES
        bodies = self._large if is_large else self._small
        async with bodies.hold(size_bytes * _COPIES if is_large else size_bytes), self._large.hold(0) as hold:
            body = await request.read_body(limit_bytes)
            caller, row, parameters = await self._on_thread_if(
                is_large, self._verify_and_parse, request, addressee, signer, body
            )
            del body
            call = await self._authorise(request, row, caller, signer.claim.region, parameters, hold)
            return await self._call(row, addressee, call)

    def _verify_and_parse(
        self, request: HttpRequest, addressee: Addressee, signer: Identification, body: bytes
    ) -> tuple[Caller, Row, dict[str, Any]]:
        caller = self._authenticator.confirm(request, signer, hashlib.sha256(body).hexdigest())
        try:
            if addressee.protocol is Protocol.JSON:
                row = _find_row(addressee, addressee.operation or "")
                raw = json.parse_body(body)
            else:
                form = _read_form(request, body)
                row = _find_row(addressee, form.get("Action", ""))
                raw = query.parse_input(addressee.service.operation(row.name).input, form)
            return caller, row, _validate(addressee.service.operation(row.name), raw)
        except WrongType as error:
            raise RequestFault("SerializationException", str(error)) from error

    async def _authorise(
        self,
        request: HttpRequest,
        row: Row,
        caller: Caller,
        region: str,
        parameters: dict[str, Any],
        hold: Hold,
    ) -> Call:
        target = target_of(row.resource, Registry(caller.account_id, region), parameters)
        facts = RequestFacts(
            source_ip=request.peer.address,
            is_secure=request.peer.is_secure,
            listener=request.peer.listener,
            region=region,
            user_agent=request.headers.get("User-Agent"),
            referer=request.headers.get("Referer"),
        )
        further = [action for action, member in row.also if parameters.get(member)]
        for action in (row.action, *further):
            await self._authorizer.check(caller, action, target.arns, facts)
        return Call(row.name, caller, target.registry, parameters, self._services, self._registry_url, hold)

    async def _call(self, row: Row, addressee: Addressee, call: Call) -> HttpResponse:
        assert row.handler is not None
        result = await row.handler(call)
        operation = addressee.service.operation(row.name)
        return result
