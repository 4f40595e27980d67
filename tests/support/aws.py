"""AWS clients of a running registry: one that goes straight to a gateway in the process, and real ones of boto3."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from entrepot.auth.authorize import Authorizer
from entrepot.auth.failed_login import FailedLogins
from entrepot.auth.web_identities import WebIdentities
from entrepot.domain.iam_error import IssuerNotReached
from entrepot.domain.passage import Gate
from entrepot.domain.registry_url import RegistryUrl
from entrepot.domain.web_identity import Provider
from entrepot.transport.aws.gateway import AwsGateway
from entrepot.transport.aws.model import OWN_DATA, VERSIONS
from entrepot.transport.message import HttpRequest, HttpResponse
from tests.support.database import DatabaseAddress
from tests.support.registry import OTHER_ACCOUNT, RunningRegistry, running_registry
from tests.support.shape import check_answer
from tests.support.signing import signed

JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
_METADATA = "ResponseMetadata"
TARGET = "AmazonEC2ContainerRegistry_V20150921"


def botocore_model(service: str) -> ServiceModel:
    """The model as botocore itself reads it."""
    return ServiceModel(Loader([str(OWN_DATA)]).load_service_model(service, "service-2", VERSIONS[service]), service)


MODELS = {service: botocore_model(service) for service in VERSIONS}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and what botocore's parser made of it."""

    response: HttpResponse
    parsed: dict[str, Any]

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def code(self) -> str | None:
        """The error's code; None of a success."""
        error = self.parsed.get("Error", {})
        code: str | None = error.get("Code")
        return code

    @property
    def message(self) -> str:
        text: str = self.parsed["Error"]["Message"]
        return text

    def __getitem__(self, member: str) -> Any:
        if self.status != 200:
            raise AssertionError(self.parsed)
        return self.parsed[member]


@dataclass(frozen=True, slots=True)
class AwsClient:
    """Signs calls as one root user and hands them to the gateway."""

    gateway: AwsGateway
    key: tuple[str, str]
    now: Callable[[], datetime]
    region: str = "us-east-1"
    url: str = "http://127.0.0.1:5000/"
    token: str | None = None
    """Of a temporary key."""
    gate: Gate | None = None
    """The private endpoint that requests come in through."""
    address: str = "127.0.0.1"
    """Where they come from."""

    async def ecr(self, operation: str, **parameters: Any) -> Reply:
        """Call an operation of ECR with what stands in the JSON body."""
        return await self.send(operation, json.dumps(parameters).encode())

    async def kms(self, operation: str, **parameters: Any) -> Reply:
        """Call an operation of KMS with what stands in the JSON body."""
        return await self.send(operation, json.dumps(parameters).encode(), "kms")

    async def entrepot(self, operation: str, **parameters: Any) -> Reply:
        """Call an operation of our own service with what stands in the JSON body."""
        return await self.send(operation, json.dumps(parameters).encode(), "entrepot")

    async def send(self, operation: str, body: bytes, service: str = "ecr") -> Reply:
        """Call an operation of a JSON service with any body."""
        known = MODELS[service]
        headers = {"Content-Type": JSON, "X-Amz-Target": f"{known.metadata['targetPrefix']}.{operation}"}
        model = known.operation_model(operation) if operation in known.operation_names else None
        reply = parse(model, await self.answer(self.sign(service, headers, body)), "json")
        check_reply(model, reply)
        return reply

    async def iam(self, action: str, **parameters: Any) -> Reply:
        """Call an operation of IAM with the parameters that boto3 takes."""
        return await self.query("iam", action, parameters)

    async def sts(self, action: str, **parameters: Any) -> Reply:
        """Call an operation of STS with the parameters that boto3 takes."""
        return await self.query("sts", action, parameters)

    async def ec2(self, action: str, **parameters: Any) -> Reply:
        """Call an operation of EC2 with the parameters that boto3 takes."""
        return await self.query("ec2", action, parameters)

    async def iam_form(self, action: str, **form: str) -> Reply:
        """Call an operation of IAM with any form parameters."""
        return await self.send_form("iam", action, form)

    async def query(self, service: str, action: str, parameters: Mapping[str, Any]) -> Reply:
        """Call an operation of a Query service; an answer that has not the shape of its output is a failure.

        Nobody looks at the parameters before the gateway does.
        """
        model = MODELS[service].operation_model(action) if action in MODELS[service].operation_names else None
        reply = await self.send_form(service, action, form_of(model, parameters, _protocol(service)))
        if reply.status == 200 and model is not None:
            members = {key: value for key, value in reply.parsed.items() if key != _METADATA}
            check_answer(model.output_shape, members)
        return reply

    async def send_form(self, service: str, action: str, form: Mapping[str, str]) -> Reply:
        """Call an operation of a Query service with any form parameters."""
        body = urlencode({"Action": action, "Version": VERSIONS[service], **form}).encode()
        model = MODELS[service].operation_model(action) if action in MODELS[service].operation_names else None
        return parse(model, await self.answer(self.sign(service, {"Content-Type": FORM}, body)), _protocol(service))

    def sign(self, service: str, headers: Mapping[str, str], body: bytes) -> HttpRequest:
        """A POST request of this user."""
        scope = (self.region, service)
        return signed("POST", self.url, self.now(), headers, body, key=self.key, token=self.token, scope=scope)

    async def answer(self, request: HttpRequest) -> HttpResponse:
        peer = replace(request.peer, address=self.address, gate=self.gate)
        return await self.gateway.handle(replace(request, peer=peer, request_id=str(uuid.uuid4())))


def _protocol(service: str) -> str:
    """The form protocol in which a service is asked, whether it is its own or not."""
    return "ec2" if service == "ec2" else "query"


def form_of(operation: OperationModel | None, parameters: Mapping[str, Any], protocol: str = "query") -> dict[str, str]:
    """Parameters as the SDK writes them into a form, and beside them those that the operation does not have."""
    if operation is None or operation.input_shape is None:
        return dict(parameters)
    known = {name: value for name, value in parameters.items() if name in operation.input_shape.members}
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    form: dict[str, str] = serializer.serialize_to_request(known, operation)["body"]
    return form | {name: value for name, value in parameters.items() if name not in known}


COMMON_CODES = frozenset(
    {
        "AccessDeniedException",
        "InternalFailure",
        "InvalidSignatureException",
        "NotAuthorizedException",
        "RequestEntityTooLargeException",
        "SerializationException",
        "ThrottlingException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
"""What any operation may answer, whatever its model declares."""


def check_reply(operation: OperationModel | None, reply: Reply) -> None:
    """Fail unless the answer has the shape of the operation's output, or of an error that it declares."""
    document = json.loads(reply.response.body)
    if reply.status == 200:
        assert operation is not None
        check_answer(operation.output_shape, document)
        return
    declared = {shape.name: shape for shape in operation.error_shapes} if operation else {}
    if document["__type"] in COMMON_CODES:
        assert set(document) == {"__type", "message"}
        return
    code = document.pop("__type")
    if code == "KmsException" and code not in declared:
        # The model has it for pushes only, but nothing else says why a layer has no URL.
        assert set(document) == {"message", "kmsError"}
        return
    shape = declared[code]
    check_answer(shape, document)


def parse(operation: OperationModel | None, response: HttpResponse, protocol: str) -> Reply:
    """Read an answer as the SDK does; unknown members and absent required ones are failures."""
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    shape = operation.output_shape if operation else None
    parsed = botocore.parsers.create_parser(protocol).parse(raw, shape)
    return Reply(response, parsed)


class NoIssuers:
    """There is no web: issuers are known by the keys that an operator gave."""

    async def keys(self, provider: Provider, *, anew: bool = False) -> bytes:
        raise IssuerNotReached(f"{provider.issuer} is away")


@dataclass(frozen=True, slots=True)
class AwsWorld:
    """A running registry as AWS clients see it."""

    registry: RunningRegistry
    gateway: AwsGateway
    client: AwsClient
    """Root of the home account."""
    stranger: AwsClient
    """Root of another account."""

    async def create(self, name: str = "team/app", **parameters: Any) -> str:
        """Make a repository; its name."""
        made = await self.client.ecr("CreateRepository", repositoryName=name, **parameters)
        created: str = made["repository"]["repositoryName"]
        return created


@asynccontextmanager
async def aws_world(address: DatabaseAddress, directory: Path, **settings: Any) -> AsyncIterator[AwsWorld]:
    """Run a registry and clients of two accounts."""
    async with running_registry(address, directory, **settings) as running:
        gateway = AwsGateway(
            running.services,
            Authorizer(running.services.access, running.services.context.now),
            FailedLogins(0, running.services.context.now),
            RegistryUrl("http://127.0.0.1:5000"),
            WebIdentities(running.services.iam_provider, NoIssuers(), running.services.context.now),
        )
        key, other = (running.root_keys[account] for account in (running.home.account_id, OTHER_ACCOUNT))
        now = running.clock.now
        client = AwsClient(gateway, (key.id, key.secret), now)
        yield AwsWorld(running, gateway, client, AwsClient(gateway, (other.id, other.secret), now))


@pytest.fixture
async def aws(database_address: DatabaseAddress, tmp_path: Path) -> AsyncIterator[AwsWorld]:
    """A registry of the test's own and its AWS clients, on each engine."""
    async with aws_world(database_address, tmp_path / "data") as world:
        yield world


@pytest.fixture
async def sqlite_aws(sqlite_address: DatabaseAddress, tmp_path: Path) -> AsyncIterator[AwsWorld]:
    """A registry on SQLite, for what no engine answers differently."""
    async with aws_world(sqlite_address, tmp_path / "data") as world:
        yield world
