"""Repositories: create, describe, change, delete.

Spec: ECR API, CreateRepository, DescribeRepositories, DeleteRepository, PutImageTagMutability and
PutImageScanningConfiguration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from entrepot.domain.error import (
    InvalidParameter,
    KeyUnavailable,
    LimitExceeded,
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
)
from entrepot.domain.event import Event, EventKind
from entrepot.domain.limit import REPOSITORIES_MAX
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.domain.registry import Registry
from entrepot.domain.repository import Repository, RepositoryName, RepositorySettings
from entrepot.domain.tag_mutability import TagMutability
from entrepot.domain.view import RepositoryView
from entrepot.service.context import Context
from entrepot.service.event import record
from entrepot.service.key import KeyService
from entrepot.store.metadata import repository as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.registry import hold_registry
from entrepot.store.metadata.repository_removal import delete_repository
from entrepot.store.metadata.resource_tag import put_resource_tags
from entrepot.store.metadata.view import view_repository


class RepositoryService:
    """What can be done with repositories as wholes."""

    def __init__(
        self, database: Database, context: Context, key: KeyService, repositories_max: int = REPOSITORIES_MAX
    ) -> None:
        self._database = database
        self._context = context
        self._key = key
        self._repositories_max = repositories_max

    async def create(
        self, registry: Registry, name: RepositoryName, settings: RepositorySettings, resource_tags: Mapping[str, str]
    ) -> Repository:
        """Make an empty repository. Of two at once with one name, one is refused.

        Raises:
            RepositoryAlreadyExists: the name is taken.
            LimitExceeded: the registry is full.
            KeyUnavailable: encryption with a KMS key, which this registry does not have yet.
            InvalidParameter: KMS_DSSE outside GovCloud, or an account that does not exist.
        """
        _check_encryption(registry, settings.encryption_type)

        def change(connection: Connection) -> Repository:
            now = self._context.now_micros()
            registry_id = hold_registry(connection, registry, now)
            domain_id = self._key.new_domain(connection, f"account:{registry.account_id}")
            place = rows.RepositoryPlace(registry, registry_id, domain_id)
            made = rows.insert_repository(connection, place, name, settings, now)
            if made is None:
                raise RepositoryAlreadyExists(registry, name)
            if rows.has_repositories_beyond(connection, registry_id, self._repositories_max):
                raise LimitExceeded(f"A registry can have at most {self._repositories_max} repositories")
            put_resource_tags(connection, made.id, resource_tags)
            record(connection, registry_id, Event(EventKind.REPOSITORY_CREATED, name, {}), now)
            return made

        return await self._database.write(change)

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

    async def _describe_named(self, registry: Registry, names: Sequence[RepositoryName]) -> list[Repository]:
        found = await self._database.read(lambda connection: rows.list_named_repositories(connection, registry, names))
        missing = set(names).difference(repository.name for repository in found)
        if missing:
            raise RepositoryNotFound(registry, next(name for name in names if name in missing))
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


def _check_encryption(registry: Registry, encryption_type: str) -> None:
    if encryption_type == "KMS_DSSE" and registry.partition != "aws-us-gov":
        raise InvalidParameter("encryptionConfiguration", "KMS_DSSE is available only in AWS GovCloud (US) regions")
    if encryption_type != "AES256":
        raise KeyUnavailable(
            f"Encryption of type {encryption_type} is not available: this registry has no KMS keys yet"
        )
