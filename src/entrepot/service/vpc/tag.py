"""Tags of EC2: on endpoints that exist, and on anything else of a VPC whose id has the right form.

Spec: EC2 API, CreateTags, DeleteTags, DescribeTags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from entrepot.domain.ec2_error import Ec2TagLimitExceeded, EndpointNotFound
from entrepot.domain.limit import RESOURCE_TAGS_MAX
from entrepot.domain.registry import Registry
from entrepot.domain.vpc_endpoint import IdKind
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.ec2_tag import delete_ec2_tags, list_ec2_tags, list_tags_by_resource, put_ec2_tags
from entrepot.store.metadata.network import raise_network_epoch
from entrepot.store.metadata.vpc_endpoint import find_endpoint


class Ec2TagService:
    """Tags are exactly the caller's: nothing adds one of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, owner: Registry, resource_ids: Sequence[str], tags: Mapping[str, str]) -> None:
        """Add tags to all of some resources, or to none.

        Raises:
            EndpointNotFound, Ec2TagLimitExceeded
        """

        def change(connection: Connection) -> None:
            raise_network_epoch(connection)
            for resource_id in resource_ids:
                _check_exists(connection, owner, resource_id)
                if len(list_ec2_tags(connection, owner, resource_id) | dict(tags)) > RESOURCE_TAGS_MAX:
                    raise Ec2TagLimitExceeded(RESOURCE_TAGS_MAX)
                put_ec2_tags(connection, owner, resource_id, tags)

        await self._database.write(change)

    async def remove(self, owner: Registry, resource_ids: Sequence[str], tags: Mapping[str, str | None] | None) -> None:
        """Remove tags by key, those with a value only if they have it; None: all of them.

        Raises:
            EndpointNotFound
        """

        def change(connection: Connection) -> None:
            for resource_id in resource_ids:
                _check_exists(connection, owner, resource_id)
                delete_ec2_tags(connection, owner, resource_id, tags)

        await self._database.write(change)

    async def by_resource(self, owner: Registry) -> dict[str, dict[str, str]]:
        """Resource id to tags, of everything in an account and region."""
        return await self._database.read(lambda connection: list_tags_by_resource(connection, owner))


def _check_exists(connection: Connection, owner: Registry, resource_id: str) -> None:
    is_endpoint = resource_id.startswith(f"{IdKind.ENDPOINT}-")
    if is_endpoint and find_endpoint(connection, resource_id, owner) is None:
        raise EndpointNotFound(resource_id)
