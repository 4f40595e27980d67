"""Permissions boundaries: the managed policy that bounds what a user or role can be allowed.

Spec: IAM user guide, "Permissions boundaries for IAM entities"; IAM API, CreateUser, PutUserPermissionsBoundary,
DeleteUserPermissionsBoundary and those of roles.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam_error import EntityNotFound, InvalidValue
from entrepot.domain.managed_policy import AwsPolicies, parse_policy_arn
from entrepot.service.iam.attachment import Holder, get_holder
from entrepot.service.iam.entity import begin_change
from entrepot.service.iam.standing import load_managed
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import update_entity


class IamBoundaryService:
    """Boundaries of users and roles that exist."""

    def __init__(self, database: Database, aws: AwsPolicies) -> None:
        self._database, self._aws = database, aws

    async def put(self, holder: Holder, arn: str) -> None:
        """Bound a user or role by a managed policy, in the place of the one before.

        Raises:
            EntityNotFound: no such user, role or policy.
            InvalidValue: no ARN of a managed policy.
        """
        await self._set(holder, arn)

    async def delete(self, holder: Holder) -> None:
        """Let a user or role be bounded by nothing; one who is not bounded stays so.

        Raises:
            EntityNotFound: no such user or role.
        """
        await self._set(holder, None)

    async def _set(self, holder: Holder, arn: str | None) -> None:
        def change(connection: Connection) -> None:
            begin_change(connection, holder.account_id)
            entity = get_holder(connection, holder)
            check_boundary(connection, self._aws, holder.account_id, arn)
            update_entity(connection, entity.id, boundary=arn)

        await self._database.write(change)


def check_boundary(connection: Connection, aws: AwsPolicies, account_id: str, arn: str | None) -> None:
    """Check that what is to bound somebody exists; None bounds nobody.

    Raises:
        InvalidValue: no ARN of a managed policy.
        EntityNotFound: no managed policy of the account or of AWS has that ARN.
    """
    if arn is not None and parse_policy_arn(arn) is None:
        raise InvalidValue("PermissionsBoundary", arn)
    if arn is not None and load_managed(connection, aws, account_id, arn) is None:
        raise EntityNotFound("boundary", arn)
