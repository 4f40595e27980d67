"""Every member of every operation of the Query services that we have, with forms that no client would send.

What is wrong must be told as such, with a code of the operation's model or one that all operations have; nothing may
break. Lengths, values and characters are compared in `tests/wire`; here the forms themselves are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.model import OperationModel

from entrepot.transport.aws.operation import OPERATIONS
from tests.support.aws import MODELS, AwsWorld

WORKING = sorted((row.service, row.name) for row in OPERATIONS.values() if row.service != "ecr" and row.handler)
COMMON = {
    "DryRunOperation",
    "InvalidGroupId.Malformed",
    "InvalidID",
    "InvalidNetworkInterfaceId.Malformed",
    "InvalidParameter",
    "InvalidParameterValue",
    "InvalidRouteTableId.Malformed",
    "InvalidServiceName",
    "InvalidSubnetId.Malformed",
    "InvalidVpcEndpointId.Malformed",
    "InvalidVpcId.Malformed",
    "MalformedQueryString",
    "MissingParameter",
    "UnauthorizedOperation",
    "AccessDenied",
    "InvalidAction",
    "InvalidClientTokenId",
    "InvalidInput",
    "MalformedInput",
    "Throttling",
    "ValidationError",
}
VALUES = [
    "",
    "x",
    "é\U0001f600",
    "a\x00b",
    "-1",
    "0",
    "99999999999999999999",
    "1e9",
    "true",
    "TRUE",
    "{",
    "%",
    "a" * 70_000,
]


def ec2_forms(operation: OperationModel) -> Iterator[dict[str, str]]:
    """The same with the names that EC2 has for members and items."""
    for name, shape in operation.input_shape.members.items():
        called = shape.serialization.get("name", name)
        called = called[0].upper() + called[1:]
        for value in VALUES:
            yield {called: value}
            yield {f"{called}.1": value}
            yield {f"{called}.1.Name": value, f"{called}.1.Value.1": value}
            yield {f"{called}.1.Key": value, f"{called}.1.Value": value}
        yield {f"{called}.2": "x"}
        yield {f"{called}.1": "x", f"{called}.1.1": "x"}


def forms(operation: OperationModel) -> Iterator[dict[str, str]]:
    """Forms that are wrong in one member, or in themselves."""
    yield {}
    if operation.service_model.signing_name == "ec2":
        yield from ec2_forms(operation)
    yield {"Unknown": "x", "Tags.member.1": "x"}
    for name in operation.input_shape.members if operation.input_shape else ():
        for value in VALUES:
            yield {name: value}
            yield {f"{name}.member.1": value}
            yield {f"{name}.member.1.Key": value, f"{name}.member.1.Value": value}
        yield {f"{name}.member.2": "x"}
        yield {f"{name}.member.1": "x", f"{name}.member.3": "x"}
        yield {f"{name}.member.0": "x", f"{name}.member.x": "x"}
        yield {f"{name}.entry.1.key": "x", f"{name}.entry.1.value": "x"}
        yield {f"{name}.": "x", f".{name}": "x", f"{name}.member.1.member.1": "x"}


@pytest.mark.parametrize(("service", "name"), WORKING)
async def test_wrong_forms_are_told_as_such(sqlite_aws: AwsWorld, service: str, name: str) -> None:
    operation = MODELS[service].operation_model(name)
    declared = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    for form in forms(operation):
        reply = await sqlite_aws.client.send_form(service, name, form)

        assert reply.status < 500, (form, reply.parsed)
        assert reply.code is None or reply.code in declared | COMMON, (form, reply.parsed)
