"""Permissions boundaries: the managed policy that bounds what a user or role can be allowed.

Spec: IAM user guide, "Permissions boundaries for IAM entities"; IAM API, CreateUser, PermissionsBoundary.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam_error import EntityNotFound
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.service.iam.standing import load_managed


def check_boundary(connection: Connection, aws: AwsPolicies, account_id: str, arn: str | None) -> None:
    """Check that what is to bound somebody exists; None bounds nobody.

    Raises:
        EntityNotFound: no managed policy of the account or of AWS has that ARN.
    """
    if arn is not None and load_managed(connection, aws, account_id, arn) is None:
        raise EntityNotFound("boundary", arn)
