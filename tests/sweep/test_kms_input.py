"""Every member of every operation of KMS, one step beyond each of its limits, and any member of any type."""

from __future__ import annotations

import json

import pytest

from entrepot.transport.aws.operation import OPERATIONS
from tests.support.aws import MODELS, AwsWorld
from tests.sweep.case import cases_of

WORKING = sorted(row.name for row in OPERATIONS.values() if row.service == "kms" and row.handler)

LATIN = (r"\u0020-\u00FF]+", r"\u0020-\u00FF]*")
"""What patterns of policies and markers end with."""


@pytest.mark.parametrize("operation", WORKING)
async def test_one_step_beyond(sqlite_aws: AwsWorld, operation: str) -> None:
    """The framework's sentence names the member in small letters, and a list by itself."""
    count = 0
    for case in cases_of(MODELS["kms"].operation_model(operation)):
        if case.rule is not None and case.rule.endswith(LATIN) and (case.path == "Policy" or "\\n" not in case.what):
            continue  # no wrong value there
        reply = await sqlite_aws.client.send(operation, json.dumps(case.document).encode(), "kms")

        assert reply.status == 400, str(case)
        if case.rule is None:
            assert reply.code == "SerializationException", (str(case), reply.parsed["Error"])
        else:
            assert reply.code == "ValidationException", (str(case), reply.parsed["Error"])
            member = case.path.partition(".")[0]
            assert f"at '{member[0].lower()}{member[1:]}" in reply.message, (str(case), reply.message)
        count += 1
    assert count > 3


@pytest.mark.parametrize("operation", WORKING)
async def test_unknown_members_are_ignored(sqlite_aws: AwsWorld, operation: str) -> None:
    plain = await sqlite_aws.client.kms(operation)
    more = await sqlite_aws.client.kms(operation, somethingNew={"a": [1]})

    assert more.code == plain.code
