"""Maintenance on /v2/: changes are refused and say why, everything that only reads works, and nothing is half done."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import text

from entrepot.domain.error import InMaintenance
from entrepot.domain.job import JobKind
from entrepot.domain.repository import RepositorySettings, parse_repository_name
from entrepot.store.metadata import maintenance
from tests.support.registry import RunningRegistry
from tests.support.wire import digest_of

READS = ["/v2/", "/v2/app/tags/list", "/v2/_catalog", "/v2/app/manifests/v1"]


async def turn_on(registry: RunningRegistry, reason: str = "moving disks") -> None:
    await registry.database.write(partial(maintenance.begin, reason=reason, now=1))


async def turn_off(registry: RunningRegistry) -> None:
    await registry.database.write(maintenance.end)


@pytest.fixture
async def begun(registry: RunningRegistry) -> str:
    """An image, and an upload under way: its path."""
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1")
    started = await registry.client.send("POST", "/v2/app/blobs/uploads/")
    return started.headers["Location"]


async def test_changes_are_refused_and_say_why(registry: RunningRegistry, begun: str) -> None:
    client, digest = registry.client, digest_of(b"data")
    manifest = (await client.send("GET", "/v2/app/manifests/v1")).body
    await turn_on(registry)
    changes = [
        ("POST", "/v2/app/blobs/uploads/", b""),
        ("POST", f"/v2/app/blobs/uploads/?digest={digest}", b"data"),
        ("PATCH", begun, b"data"),
        ("PUT", f"{begun}?digest={digest}", b"data"),
        ("DELETE", begun, b""),
        ("PUT", "/v2/app/manifests/v2", manifest),
        ("DELETE", "/v2/app/manifests/v1", b""),
    ]
    for method, path, body in changes:
        answer = await client.send(method, path, body=body)
        assert (method, path, answer.status, answer.codes) == (method, path, 503, ["UNAVAILABLE"])
        assert "in maintenance and takes no changes: moving disks" in answer.body.decode()
        assert answer.headers["Retry-After"] == "30"
    for path in READS:
        assert (await client.send("GET", path)).status == 200
    await registry.password()  # logins work
    await turn_off(registry)
    assert (await client.send("PATCH", begun, body=b"data")).status == 202, "the upload stands where it stood"
    assert (await client.send("PUT", f"{begun}?digest={digest}", body=b"")).status == 201


async def test_a_layer_that_a_client_asks_for_is_promised_all_the_same(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    digest = await registry.client.put_blob("app", b"layer")
    registry.clock.advance(3600 * 1.5)
    await turn_on(registry)
    assert (await registry.client.send("HEAD", f"/v2/app/blobs/{digest}")).status == 200
    keep_until = await registry.database.read(
        lambda c: c.execute(text("SELECT keep_until FROM repository_blob")).scalar()
    )
    assert keep_until is not None
    assert keep_until >= (registry.clock.now().timestamp() + 3600 - 5) * 1_000_000


async def test_the_api_is_refused_too(registry: RunningRegistry) -> None:
    await turn_on(registry, "")
    with pytest.raises(InMaintenance):
        await registry.services.repository.create(
            registry.home, parse_repository_name("late"), RepositorySettings(), {}
        )


async def test_no_job_begins(registry: RunningRegistry) -> None:
    jobs = registry.services.job
    await jobs.submit(JobKind.UPLOAD_SWEEP)
    await turn_on(registry)
    assert await jobs.claim("me", [JobKind.UPLOAD_SWEEP], 1) == []
    await turn_off(registry)
    assert len(await jobs.claim("me", [JobKind.UPLOAD_SWEEP], 1)) == 1


async def test_nothing_is_collected(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    await registry.client.put_blob("app", b"layer")
    registry.clock.advance(30 * 24 * 3600)
    await turn_on(registry)
    assert (await registry.services.garbage.collect()).blobs == 0
    await turn_off(registry)
    assert (await registry.services.garbage.collect()).blobs == 1


async def test_a_second_beginning_changes_only_the_reason(registry: RunningRegistry) -> None:
    await turn_on(registry)
    await registry.database.write(partial(maintenance.begin, reason="still", now=99))
    row = await registry.database.read(maintenance.find)
    assert row == maintenance.MaintenanceRow("still", 1)
    assert await registry.database.write(maintenance.end)
    assert not await registry.database.write(maintenance.end)
