"""Repositories under a KMS key: bytes, links and keys of the two kinds, on both engines, with one and two workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from entrepot.domain.blob import BlobDamaged
from entrepot.domain.key_provider import KeyRefused
from entrepot.domain.kms import KeyState, KmsKey
from entrepot.domain.repository import RepositoryName
from entrepot.service.garbage import GarbageService
from entrepot.service.key import KeyService
from entrepot.service.verify.content import ContentCheck
from entrepot.store.blob.base import FRAME_BYTES, Format
from entrepot.store.metadata import relation, schema, verify
from tests.support.bytes import APP, WEB, digest_of, files_below, keys_of
from tests.support.kms import make_key
from tests.support.protection import KeyedWorker
from tests.support.service import ACCOUNT, REGISTRY, Clock

DATA = b"0123456789abcdef" * 40_000
"""Two whole frames and a part."""
SMALL = b"a small blob"
LATER = RepositoryName("team/later")


async def small_at_once(keyed: KeyedWorker, data: bytes, name: RepositoryName) -> None:
    """All bytes in the request that completes."""

    async def chunks() -> object:
        yield data

    upload_id = await keyed.worker.start(name=name)
    body = chunks()
    await keyed.worker.uploads.complete(REGISTRY, name, ACCOUNT, upload_id, digest_of(data), body, None, len(data))  # type: ignore[arg-type]


async def link_keys(keyed: KeyedWorker) -> list[bytes | None]:
    statement = select(schema.repository_blob.c.wrapped_key).order_by(schema.repository_blob.c.repository_id)
    return await keyed.database.read(lambda connection: list(connection.scalars(statement)))


async def collect_everything(keyed: KeyedWorker, clock: Clock) -> None:
    clock.forward(hours=5)
    await GarbageService(keyed.database, keyed.context).collect()
    clock.forward(hours=1)
    await keyed.worker.uploads.sweep()


async def test_what_was_pushed_is_pulled_and_is_nowhere_plain(keyed: KeyedWorker, second_keyed: KeyedWorker) -> None:
    await keyed.worker.push(DATA)
    await small_at_once(keyed, SMALL, APP)
    for worker in (keyed.worker, second_keyed.worker):
        assert await worker.pull(DATA) == DATA
        assert await worker.pull(DATA, FRAME_BYTES - 3, FRAME_BYTES + 5) == DATA[FRAME_BYTES - 3 : FRAME_BYTES + 5]
        assert await worker.pull(SMALL) == SMALL
    stored = [path.read_bytes() for path in files_below(keyed.root)]
    assert not any(DATA[:64] in content or SMALL in content for content in stored)


async def test_staged_bytes_are_encrypted_and_go_on_in_another_worker(
    keyed: KeyedWorker, second_keyed: KeyedWorker
) -> None:
    upload_id = await keyed.worker.start()
    await keyed.worker.append(upload_id, DATA[:300_001])
    assert not any(DATA[:64] in path.read_bytes() for path in files_below(keyed.root))
    await second_keyed.worker.append(upload_id, DATA[300_001:])
    await second_keyed.worker.uploads.complete(REGISTRY, APP, ACCOUNT, upload_id, digest_of(DATA))
    assert await keyed.worker.pull(DATA) == DATA


@pytest.mark.parametrize("push", [small_at_once, lambda keyed, data, name: keyed.worker.push(data, name)])
async def test_the_same_bytes_are_kept_once_and_depend_on_no_other_repository(
    keyed: KeyedWorker, push: Callable[[KeyedWorker, bytes, RepositoryName], Awaitable[None]]
) -> None:
    await push(keyed, SMALL, APP)
    await push(keyed, SMALL, WEB)
    one, two = await link_keys(keyed)
    assert one
    assert two not in (None, one)
    assert len(await keys_of(keyed.database)) == 1
    await keyed.repositories.delete(REGISTRY, APP, force=True)
    await GarbageService(keyed.database, keyed.context).collect()
    assert await keyed.worker.pull(SMALL, name=WEB) == SMALL


async def test_mount_wraps_anew(keyed: KeyedWorker, second_keyed: KeyedWorker) -> None:
    await keyed.worker.push(DATA)
    assert await second_keyed.worker.blobs.mount(REGISTRY, WEB, APP, digest_of(DATA))
    assert await second_keyed.worker.blobs.mount(REGISTRY, WEB, APP, digest_of(DATA)), "again"
    await keyed.repositories.delete(REGISTRY, APP, force=True)
    assert await keyed.worker.pull(DATA, name=WEB) == DATA
    assert len(await keys_of(keyed.database)) == 1


async def test_a_blob_whose_last_holder_went_is_replaced(keyed: KeyedWorker, clock: Clock) -> None:
    await keyed.worker.push(DATA)
    (old,) = await keys_of(keyed.database)
    await keyed.repositories.delete(REGISTRY, APP, force=True)
    await keyed.worker.push(DATA, WEB)
    (new,) = await keys_of(keyed.database)
    assert new != old
    await collect_everything(keyed, clock)
    assert not any(old in str(path) for path in files_below(keyed.root))


async def test_another_key_shares_nothing(keyed: KeyedWorker, key_service: KeyService) -> None:
    other = await keyed.database.write(lambda c: make_key(c, keyed.context, key_service, REGISTRY))
    await keyed.create(LATER, other)
    await keyed.worker.push(DATA)
    assert not await keyed.worker.blobs.mount(REGISTRY, LATER, APP, digest_of(DATA))
    await keyed.worker.push(DATA, LATER)
    assert len(await keys_of(keyed.database)) == 2


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.PENDING_DELETION])
async def test_a_key_that_is_off_closes_everything_on_every_worker_until_it_is_on(
    keyed: KeyedWorker, second_keyed: KeyedWorker, kms_key: KmsKey, state: KeyState
) -> None:
    await keyed.worker.push(DATA)
    upload_id = await keyed.worker.start()
    assert await second_keyed.worker.pull(DATA) == DATA
    await keyed.set_state(kms_key, state)
    for worker in (keyed.worker, second_keyed.worker):
        for refused in (
            lambda worker=worker: worker.pull(DATA),
            lambda worker=worker: worker.start(),
            lambda worker=worker: worker.append(upload_id, DATA),
            lambda worker=worker: worker.blobs.sign_download(REGISTRY, APP, digest_of(DATA)),
        ):
            with pytest.raises(KeyRefused) as error:
                await refused()  # type: ignore[no-untyped-call]
            assert error.value.code in ("DisabledException", "KMSInvalidStateException")
        assert not await worker.blobs.mount(REGISTRY, WEB, APP, digest_of(DATA))
    await keyed.set_state(kms_key, KeyState.ENABLED)
    assert await second_keyed.worker.pull(DATA) == DATA
    await second_keyed.worker.append(upload_id, DATA)


async def test_a_revoked_grant_closes_too(keyed: KeyedWorker, second_keyed: KeyedWorker, kms_key: KmsKey) -> None:
    await keyed.worker.push(DATA)
    assert await second_keyed.worker.pull(DATA) == DATA
    await keyed.revoke_grants(kms_key)
    with pytest.raises(KeyRefused) as error:
        await second_keyed.worker.pull(DATA)
    assert error.value.code == "AccessDeniedException"


async def test_a_key_that_was_deleted_takes_all_with_it(keyed: KeyedWorker, kms_key: KmsKey) -> None:
    await keyed.worker.push(DATA)
    await keyed.delete(kms_key)
    with pytest.raises(KeyRefused) as error:
        await keyed.worker.pull(DATA)
    assert error.value.code == "NotFoundException"
    await keyed.repositories.delete(REGISTRY, APP, force=True)


async def test_pushes_into_two_repositories_at_once_by_two_workers(
    keyed: KeyedWorker, second_keyed: KeyedWorker
) -> None:
    await asyncio.gather(keyed.worker.push(DATA, APP), second_keyed.worker.push(DATA, WEB))
    assert await second_keyed.worker.pull(DATA, name=APP) == DATA
    assert await keyed.worker.pull(DATA, name=WEB) == DATA
    assert len(await keys_of(keyed.database)) == 1


async def test_a_link_key_of_another_repository_or_blob_does_not_open(keyed: KeyedWorker) -> None:
    await keyed.worker.push(DATA, APP)
    await keyed.worker.push(DATA, WEB)
    one, two = await link_keys(keyed)
    statement = schema.repository_blob.update()
    await keyed.database.write(lambda c: c.execute(statement.values(wrapped_key=one)))
    with pytest.raises(Exception, match="blob-key"):
        await keyed.worker.pull(DATA, name=WEB)
    assert two != one


async def test_both_layers_are_needed(keyed: KeyedWorker, encryption_type: str) -> None:
    await keyed.worker.push(DATA)
    view = await keyed.worker.blobs.view(ACCOUNT, REGISTRY, APP, digest_of(DATA))
    assert view.blob is not None
    location = await keyed.worker.storage.location(view.blob)
    size = sum(path.stat().st_size for path in files_below(keyed.root) if location.storage_key in path.name)
    layers = 2 if encryption_type == "KMS_DSSE" else 1
    assert location.format == (Format.DOUBLE_FRAMES if layers == 2 else Format.FRAMES)
    assert size == len(DATA) + 3 * 28 * layers
    if layers == 2:
        assert location.outer_key not in (None, location.data_key)
        statement = schema.blob.update().values(wrapped_key=None)
        await keyed.database.write(lambda c: c.execute(statement))
        with pytest.raises(BlobDamaged):
            await keyed.worker.pull(DATA)


async def test_verification_reads_them_and_skips_what_is_off(keyed: KeyedWorker, kms_key: KmsKey) -> None:
    await keyed.worker.push(DATA)
    check = ContentCheck(keyed.worker.storage, with_digests=True)
    (facts,) = await keyed.database.read(lambda c: verify.page_blobs(c, 0, 10))
    assert [fault async for fault in check.check_blob(facts)] == []
    (path,) = (path for path in files_below(keyed.root) if facts.storage_key in path.name)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert [name async for name, _ in check.check_blob(facts)] == ["blob-bytes"]
    await keyed.set_state(kms_key, KeyState.DISABLED)
    (facts,) = await keyed.database.read(lambda c: verify.page_blobs(c, 0, 10))
    assert [fault async for fault in check.check_blob(facts)] == []


async def test_a_link_without_its_key_is_found(keyed: KeyedWorker) -> None:
    await keyed.worker.push(DATA)
    (rule,) = (one for one in relation.relations() if one.invariant == "link-key")
    assert await keyed.database.read(lambda c: relation.broken(c, rule)) == []
    await keyed.database.write(lambda c: c.execute(schema.repository_blob.update().values(wrapped_key=None)))
    assert len(await keyed.database.read(lambda c: relation.broken(c, rule))) == 1


async def test_the_master_key_can_be_rotated(keyed: KeyedWorker, key_service: KeyService) -> None:
    await keyed.worker.push(DATA)
    await key_service.rotate_master_key(bytes(range(1, 33)))
    assert await keyed.worker.pull(DATA) == DATA
