"""Tags of users, roles and policies: added, removed and listed in one way for all three.

Spec: IAM API, TagUser, UntagUser, ListUserTags, and the same of roles and policies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.iam import EntityKind
from entrepot.domain.iam_tag import merge_tags
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.page import Page, PageRequest, slice_page
from entrepot.service.iam.entity import begin_change, get_entity
from entrepot.service.iam.managed import get_own_policy, get_policy
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_tag import delete_tags, list_tags, put_tags

Tag = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tagged:
    """What has tags: a user or role by name, a managed policy by ARN."""

    account_id: str
    kind: EntityKind
    name: str


class IamTagService:
    """Tags decide as `aws:PrincipalTag` and `iam:ResourceTag`, so a change of them is a change of access."""

    def __init__(self, database: Database, aws: AwsPolicies) -> None:
        self._database, self._aws = database, aws

    async def add(self, what: Tagged, tags: Mapping[str, str]) -> None:
        """Add tags; one whose key is there in any case is replaced.

        Raises:
            EntityNotFound: there is nothing of that name.
            InvalidInput, NotModifiable: no ARN of a managed policy, or one of AWS's.
            QuotaExceeded: it would have more tags than it can have.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, what.account_id)
            entity_id = _changeable(connection, what)
            merge_tags(list_tags(connection, entity_id), tags)
            put_tags(connection, entity_id, tags)

        await self._database.write(change)

    async def remove(self, what: Tagged, keys: Sequence[str]) -> None:
        """Remove tags by key, in any case; keys that are not there do not matter.

        Raises:
            EntityNotFound: there is nothing of that name.
            InvalidInput, NotModifiable: no ARN of a managed policy, or one of AWS's.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, what.account_id)
            delete_tags(connection, _changeable(connection, what), keys)

        await self._database.write(change)

    async def list(self, what: Tagged, page: PageRequest) -> Page[Tag]:
        """A page of the tags, by key; AWS's policies have none.

        Raises:
            EntityNotFound: there is nothing of that name.
            InvalidInput: no ARN of a managed policy.
        """

        def query(connection: Connection) -> Page[Tag]:
            return slice_page(list(list_tags(connection, self._visible(connection, what)).items()), page)

        return await self._database.read(query)

    def _visible(self, connection: Connection, what: Tagged) -> str:
        if what.kind is EntityKind.POLICY:
            return get_policy(connection, self._aws, what.account_id, what.name).policy.id
        return _changeable(connection, what)


def _changeable(connection: Connection, what: Tagged) -> str:
    """The unique id of what is to be changed."""
    if what.kind is EntityKind.POLICY:
        return get_own_policy(connection, what.account_id, what.name).policy.id
    return get_entity(connection, what.account_id, what.kind, what.name).id
