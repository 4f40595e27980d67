"""Attachments: managed policies hung on users, groups and roles and taken down again.

Spec: IAM API, AttachUserPolicy, DetachUserPolicy, ListAttachedUserPolicies and their likes; ListEntitiesForPolicy.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from entrepot.domain.iam_error import EntityNotFound
from entrepot.domain.iam_limit import ATTACHED_POLICIES
from entrepot.domain.managed_policy import AwsPolicies, PolicyArn, PolicyUse
from entrepot.domain.page import Page, PageRequest, slice_page
from entrepot.service.context import Context
from entrepot.service.iam.entity import begin_change, check_quota, get_entity
from entrepot.service.iam.managed import ATTACHABLE, get_policy, read_arn
from entrepot.store.metadata import iam_attachment as rows
from entrepot.store.metadata.base import Database


@dataclass(frozen=True, slots=True)
class Holder:
    """A user, group or role by name."""

    account_id: str
    kind: EntityKind
    name: str


@dataclass(frozen=True, slots=True)
class HolderFilter:
    """Which of those who have a policy a list has."""

    kinds: Collection[EntityKind] = (EntityKind.GROUP, EntityKind.ROLE, EntityKind.USER)
    path_prefix: str = "/"
    use: PolicyUse = PolicyUse.ANY


class IamAttachmentService:
    """What hangs on whom."""

    def __init__(self, database: Database, context: Context, aws: AwsPolicies) -> None:
        self._database, self._context, self._aws = database, context, aws

    async def attach(self, holder: Holder, arn: str) -> None:
        """Attach a policy of the account or of AWS; once more changes nothing.

        Raises:
            InvalidInput: no ARN of a managed policy.
            EntityNotFound: no such user, group, role or policy.
            QuotaExceeded: as many policies hang there as can.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, holder.account_id)
            entity = get_holder(connection, holder)
            get_policy(connection, self._aws, holder.account_id, arn, EntityNotFound(ATTACHABLE, arn))
            attached = rows.list_attached_arns(connection, [entity.id])
            if arn not in attached:
                check_quota(ATTACHED_POLICIES[holder.kind], len(attached))
                rows.insert_attachment(connection, entity.id, arn, self._context.now_micros())

        await self._database.write(change)

    async def detach(self, holder: Holder, arn: str) -> None:
        """Detach a policy.

        Raises:
            InvalidInput: no ARN of a managed policy.
            EntityNotFound: no such user, group or role, or the policy does not hang there.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, holder.account_id)
            entity = get_holder(connection, holder)
            read_arn(arn)
            if not rows.delete_attachment(connection, entity.id, arn):
                raise EntityNotFound("policy", arn)

        await self._database.write(change)

    async def list(self, holder: Holder, path_prefix: str, page: PageRequest) -> Page[PolicyArn]:
        """The policies that hang on a user, group or role and whose paths begin so, as they were attached.

        Raises:
            EntityNotFound: no such user, group or role.
        """

        def query(connection: Connection) -> Page[PolicyArn]:
            attached = rows.list_attachments(connection, [get_holder(connection, holder).id])
            arns = (read_arn(arn) for _, arn in attached)
            return slice_page([arn for arn in arns if arn.path.startswith(path_prefix)], page)

        return await self._database.read(query)

    async def list_holders(self, account_id: str, arn: str, wanted: HolderFilter, page: PageRequest) -> Page[Entity]:
        """Who of the account has a policy, by kind and name.

        Raises:
            InvalidInput: no ARN of a managed policy.
            EntityNotFound: no such policy.
        """

        def query(connection: Connection) -> Page[Entity]:
            get_policy(connection, self._aws, account_id, arn, EntityNotFound(ATTACHABLE, arn))
            found = rows.list_users_of_policy(
                connection, account_id, arn, wanted.kinds, wanted.use, path_prefix=wanted.path_prefix
            )
            return slice_page(found, page)

        return await self._database.read(query)


def get_holder(connection: Connection, holder: Holder) -> Entity:
    """The user, group or role.

    Raises:
        EntityNotFound: there is none.
    """
    return get_entity(connection, holder.account_id, holder.kind, holder.name)
