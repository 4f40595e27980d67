"""Tags of keys.

Spec: KMS API, TagResource, UntagResource, ListResourceTags.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from entrepot.domain.kms import KeyName, KmsKey
from entrepot.domain.kms_error import KmsTagInvalid
from entrepot.domain.kms_limit import TAGS_MAX
from entrepot.domain.page import Page, PageRequest, slice_page
from entrepot.service.kms.key import begin_change, check_not_pending, get_key
from entrepot.store.metadata import kms_tag as rows
from entrepot.store.metadata.base import Database


class KmsTagService:
    """What can be done with the tags of a key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, key: KmsKey, page: PageRequest) -> Page[tuple[str, str]]:
        """Key and value of a key's tags, by key."""
        found = await self._database.read(lambda connection: rows.list_tags(connection, key.id))
        return slice_page(list(found.items()), page)

    async def put(self, key: KmsKey, tags: Mapping[str, str]) -> None:
        """Add tags; those whose keys are there are replaced.

        Raises:
            KmsTagInvalid: more than a key can have.
            KeyNotFound, KeyStateInvalid: the key is gone, or about to be.
        """

        def change(connection: Connection) -> None:
            _begin(connection, key)
            check_count(rows.list_tags(connection, key.id).keys() | tags.keys())
            rows.put_tags(connection, key.id, tags)

        await self._database.write(change)

    async def remove(self, key: KmsKey, names: Collection[str]) -> None:
        """Remove tags by key; keys that are not there do not matter.

        Raises:
            KeyNotFound, KeyStateInvalid: the key is gone, or about to be.
        """

        def change(connection: Connection) -> None:
            _begin(connection, key)
            there = rows.list_tags(connection, key.id).keys()  # a request may name more than a statement can
            rows.delete_tags(connection, key.id, there & set(names))

        await self._database.write(change)


def check_count(names: Collection[str]) -> None:
    """Check that a key can have tags with these keys.

    Raises:
        KmsTagInvalid
    """
    if len(names) > TAGS_MAX:
        raise KmsTagInvalid("Too many tags")


def _begin(connection: Connection, key: KmsKey) -> None:
    begin_change(connection, key.place.account_id)
    check_not_pending(get_key(connection, KeyName(key.place, key.id)))
