"""Repositories: create, describe, change, delete.

Spec: ECR API, CreateRepository, DescribeRepositories, DeleteRepository, PutImageTagMutability and
PutImageScanningConfiguration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from entrepot.domain.error import (
    InvalidParameter,
    LimitExceeded,
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
)
from entrepot.domain.event import Event, EventKind
from entrepot.domain.key_provider import KeyRefused
from entrepot.domain.kms_use import ChosenKey
from entrepot.domain.limit import REPOSITORIES_MAX
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.domain.registry import Registry
from entrepot.domain.repository import Repository, RepositoryName, RepositorySettings
from entrepot.domain.sealed_key import EncryptionType
from entrepot.domain.tag_mutability import TagMutability
from entrepot.domain.view import RepositoryView
from entrepot.service.context import Context
from entrepot.service.event import record
from entrepot.service.key import KeyService
from entrepot.service.protection import Protection
from entrepot.service.repository_key import RepositoryKeys
from entrepot.store.metadata import repository as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.registry import hold_registry
from entrepot.store.metadata.repository_removal import delete_repository
from entrepot.store.metadata.resource_tag import put_resource_tags
from entrepot.store.metadata.view import view_repository


class RepositoryService:
    """What can be done with repositories as wholes."""

    def __init__(
        self,
        database: Database,
        context: Context,
        key: KeyService,
        repositories_max: int = REPOSITORIES_MAX,
        protection: Protection | None = None,
        repository_keys: RepositoryKeys | None = None,
        *,
        has_dsse_everywhere: bool = True,
    ) -> None:
        self._database = database
        self._context = context
        self._key = key
        self._repositories_max = repositories_max
        self._protection = protection
        self._keys = repository_keys or RepositoryKeys()
        self._has_dsse_everywhere = has_dsse_everywhere

    async def create(
        self,
        registry: Registry,
        name: RepositoryName,
        settings: RepositorySettings,
        resource_tags: Mapping[str, str],
        chosen: ChosenKey | None = None,
    ) -> Repository:
        """Make an empty repository. Of two at once with one name, one is refused.

        `chosen` is the KMS key that protects it, if that was looked for already.

        Raises:
            RepositoryAlreadyExists: the name is taken.
            LimitExceeded: the registry is full.
            KeyRefused, KeyProviderAway: the KMS key cannot be used.
            InvalidParameter: an account that does not exist.
        """
        if chosen is None:
            chosen = await self.choose_key(registry, settings)
        if chosen is not None:
            settings = replace(settings, kms_key=chosen.arn)
        sealed = None if chosen is None else await self._protector.make(chosen, registry.repository_arn(name))

        def change(connection: Connection) -> Repository:
            now = self._context.now_micros()
            registry_id = hold_registry(connection, registry, now)
            place = self._place(connection, registry, registry_id, name, settings, chosen, sealed)
            made = rows.insert_repository(connection, place, name, settings, now)
            if made is None:
                raise RepositoryAlreadyExists(registry, name)
            if rows.has_repositories_beyond(connection, registry_id, self._repositories_max):
                raise LimitExceeded(f"A registry can have at most {self._repositories_max} repositories")
            put_resource_tags(connection, made.id, resource_tags)
            record(connection, registry_id, Event(EventKind.REPOSITORY_CREATED, name, {}), now)
            return made

        return await self._database.write(change)

    async def choose_key(self, registry: Registry, settings: RepositorySettings) -> ChosenKey | None:
        """The KMS key that the settings of a new repository ask for, if any.

        Raises:
            KeyRefused, KeyProviderAway: there is no such key, or none for this.
            InvalidParameter: a type of encryption that the region does not have.
        """
        kind = settings.encryption_type
        if kind == EncryptionType.KMS_DSSE and not self._has_dsse_everywhere and registry.partition != "aws-us-gov":
            raise InvalidParameter("encryptionConfiguration", "KMS_DSSE is available only in AWS GovCloud (US) regions")
        return None if kind == EncryptionType.AES256 else await self._protector.choose(registry, settings.kms_key)

    async def check_key(self, repository: Repository) -> None:
        """Check that what a repository holds may be given out: its key opens.

        Raises:
            KeyRefused, KeyProviderAway
        """
        await self._keys.check(repository)

    async def get(self, registry: Registry, name: RepositoryName) -> Repository:
        """One repository.

        Raises:
            RepositoryNotFound: no repository of that name.
        """
        found = await self._database.lookup(lambda connection: rows.find_repository(connection, registry, name))
        if found is None:
            raise RepositoryNotFound(registry, name)
        return found

    async def describe(
        self, registry: Registry, names: Sequence[RepositoryName] | None, page: PageRequest
    ) -> Page[Repository]:
        """A page of all repositories by name (key: the name), or all of `names` at once.

        Raises:
            RepositoryNotFound: one of `names` does not exist; none is shown then.
            KeyRefused: the KMS key of one of `names` is about to be deleted; it says what is lost with it.
        """
        if names is not None:
            return Page(await self._describe_named(registry, names))
        after = None if page.after is None else RepositoryName(str(page.after[0]))
        found = await self._database.read(
            lambda connection: rows.list_repositories(connection, registry, after, page.size + 1)
        )
        return cut_page(found, page.size, lambda repository: (repository.name,))

    async def delete(self, registry: Registry, name: RepositoryName, force: bool) -> Repository:
        """Delete a repository, with its images only if `force`; it is returned as it was.

        Raises:
            RepositoryNotFound: no repository of that name.
            RepositoryNotEmpty: it has images and `force` is not given.
        """

        def change(connection: Connection) -> Repository:
            held = _hold(connection, registry, name, is_for_deletion=True)
            if not force and rows.has_images(connection, held.repository.id):
                raise RepositoryNotEmpty(registry, name)
            now = self._context.now_micros()
            delete_repository(connection, held.repository.id, now)
            if held.repository.seal is not None:
                self._protector.retire(connection, held.repository.seal)
            record(connection, held.registry_id, Event(EventKind.REPOSITORY_DELETED, name, {}), now)
            return held.repository

        return await self._database.write(change)

    async def set_tag_mutability(self, registry: Registry, name: RepositoryName, setting: TagMutability) -> Repository:
        """Change which image tags may move; tags that exist are not touched.

        Waits for pushes that read the old rule, so that no tag moves under it after this has returned.

        Raises:
            RepositoryNotFound: no repository of that name.
        """
        return await self._change(
            registry, name, lambda c, row_id: rows.set_tag_mutability(c, row_id, setting), waits_for_pushes=True
        )

    async def set_scan_on_push(self, registry: Registry, name: RepositoryName, scan_on_push: bool) -> Repository:
        """Change whether images are scanned when they are pushed.

        Raises:
            RepositoryNotFound: no repository of that name.
        """
        return await self._change(registry, name, lambda c, row_id: rows.set_scan_on_push(c, row_id, scan_on_push))

    async def view(self, caller_account_id: str, registry: Registry, name: RepositoryName) -> RepositoryView:
        """The repository, if there is one, with the access epochs of both accounts: one read."""
        return await self._database.lookup(
            lambda connection: view_repository(connection, caller_account_id, registry, name)
        )

    @property
    def _protector(self) -> Protection:
        if self._protection is None:
            raise KeyRefused("", "NotFoundException", "There are no KMS keys")
        return self._protection

    def _place(
        self,
        connection: Connection,
        registry: Registry,
        registry_id: int,
        name: RepositoryName,
        settings: RepositorySettings,
        chosen: ChosenKey | None,
        sealed: bytes | None,
    ) -> rows.RepositoryPlace:
        """Where a new repository goes: repositories of one account under one KMS key share their blobs."""
        if chosen is None or sealed is None:
            domain_id = self._key.new_domain(connection, f"account:{registry.account_id}")
            return rows.RepositoryPlace(registry, registry_id, domain_id)
        is_doubled = settings.encryption_type == EncryptionType.KMS_DSSE
        domain_id = self._key.new_kms_domain(connection, registry.account_id, chosen.arn, is_doubled=is_doubled)
        grant_id = self._protector.grant(connection, chosen, registry, registry.repository_arn(name))
        return rows.RepositoryPlace(registry, registry_id, domain_id, chosen.account_id, sealed, grant_id)

    async def _describe_named(self, registry: Registry, names: Sequence[RepositoryName]) -> list[Repository]:
        found = await self._database.read(lambda connection: rows.list_named_repositories(connection, registry, names))
        missing = set(names).difference(repository.name for repository in found)
        if missing:
            raise RepositoryNotFound(registry, next(name for name in names if name in missing))
        if self._protection is not None:
            await self._protection.check_lasting(found)
        return found

    async def _change(
        self,
        registry: Registry,
        name: RepositoryName,
        change: Callable[[Connection, int], None],
        *,
        waits_for_pushes: bool = False,
    ) -> Repository:
        def changed(connection: Connection) -> Repository:
            held = _hold(connection, registry, name, is_for_deletion=waits_for_pushes)
            change(connection, held.repository.id)
            return _hold(connection, registry, name).repository

        return await self._database.write(changed)


def _hold(
    connection: Connection, registry: Registry, name: RepositoryName, *, is_for_deletion: bool = False
) -> rows.HeldRepository:
    held = rows.hold_repository(connection, registry, name, is_for_deletion=is_for_deletion)
    if held is None:
        raise RepositoryNotFound(registry, name)
    return held
