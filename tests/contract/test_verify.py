"""Verification: every invariant is broken once, found, and where it can be, moved aside, so that a push mends it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from entrepot.domain.reference import Tag
from entrepot.domain.upload import UploadKind
from entrepot.service.image import ImageService
from entrepot.service.verify import Progress, Verifier
from entrepot.service.verify.finding import INVARIANTS, Finding
from entrepot.service.verify.repair import Repairer
from entrepot.store.metadata.verify import named_keys
from tests.support.bytes import APP, Worker, digest_of, files_below
from tests.support.image import image_manifest, index_manifest
from tests.support.place import Files
from tests.support.race import Race, writing
from tests.support.service import REGISTRY

LAYER, OTHER = b"layer" * 1000, b"other" * 2000


class Ward:
    """A registry with an image of two layers and an index above it, and what can go wrong in it."""

    def __init__(self, worker: Worker, images: ImageService, root: Path) -> None:
        self.worker, self.images, self.root = worker, images, root
        self.image = image_manifest(b"{}", [LAYER, OTHER])
        self.index = index_manifest([self.image])

    async def fill(self) -> None:
        for blob in (b"{}", LAYER, OTHER):
            await self.worker.push(blob)
        await self.push("latest", "index")

    async def push(self, tag: str, index_tag: str) -> None:
        for raw, name in ((self.image, tag), (self.index, index_tag)):
            await self.images.put(
                REGISTRY, APP, raw, declared_type=None, digest=None, tags=[Tag(name)], is_idempotent=True
            )

    def verifier(self, **options: bool) -> Verifier:
        worker = self.worker
        return Verifier(worker.database, worker.context, worker.storage._keys, worker.storage, **options)

    async def verify(self, **options: bool) -> list[Finding]:
        return await self.verifier(**options).run(Progress(), lambda _: None)

    async def broken(self, **options: bool) -> set[str]:
        return {finding.invariant for finding in await self.verify(**options)}

    async def repair(self, **options: bool) -> list[Finding]:
        verifier = self.verifier(**options)
        repairer = Repairer(self.worker.database, self.worker.context, self.worker.storage, verifier)
        return [await repairer.repair(one) for one in await verifier.run(Progress(), lambda _: None)]

    async def path_of(self, data: bytes) -> Path:
        key: str = await self.scalar("SELECT storage_key FROM blob WHERE digest = :digest", digest=str(digest_of(data)))
        return self.root / "blobs" / key[:2] / key

    async def run(self, statement: str, **values: Any) -> None:
        """Change rows as a damaged disk would: without anybody checking."""

        def change(connection: Connection) -> None:
            connection.execute(text(statement), values)

        await self.worker.database.write(change)

    async def scalar(self, statement: str, **values: Any) -> Any:
        return await self.worker.database.read(lambda c: c.execute(text(statement), values).scalar())


PUBLISH = (
    """INSERT INTO blob (domain_id, digest, size_bytes, storage_key, store, format, frame_bytes, created_at)
       SELECT domain_id, 'sha256:00', 4, storage_key, store, format, frame_bytes, 1
       FROM upload JOIN repository ON repository.id = repository_id""",
    "DELETE FROM upload_segment",
    "DELETE FROM upload",
)


@pytest.fixture
def place(tmp_path: Path) -> Files:
    """Local files, which a test can move about."""
    return Files(tmp_path / "blobs")


@pytest.fixture
async def ward(worker: Worker, image_service: ImageService, place: Files) -> Ward:
    made = Ward(worker, image_service, place.root)
    await made.fill()
    return made


async def test_what_works_is_sound(ward: Ward) -> None:
    upload = await ward.worker.start()
    await ward.worker.append(upload, b"begun")
    assert await ward.verify(with_digests=True, with_objects=True) == []


@pytest.mark.parametrize(
    ("spoil", "invariant"),
    [
        (lambda path: path.unlink(), "blob-bytes"),
        (lambda path: os.truncate(path, path.stat().st_size - 1), "blob-bytes"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "blob-bytes"),
        (lambda path: path.write_bytes(bytes(reversed(path.read_bytes()))), "content"),
    ],
    ids=["missing", "short", "long", "changed"],
)
async def test_lost_bytes_are_found_and_a_push_brings_them_back(
    ward: Ward, spoil: Callable[[Path], None], invariant: str, is_encrypting: bool
) -> None:
    spoil(await ward.path_of(LAYER))
    expected = invariant
    if invariant == "content":
        assert await ward.verify() == [], "only digests tell"
        expected = "blob-bytes" if is_encrypting else "blob-digest"
    (finding,) = await ward.verify(with_digests=True)
    assert (finding.invariant, finding.is_damage) == (expected, True)
    image, index = finding.push_again
    assert (image.repository, image.digest, image.tags) == (APP, str(digest_of(ward.image)), ("latest",))
    assert (image.layers, index.layers) == ((str(digest_of(LAYER)),), ())
    assert index.tags == ("index",)

    (repaired,) = await ward.repair(with_digests=True)
    assert repaired.cured.startswith("2 images set aside")
    assert await ward.verify(with_digests=True, with_objects=True) == []
    view = await ward.worker.blobs.view(REGISTRY.account_id, REGISTRY, APP, digest_of(LAYER))
    assert view.blob is None, "a client that asks is told to upload it"
    assert await ward.worker.pull(OTHER) == OTHER, "what is whole stays"
    await ward.worker.push(LAYER)
    await ward.push("latest", "index")
    assert await ward.verify(with_digests=True, with_objects=True) == []
    assert await ward.worker.pull(LAYER) == LAYER


async def test_a_key_that_moves_from_row_to_row_is_named_all_the_while(worker: Worker, race: Race) -> None:
    upload_id = await worker.start()
    await worker.append(upload_id, b"data")
    key = await worker.database.read(lambda c: str(c.scalar(text("SELECT storage_key FROM upload"))))
    moves = [PUBLISH]

    def move(*_: object) -> None:
        while moves:
            statements = moves.pop()
            with writing(race.engine) as other:
                for statement in statements:
                    other.execute(text(statement))

    event.listen(race.engine, "after_cursor_execute", move)
    with race.engine.connect() as connection:
        assert named_keys(connection, [key]) == {key}
    assert await worker.database.read(lambda c: c.scalar(text("SELECT storage_key FROM blob"))) == key


async def test_rows_set_aside_are_whole(ward: Ward) -> None:
    (await ward.path_of(LAYER)).unlink()
    await ward.repair()
    tables = await ward.worker.database.read(
        lambda c: c.execute(text("SELECT table_name, count(*) FROM set_aside_row GROUP BY table_name")).all()
    )
    assert dict(map(tuple, tables)) == {
        "manifest": 2, "manifest_reference": 4, "tag": 2, "repository_blob": 1, "blob": 1,
    }  # fmt: skip
    assert await ward.scalar("SELECT count(*) FROM manifest") == 0


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE manifest SET raw = CAST('{}' AS {bytes}) WHERE media_type LIKE '%manifest%'", "image-digest"),
        ("UPDATE manifest_reference SET media_type = 'x' WHERE position = 1", "image-references"),
        ("DELETE FROM manifest_reference WHERE position = 2", "image-references"),
    ],
)
async def test_broken_images_are_set_aside(ward: Ward, statement: str, invariant: str) -> None:
    kind = "BLOB" if ward.worker.database.dialect == "sqlite" else "bytea"
    await ward.run(statement.replace("{bytes}", kind))
    assert await ward.broken() == {invariant}
    assert [finding.cured for finding in await ward.repair()] == ["2 images set aside"]
    assert await ward.verify() == []
    await ward.push("latest", "index")
    assert await ward.verify(with_digests=True) == []


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE manifest SET image_size_bytes = 5", "image-facts"),
        ("UPDATE manifest SET subject_digest = 'sha256:00'", "image-facts"),
        ("UPDATE tag SET name_lower = 'zzz' WHERE name = 'latest'", "tag-target"),
        ("UPDATE encryption_domain SET wrapped_key = (SELECT sealed FROM master_key_check)", "key-opens"),
        ("UPDATE access_key SET sealed_secret = (SELECT sealed FROM master_key_check)", "key-opens"),
        (
            """INSERT INTO doomed_object (storage_key, store, not_before)
               SELECT storage_key, 'filesystem', 1 FROM blob WHERE size_bytes = 5000""",
            "doomed-dead",
        ),
        (
            """UPDATE tag SET manifest_id = (SELECT max(id) FROM manifest),
               repository_id = (SELECT max(id) FROM repository) WHERE name = 'latest'""",
            "tag-target",
        ),
    ],
)
async def test_rows_that_contradict_each_other_are_found(ward: Ward, statement: str, invariant: str) -> None:
    await ward.run(statement)
    assert invariant in await ward.broken()


async def test_live_bytes_are_no_longer_to_be_removed_after_repair(ward: Ward) -> None:
    key = (await ward.path_of(LAYER)).name
    values = {"storage_key": key, "store": "filesystem", "not_before": 1}
    await ward.run(
        "INSERT INTO doomed_object (storage_key, store, not_before) VALUES (:storage_key, :store, :not_before)",
        **values,
    )
    assert [finding.cured for finding in await ward.repair()] == ["the row is set aside"]
    await ward.worker.uploads.sweep()
    assert await ward.worker.pull(LAYER) == LAYER


async def test_garbage_that_the_collector_would_never_see_is_a_notice(ward: Ward) -> None:
    await ward.run("DELETE FROM manifest_reference WHERE manifest_id = (SELECT min(id) FROM manifest) AND position = 0")
    await ward.run("UPDATE repository_blob SET is_settled = :yes", yes=True)
    found = [one for one in await ward.verify() if one.invariant == "garbage-known"]
    assert [(one.table, one.is_damage) for one in found] == [("repository_blob", False)]
    await ward.run("DELETE FROM repository_blob WHERE blob_id = :id", id=int(str(found[0].key).split("/")[1]))
    found = [one for one in await ward.verify() if one.invariant == "garbage-known"]
    assert [one.table for one in found] == ["blob"]
    await ward.repair()
    assert "garbage-known" not in await ward.broken()


async def test_staged_bytes_that_power_took_are_a_notice(ward: Ward) -> None:
    upload = await ward.worker.start(UploadKind.OCI)
    await ward.worker.append(upload, b"begun")
    for path in files_below(ward.root / "staging"):
        path.unlink()
    (finding,) = await ward.verify()
    assert (finding.invariant, finding.is_damage) == ("upload-bytes", False)


async def test_only_old_objects_without_a_row_are_orphans(ward: Ward) -> None:
    young, old = (ward.root / "blobs" / name[:2] / name for name in ("aaaa" * 8, "bbbb" * 8))
    for path in (young, old):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    now = ward.worker.context.now().timestamp()
    os.utime(young, (now - 60, now - 60))
    os.utime(old, (now - 7200, now - 7200))
    for path in files_below(ward.root):
        if path not in (young, old):
            os.utime(path, (1, 1))
    upload = await ward.worker.start()
    await ward.worker.append(upload, b"begun")
    assert await ward.verify() == []
    (finding,) = await ward.verify(with_objects=True)
    assert (finding.invariant, finding.key) == ("object-named", old.name)
    (repaired,) = await ward.repair(with_objects=True)
    assert repaired.cured == f"moved to {ward.root}/quarantine/{old.name}"
    assert await ward.verify(with_objects=True) == []
    assert (ward.root / "quarantine" / old.name).read_bytes() == b"12345"


async def test_a_blob_that_went_while_it_was_looked_at_is_not_reported(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector removes the row, then the bytes: whoever read the row before finds no bytes."""
    verifier, path = ward.verifier(), await ward.path_of(LAYER)
    walk = verifier._walks["blobs"]
    rows = await ward.worker.database.read(lambda c: walk.page(c, 0, 10))
    row = next(one for one in rows if one.storage_key == path.name)
    path.unlink()
    assert await verifier._settled(walk, row) != []
    await ward.run("DELETE FROM manifest_reference")
    await ward.run("DELETE FROM repository_blob WHERE blob_id = :id", id=row.id)
    await ward.run("DELETE FROM blob WHERE id = :id", id=row.id)
    assert await verifier._settled(walk, row) == []


async def test_a_verification_goes_on_where_it_was_cut_off(ward: Ward) -> None:
    (await ward.path_of(LAYER)).unlink()

    class CutOff(Exception):
        pass

    seen = Progress()

    def cut(progress: Progress) -> None:
        if progress.stage == "blobs":
            raise CutOff

    with pytest.raises(CutOff):
        await ward.verifier().run(seen, cut)
    stages: list[str] = []
    findings = await ward.verifier().run(seen, lambda progress: stages.append(progress.stage))
    assert "relations" not in stages, "what was done is not done again"
    assert [finding.invariant for finding in findings] == ["blob-bytes"]


async def test_dangling_rows_are_found_and_set_aside(ward: Ward) -> None:
    """Only a damaged file has them: the engines keep them out, so the check is switched off to make one."""
    if ward.worker.database.dialect != "sqlite":
        await ward.run("ALTER TABLE tag DROP CONSTRAINT fk_tag_manifest_id")
        await ward.run("UPDATE tag SET manifest_id = 99999 WHERE name = 'latest'")
    else:
        path = await ward.scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE tag SET manifest_id = 99999 WHERE name = 'latest'")
        connection.close()
    assert {"row-dangling", "tag-target"} <= await ward.broken()
    await ward.repair()
    assert await ward.verify() == []


def test_findings_survive_json() -> None:
    finding = Finding("blob-bytes", "blob", 7, "gone")
    assert Finding.from_json(finding.to_json()) == finding


def test_every_invariant_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs/design/invariants.md").read_text()
    assert [name for name in INVARIANTS if f"`{name}`" not in page] == []
