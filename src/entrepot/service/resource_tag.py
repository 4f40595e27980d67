"""Resource tags: add, remove and list those of a repository. Policies speak of them, so a change is one of access.

Spec: ECR API, TagResource, UntagResource and ListTagsForResource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.resource_tag import merge
from entrepot.store.metadata import resource_tag as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from entrepot.store.metadata.repository import find_repository, hold_repository


class ResourceTagService:
    """Tags that describe repositories; image tags are another thing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, registry: Registry, name: RepositoryName, tags: Mapping[str, str]) -> None:
        """Merge checked tags into those of the repository; the same key overwrites.

        Raises:
            RepositoryNotFound: no repository of that name.
            TooManyTags: it would have more than a repository can have.
        """

        def change(connection: Connection) -> None:
            repository_id = _hold(connection, registry, name)
            merge(rows.list_resource_tags(connection, repository_id), tags)
            rows.put_resource_tags(connection, repository_id, tags)
            raise_access_epoch(connection, registry.account_id)

        await self._database.write(change)

    async def remove(self, registry: Registry, name: RepositoryName, keys: Sequence[str]) -> None:
        """Remove tags by key; keys that are not there do not matter.

        Raises:
            RepositoryNotFound: no repository of that name.
        """

        def change(connection: Connection) -> None:
            rows.delete_resource_tags(connection, _hold(connection, registry, name), keys)
            raise_access_epoch(connection, registry.account_id)

        await self._database.write(change)

    async def list(self, registry: Registry, name: RepositoryName) -> dict[str, str]:
        """All tags, in order of their keys.

        Raises:
            RepositoryNotFound: no repository of that name.
        """

        def query(connection: Connection) -> dict[str, str]:
            found = find_repository(connection, registry, name)
            if found is None:
                raise RepositoryNotFound(registry, name)
            return rows.list_resource_tags(connection, found.id)

        return await self._database.read(query)


def _hold(connection: Connection, registry: Registry, name: RepositoryName) -> int:
    """Lock the repository against other changes of its tags; its row id."""
    held = hold_repository(connection, registry, name)
    if held is None:
        raise RepositoryNotFound(registry, name)
    return held.repository.id
