"""Whatever is pushed, mounted, deleted and collected in any order: what is owed can be read, and nothing else stays.

A twin in memory knows what the registry owes: blobs that an image of the repository names, and blobs that somebody was
told to exist less than an hour ago. After each step all of it is read. At the end, long after, the bytes in the store
are exactly those that images name.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from entrepot.domain.digest import Digest
from entrepot.domain.error import (
    BlobNotFound,
    BlobReferenced,
    ImageNotFound,
    ImageReferencedByManifestList,
    LayersNotFound,
    ReferencedImagesNotFound,
)
from entrepot.domain.image import ImageFilter
from entrepot.domain.page import PageRequest
from entrepot.domain.reference import Reference, Tag
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service import garbage as garbage_module
from entrepot.service.context import Context
from entrepot.service.garbage import GarbageService
from entrepot.service.identity import IdentityService
from entrepot.service.image import ImageService
from entrepot.service.key import KeyService
from entrepot.service.repository import RepositoryService
from entrepot.service.storage import Storage
from entrepot.store.blob.memory import MemoryBlobStore
from entrepot.store.metadata import collection_hold, schema
from entrepot.store.metadata.base import to_micros
from entrepot.store.metadata.sqlite import SqliteDatabase
from tests.support.bytes import APP, WEB, Worker, body, digest_of
from tests.support.image import image_manifest, index_manifest
from tests.support.service import ACCOUNT, REGISTRY, Clock

T = TypeVar("T")

PROMISE = timedelta(hours=1)
BATCH = 2
"""Of the collector here, so that few blobs are several transactions."""
BLOBS = [b"{}", b"one", b"two" * 50, b"three" * 100]
DIGESTS = [digest_of(data) for data in BLOBS]
IMAGES = [image_manifest(BLOBS[0], [BLOBS[number] for number in layers]) for layers in ((1,), (1, 2), (2, 3), ())]
INDEX = index_manifest(IMAGES[:2])
MANIFESTS = {digest_of(raw): raw for raw in [*IMAGES, INDEX]}

NUMBERS = count()

repositories = st.sampled_from([APP, WEB])
blobs = st.sampled_from(range(len(BLOBS)))
places = st.integers(0, 11)
tags = st.sampled_from([Tag("a"), Tag("b"), Tag("c")])
minutes = st.sampled_from([1, 6, 31, 59, 61, 119, 121, 24 * 60])


def blobs_of(image: Digest) -> set[int]:
    """The blobs that a manifest names, by their places in BLOBS."""
    document = json.loads(MANIFESTS[image])
    named = [document["config"], *document["layers"]] if "layers" in document else []
    return {DIGESTS.index(Digest.parse(each["digest"])) for each in named}


@dataclass
class Twin:
    """What the registry owes of one repository."""

    images: set[Digest] = field(default_factory=set)
    tags: dict[Tag, Digest] = field(default_factory=dict)
    promises: dict[int, datetime] = field(default_factory=dict)

    def referenced(self) -> set[int]:
        return set().union(*map(blobs_of, self.images))

    def owed(self, now: datetime) -> set[int]:
        return self.referenced() | {blob for blob, until in self.promises.items() if until > now}

    def promise(self, blob: int, now: datetime) -> None:
        self.promises[blob] = max(now + PROMISE, self.promises.get(blob, now))


class Garbage(RuleBasedStateMachine):
    """Registry and twin, in step."""

    template: Path
    """A migrated database."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp())
        shutil.copyfile(self.template, self.directory / "entrepot.db")
        self.clock, self.hold_until = Clock(), Clock().now
        self.twins = {APP: Twin(), WEB: Twin()}
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _open(self) -> None:
        context = Context(now=lambda: self.clock.now)
        database = SqliteDatabase(self.directory / "entrepot.db")
        keys = await KeyService.open(database, context, bytes(32), database_is_new=True)
        await IdentityService(database, context, keys).ensure_account(ACCOUNT, "first")
        self.store = MemoryBlobStore()
        self.worker = Worker(database, context, keys, Storage(self.store, keys, context, is_encrypting=False))
        self.repositories = RepositoryService(database, context, keys)
        self.images, self.garbage = ImageService(database, context), GarbageService(database, context)
        for name in self.twins:
            await self.repositories.create(REGISTRY, name, RepositorySettings(), {})

    # ── pushes ───────────────────────────────────────────────────────────────────────────────

    @rule(name=repositories, blob=blobs, is_whole=st.booleans())
    def upload(self, name: RepositoryName, blob: int, is_whole: bool) -> None:
        data = BLOBS[blob]

        async def whole() -> None:
            upload_id = await self.worker.start(name=name)
            only = body([data])
            await self.worker.uploads.complete(REGISTRY, name, ACCOUNT, upload_id, DIGESTS[blob], only, None, len(data))

        self.run(whole() if is_whole else self.worker.push(data, name))
        self.twins[name].promise(blob, self.clock.now)

    @rule(name=repositories, raw=st.sampled_from(IMAGES), tag=st.none() | tags)
    def push_image(self, name: RepositoryName, raw: bytes, tag: Tag | None) -> None:
        for blob in sorted(blobs_of(digest_of(raw))):
            self.upload(name, blob, is_whole=True)
        self.put(name, raw, tag)

    @rule(name=repositories, tag=st.none() | tags)
    def push_index(self, name: RepositoryName, tag: Tag | None) -> None:
        for child in IMAGES[:2]:
            self.push_image(name, child, None)
        self.put(name, INDEX, tag)

    @rule(name=repositories, blob=blobs)
    def abandon_upload(self, name: RepositoryName, blob: int) -> None:
        async def begin() -> None:
            await self.worker.append(await self.worker.start(name=name), BLOBS[blob], name=name)

        self.run(begin())

    @rule(name=repositories, raw=st.sampled_from([*IMAGES, INDEX]), tag=st.none() | tags)
    def put(self, name: RepositoryName, raw: bytes, tag: Tag | None) -> None:
        twin, digest = self.twins[name], digest_of(raw)
        given: dict[str, Any] = {"declared_type": None, "digest": None if tag else digest, "is_idempotent": True}
        try:
            self.run(self.images.put(REGISTRY, name, raw, tags=[tag] if tag else [], **given))
        except LayersNotFound:
            assert not blobs_of(digest) <= twin.owed(self.clock.now)
        except ReferencedImagesNotFound:
            assert not {digest_of(child) for child in IMAGES[:2]} <= twin.images
        else:
            twin.images.add(digest)
            twin.tags |= {tag: digest} if tag else {}

    @rule(source=repositories, blob=blobs)
    def mount(self, source: RepositoryName, blob: int) -> None:
        target = WEB if source == APP else APP
        if self.run(self.worker.blobs.mount(REGISTRY, target, source, DIGESTS[blob])):
            self.twins[target].promise(blob, self.clock.now)
        else:
            assert blob not in self.twins[source].owed(self.clock.now)

    # ── promises ─────────────────────────────────────────────────────────────────────────────

    @rule(name=repositories, blob=blobs)
    def head(self, name: RepositoryName, blob: int) -> None:
        view = self.run(self.worker.blobs.view(ACCOUNT, REGISTRY, name, DIGESTS[blob]))
        if view.blob is not None:
            self.run(self.worker.blobs.promise(view))
            self.twins[name].promise(blob, self.clock.now)

    @rule(name=repositories)
    def check_layers(self, name: RepositoryName) -> None:
        for blob, layer in enumerate(self.run(self.worker.blobs.check_layers(REGISTRY, name, DIGESTS))):
            if layer.is_available:
                self.twins[name].promise(blob, self.clock.now)

    @rule(name=repositories)
    def rely_on_a_late_answer(self, name: RepositoryName) -> None:
        """What somebody is told just before a promise ends holds for another hour."""
        self.clock.forward(minutes=110)
        self.check_layers(name)
        self.clock.forward(minutes=59)
        self.collect()

    # ── deletions ────────────────────────────────────────────────────────────────────────────

    @rule(name=repositories, place=places, is_late=st.booleans(), is_collected=st.booleans())
    def delete(self, name: RepositoryName, place: int, is_late: bool, is_collected: bool) -> None:
        """Mostly what is there, perhaps when nothing but the image keeps its blobs, perhaps with a run right behind."""
        if is_late:
            self.long_after()
        twin = self.twins[name]
        candidates: list[Reference] = [*sorted(twin.images, key=str), *sorted(twin.tags, key=str), Tag("missing")]
        reference = candidates[place % len(candidates)]
        target = twin.tags.get(reference) if isinstance(reference, Tag) else reference
        referenced = twin.referenced()
        try:
            self.run(self.images.delete(REGISTRY, name, reference))
        except ImageNotFound:
            assert target not in twin.images
        except ImageReferencedByManifestList:
            assert digest_of(INDEX) in twin.images
        found = self.run(self._found(name))
        assert twin.images - found.images <= {target}
        twin.images, twin.tags = found.images, found.tags
        for blob in referenced - twin.referenced():
            twin.promise(blob, self.clock.now)
        if is_collected:
            self.collect()

    @rule(name=repositories, blob=blobs, is_late=st.booleans())
    def unlink(self, name: RepositoryName, blob: int, is_late: bool) -> None:
        """Perhaps after the collector looked at it, with nothing else going on until long after."""
        if is_late:
            self.collect()
        twin = self.twins[name]
        try:
            self.run(self.worker.blobs.unlink(REGISTRY, name, DIGESTS[blob]))
        except BlobReferenced:
            assert blob in twin.referenced()
        except BlobNotFound:
            assert blob not in twin.owed(self.clock.now)
        else:
            assert blob not in twin.referenced()
            twin.promises.pop(blob, None)
        if is_late:
            self.long_after()

    @rule(name=repositories)
    def replace_repository(self, name: RepositoryName) -> None:
        async def replace() -> None:
            await self.repositories.delete(REGISTRY, name, force=True)
            await self.repositories.create(REGISTRY, name, RepositorySettings(), {})

        self.run(replace())
        self.twins[name] = Twin()

    # ── time and collection ──────────────────────────────────────────────────────────────────

    @rule(minutes=minutes)
    def wait(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    @rule()
    def collect(self) -> None:
        survey = self.run(self.garbage.survey())
        done = self.run(self.garbage.collect())
        assert done.is_held == self._is_held()
        if self._is_held():
            assert (done.links, done.blobs) == (0, 0)
        else:
            assert (done.links, done.blobs, done.size_bytes) == (survey.links, survey.blobs, survey.size_bytes)

    @rule()
    def sweep(self) -> None:
        before = self._objects()
        self.run(self.worker.uploads.sweep())
        assert not self._is_held() or self._objects() == before

    @rule(minutes=st.sampled_from([10, 300]))
    def hold(self, minutes: int) -> None:
        until = self.clock.now + timedelta(minutes=minutes)
        self.run(self._take(to_micros(self.clock.now), to_micros(until)))
        self.hold_until = max(until, self.hold_until)

    # ── what must be ─────────────────────────────────────────────────────────────────────────

    @invariant()
    def what_is_owed_can_be_read(self) -> None:
        for name, twin in self.twins.items():
            found = self.run(self._found(name))
            assert (found.images, found.tags) == (twin.images, twin.tags)
            for blob in twin.owed(self.clock.now):
                assert self.run(self.worker.pull(BLOBS[blob], name=name)) == BLOBS[blob]

    def teardown(self) -> None:
        try:
            self.long_after()
        finally:
            self.run(self.worker.storage.close())
            self.run(self.worker.database.close())
            self.runner.close()
            shutil.rmtree(self.directory)

    @rule()
    def long_after(self) -> None:
        """Only what images name stays, once all promises are over."""
        for days in (2, 3):
            self.clock.forward(days=days)
            self.collect()
            self.clock.forward(minutes=6)
            self.sweep()
        self.what_is_owed_can_be_read()
        named = set().union(*(twin.referenced() for twin in self.twins.values()))
        statement = select(schema.blob.c.storage_key, schema.blob.c.digest)
        kept = dict(self.run(self.worker.database.read(lambda c: c.execute(statement).all())))
        assert sorted(kept.values()) == sorted(str(DIGESTS[blob]) for blob in named)
        assert self._objects() == kept.keys()
        for name, twin in self.twins.items():
            layers = self.run(self.worker.blobs.check_layers(REGISTRY, name, DIGESTS))
            assert {place for place, layer in enumerate(layers) if layer.is_available} == twin.referenced()

    def _is_held(self) -> bool:
        return self.hold_until > self.clock.now

    def _objects(self) -> set[str]:
        return {each.storage_key for each in self.store.list_objects()}

    async def _take(self, now: int, until: int) -> None:
        await self.worker.database.write(lambda c: collection_hold.take(c, str(next(NUMBERS)), "a backup", now, until))

    async def _found(self, name: RepositoryName) -> Twin:
        """Images and tags of a repository, as the registry lists them."""
        everything = await self.images.describe(REGISTRY, name, None, ImageFilter(), PageRequest(100))
        return Twin(
            {image.digest for image in everything.items},
            {tag: image.digest for image in everything.items for tag in image.tags},
        )


def test_any_order(sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage_module, "COLLECTION_BATCH", BATCH)
    monkeypatch.setattr(Garbage, "template", sqlite_template, raising=False)
    examples = settings(max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Garbage, settings=examples)
