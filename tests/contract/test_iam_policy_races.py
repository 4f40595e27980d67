"""Changes of policies at the same time, from two workers: what one decides, the other sees."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import pytest

from entrepot.domain.iam import EntityKind, NewEntity
from entrepot.domain.iam_error import (
    EntityAlreadyExists,
    EntityNotFound,
    InlineTooLong,
    PolicyNotDeletable,
    QuotaExceeded,
)
from entrepot.domain.page import PageRequest
from entrepot.service.context import Context
from entrepot.service.iam.attachment import Holder, IamAttachmentService
from entrepot.service.iam.inline_policy import IamInlinePolicyService
from entrepot.service.iam.policy import IamPolicyService, PolicyFilter, PolicyScope
from entrepot.service.iam.policy_version import IamPolicyVersionService
from entrepot.service.identity import IdentityService
from entrepot.store.aws_policy import package_policies
from entrepot.store.metadata.base import Database
from tests.support.iam_rows import document, put_entity
from tests.support.service import ACCOUNT

MIA = Holder(ACCOUNT, EntityKind.USER, "mia")
ROUNDS = range(5)


@dataclass(frozen=True, slots=True)
class Worker:
    """The services of one process."""

    policy: IamPolicyService
    version: IamPolicyVersionService
    attachment: IamAttachmentService
    inline: IamInlinePolicyService

    async def create(self, name: str) -> str:
        """Make a policy; its ARN."""
        made = await self.policy.create(NewEntity(ACCOUNT, EntityKind.POLICY, "/", name), document(), {})
        return str(made.policy.arn)


def worker_on(database: Database, context: Context) -> Worker:
    aws = package_policies()
    return Worker(
        IamPolicyService(database, context, aws),
        IamPolicyVersionService(database, context, aws),
        IamAttachmentService(database, context, aws),
        IamInlinePolicyService(database),
    )


@pytest.fixture
async def workers(
    database: Database, second_database: Database, context: Context, identity_service: IdentityService
) -> tuple[Worker, Worker]:
    """Two, on the same database, with the user mia."""
    await database.write(lambda connection: put_entity(connection, EntityKind.USER, "mia"))
    return worker_on(database, context), worker_on(second_database, context)


async def together(*changes: Awaitable[Any]) -> list[type[Exception] | None]:
    """What became of changes at the same time: the kind of error, or None."""
    results = await asyncio.gather(*changes, return_exceptions=True)
    return [type(result) if isinstance(result, Exception) else None for result in results]


async def test_a_name_is_taken_once(workers: tuple[Worker, Worker]) -> None:
    for number in ROUNDS:
        ended = await together(*(worker.create(f"{name}{number}") for worker in workers for name in ("p", "P")))
        assert sorted(ended, key=str) == [EntityAlreadyExists] * 3 + [None]
    page = await workers[0].policy.list(ACCOUNT, PolicyFilter(PolicyScope.LOCAL), PageRequest(100))
    assert len(page.items) == len(ROUNDS)


async def test_a_policy_is_not_deleted_from_under_somebody(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    for number in ROUNDS:
        arn = await one.create(f"p{number}")
        deleted, attached = await together(one.policy.delete(ACCOUNT, arn), other.attachment.attach(MIA, arn))
        assert (deleted, attached) in {(None, EntityNotFound), (PolicyNotDeletable, None)}
        hanging = {str(found) for found in (await one.attachment.list(MIA, "/", PageRequest(100))).items}
        assert (arn in hanging) == (attached is None)


async def test_a_policy_has_a_default_version(workers: tuple[Worker, Worker]) -> None:
    one, other = workers
    for number in ROUNDS:
        arn = await one.create(f"p{number}")
        await one.version.create(ACCOUNT, arn, document(), is_default=False)
        await together(one.version.delete(ACCOUNT, arn, "v2"), other.version.set_default(ACCOUNT, arn, "v2"))
        versions = (await one.version.list(ACCOUNT, arn, PageRequest(100))).items
        assert [version.is_default for version in versions].count(True) == 1


async def test_five_versions_with_numbers_of_their_own(workers: tuple[Worker, Worker]) -> None:
    arn = await workers[0].create("p")
    ended = await together(
        *(
            worker.version.create(ACCOUNT, arn, document(f"ecr:Get{number}"), is_default=True)
            for worker in workers
            for number in range(4)
        )
    )
    assert sorted(ended, key=str) == [QuotaExceeded] * 4 + [None] * 4
    versions = (await workers[0].version.list(ACCOUNT, arn, PageRequest(100))).items
    assert [version.id for version in versions] == ["v5", "v4", "v3", "v2", "v1"]
    assert [version.is_default for version in versions].count(True) == 1


async def test_ten_policies_hang_on_one(workers: tuple[Worker, Worker]) -> None:
    arns = [await workers[0].create(f"p{number}") for number in range(14)]
    ended = await together(*(workers[number % 2].attachment.attach(MIA, arn) for number, arn in enumerate(arns)))
    assert (ended.count(None), ended.count(QuotaExceeded)) == (10, 4)


async def test_inline_policies_stay_within_their_length(workers: tuple[Worker, Worker]) -> None:
    third = document("ecr:" + "a" * 650)
    ended = await together(
        *(worker.inline.put(MIA, f"{name}{place}", third) for place, worker in enumerate(workers) for name in "abc")
    )
    assert (ended.count(None), ended.count(InlineTooLong)) == (2, 4)


async def test_the_last_one_detaches(workers: tuple[Worker, Worker]) -> None:
    arn = await workers[0].create("p")
    await workers[0].attachment.attach(MIA, arn)
    ended = await together(*(worker.attachment.detach(MIA, arn) for worker in workers))
    assert sorted(ended, key=str) == [EntityNotFound, None]
