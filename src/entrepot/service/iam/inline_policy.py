"""Inline policies: documents written into one user, group or role.

Spec: IAM API, PutUserPolicy, GetUserPolicy, ListUserPolicies, DeleteUserPolicy and their likes; IAM user guide, "IAM
and AWS STS quotas": all inline policies of one user, group or role together have a length.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam import Entity
from entrepot.domain.iam_error import EntityNotFound, InlineTooLong
from entrepot.domain.iam_limit import INLINE_LENGTH_MAX
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.service.iam.attachment import Holder, get_holder
from entrepot.service.iam.entity import begin_change
from entrepot.service.iam.policy_document import check_document, length_of
from entrepot.store.metadata import iam_inline_policy as rows
from entrepot.store.metadata.base import Database


class IamInlinePolicyService:
    """What can be done with inline policies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, holder: Holder, name: str, document: str) -> None:
        """Add or replace a policy.

        Raises:
            MalformedPolicy: the document is no policy.
            EntityNotFound: no such user, group or role.
            InlineTooLong: more characters than all its inline policies together can have.
        """
        check_document(document)

        def change(connection: Connection) -> None:
            begin_change(connection, holder.account_id)
            entity = get_holder(connection, holder)
            _check_length(connection, entity, name, document)
            rows.put_inline_policy(connection, entity.id, name, document)

        await self._database.write(change)

    async def get(self, holder: Holder, name: str) -> str:
        """The document of a policy, as it was written.

        Raises:
            EntityNotFound: no such user, group or role, or it has no such policy.
        """

        def query(connection: Connection) -> str:
            found = rows.find_inline_policy(connection, get_holder(connection, holder).id, name)
            if found is None:
                raise _missing(holder, name)
            return found

        return await self._database.read(query)

    async def list(self, holder: Holder, page: PageRequest) -> Page[str]:
        """The names of its policies.

        Raises:
            EntityNotFound: no such user, group or role.
        """

        def query(connection: Connection) -> Page[str]:
            after = "" if page.after is None else str(page.after[0])
            entity = get_holder(connection, holder)
            names = rows.list_inline_names(connection, entity.id, after, page.size + 1)
            return cut_page(names, page.size, lambda name: (name,))

        return await self._database.read(query)

    async def delete(self, holder: Holder, name: str) -> None:
        """Delete a policy.

        Raises:
            EntityNotFound: no such user, group or role, or it has no such policy.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, holder.account_id)
            if not rows.delete_inline_policy(connection, get_holder(connection, holder).id, name):
                raise _missing(holder, name)

        await self._database.write(change)


def _check_length(connection: Connection, entity: Entity, name: str, document: str) -> None:
    others = [text for _, other, text in rows.list_inline_policies(connection, [entity.id]) if other != name]
    most = INLINE_LENGTH_MAX[entity.kind]
    if sum(map(length_of, [*others, document])) > most:
        raise InlineTooLong(entity.kind.value, entity.name, most)


def _missing(holder: Holder, name: str) -> EntityNotFound:
    return EntityNotFound(f"{holder.kind.value} policy", name)
