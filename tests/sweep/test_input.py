"""Every member of every operation that we have, one step beyond each of its limits."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import Shape

from entrepot.transport.aws.operation import OPERATIONS
from tests.support.aws import MODELS, AwsWorld
from tests.sweep.case import cases_of, example

SERVICES = ("ecr", "entrepot")
"""Whose words of wrong parameters are ECR's."""
WORKING = sorted((row.service, row.name) for row in OPERATIONS.values() if row.service in SERVICES and row.handler)
LARGE = ("PutImage", "UploadLayerPart")


@pytest.mark.parametrize(("service", "operation"), WORKING)
async def test_one_step_beyond(sqlite_aws: AwsWorld, service: str, operation: str) -> None:
    count = 0
    for case in cases_of(MODELS[service].operation_model(operation)):
        body = json.dumps(case.document).encode()
        if len(body) > 1024 * 1024 and operation not in LARGE:
            continue

        reply = await sqlite_aws.client.send(operation, body, service)

        assert reply.status == 400, str(case)
        if case.rule is None:
            assert reply.code == "SerializationException", (str(case), reply.parsed["Error"])
        else:
            assert (reply.code, reply.message) == ("InvalidParameterException", case.sentence), str(case)
        count += 1
    assert count >= 3 or not MODELS[service].operation_model(operation).input_shape.members


def at_limits(shape: Shape) -> Iterator[Any]:
    """Values exactly at a limit."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    for limit in {low, high} - {None}:
        if shape.type_name == "list":
            yield [example(shape.member)] * limit
        elif shape.type_name in ("integer", "long"):
            yield limit
        elif shape.type_name == "blob":
            yield base64.b64encode(bytes(limit)).decode()
        else:
            yield "a" * limit
    yield from shape.enum if shape.type_name == "string" else []


@pytest.mark.parametrize(("service", "operation"), WORKING)
async def test_at_the_limit(sqlite_aws: AwsWorld, service: str, operation: str) -> None:
    """What is just allowed is never refused for its shape."""
    shape = MODELS[service].operation_model(operation).input_shape
    for name, member in shape.members.items():
        for value in at_limits(member):
            reply = await getattr(sqlite_aws.client, service)(operation, **(example(shape) | {name: value}))

            refused = reply.message if reply.code == "InvalidParameterException" else ""
            rule = refused.partition(f"'{name}' failed to satisfy constraint: '")[2]
            assert not rule.startswith(("Member must have", "must have length")), (name, refused)
            assert reply.code not in ("SerializationException", "InternalFailure"), name


@pytest.mark.parametrize(("service", "operation"), WORKING)
async def test_unknown_members_are_ignored(sqlite_aws: AwsWorld, service: str, operation: str) -> None:
    given = example(MODELS[service].operation_model(operation).input_shape)

    plain = await getattr(sqlite_aws.client, service)(operation, **given)
    more = await getattr(sqlite_aws.client, service)(operation, **given, somethingNew={"a": [1]})

    expected = "RepositoryAlreadyExistsException" if operation == "CreateRepository" else plain.code
    assert more.code == expected
