"""Versions of managed policies: at most five, of which one is the default and counts.

Spec: IAM user guide, "Versioning IAM policies"; IAM API, CreatePolicyVersion, GetPolicyVersion, ListPolicyVersions,
DeletePolicyVersion, SetDefaultPolicyVersion.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.iam_error import EntityNotFound, PolicyBond, PolicyNotDeletable
from entrepot.domain.iam_limit import POLICY_VERSIONS, POLICY_VERSIONS_OF_ACCOUNT
from entrepot.domain.managed_policy import AwsPolicies, PolicyVersion, PolicyView
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.service.context import Context
from entrepot.service.iam.entity import begin_change, check_quota
from entrepot.service.iam.managed import ATTACHABLE, get_own_policy, get_policy, versions_of
from entrepot.service.iam.policy import check_document_of_policy
from entrepot.store.metadata import iam_policy_version as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_policy import set_default_version, take_version_number


class IamPolicyVersionService:
    """What can be done with single versions."""

    def __init__(self, database: Database, context: Context, aws: AwsPolicies) -> None:
        self._database, self._context, self._aws = database, context, aws

    async def create(self, account_id: str, arn: str, document: str, *, is_default: bool) -> PolicyVersion:
        """Add a version; numbers of deleted versions are not used again.

        Raises:
            MalformedPolicy: the document is no policy.
            InvalidInput, NotModifiable, EntityNotFound: as of every policy.
            QuotaExceeded: characters of the document, or versions of the policy or the account.
        """
        check_document_of_policy(document)

        def change(connection: Connection) -> PolicyVersion:
            begin_change(connection, account_id)
            missing = EntityNotFound(ATTACHABLE, arn)
            policy_id = get_own_policy(connection, account_id, arn, missing).policy.id
            check_quota(POLICY_VERSIONS, len(rows.list_versions(connection, policy_id)))
            check_quota(POLICY_VERSIONS_OF_ACCOUNT, rows.count_versions_of_account(connection, account_id))
            now = self._context.now_micros()
            number = take_version_number(connection, policy_id, now)
            version = PolicyVersion(number, document, self._context.now(), is_default)
            rows.insert_version(connection, policy_id, version, now)
            if is_default:
                set_default_version(connection, policy_id, number)
            return version

        return await self._database.write(change)

    async def get(self, account_id: str, arn: str, version: str) -> PolicyVersion:
        """A version of a policy of the account or of AWS.

        Raises:
            InvalidInput: no ARN of a managed policy.
            EntityNotFound: there is no such policy, or no such version of it.
        """

        def query(connection: Connection) -> PolicyVersion:
            missing = _missing(arn, version)
            policy = get_policy(connection, self._aws, account_id, arn, missing)
            return _pick(versions_of(connection, self._aws, policy), version, missing)

        return await self._database.read(query)

    async def list(self, account_id: str, arn: str, page: PageRequest) -> Page[PolicyVersion]:
        """Versions, newest first.

        Raises:
            InvalidInput: no ARN of a managed policy.
            EntityNotFound: there is none.
        """

        def query(connection: Connection) -> Page[PolicyVersion]:
            policy = get_policy(connection, self._aws, account_id, arn)
            before = None if page.after is None else int(page.after[0])
            versions = versions_of(connection, self._aws, policy)
            found = [version for version in versions if before is None or version.number < before]
            return cut_page(found, page.size, lambda version: (version.number,))

        return await self._database.read(query)

    async def delete(self, account_id: str, arn: str, version: str) -> None:
        """Delete a version other than the default.

        Raises:
            InvalidInput, NotModifiable, EntityNotFound: as of every policy and version.
            PolicyNotDeletable: it is the default version.
        """

        def change(connection: Connection) -> None:
            policy, found = self._begin(connection, account_id, arn, version)
            if found.is_default:
                raise PolicyNotDeletable(PolicyBond.DEFAULT)
            rows.delete_version(connection, policy.policy.id, found.number)

        await self._database.write(change)

    async def set_default(self, account_id: str, arn: str, version: str) -> None:
        """Make a version the one that counts.

        Raises:
            InvalidInput, NotModifiable, EntityNotFound: as of every policy and version.
        """

        def change(connection: Connection) -> None:
            policy, found = self._begin(connection, account_id, arn, version)
            set_default_version(connection, policy.policy.id, found.number)

        await self._database.write(change)

    def _begin(
        self, connection: Connection, account_id: str, arn: str, version: str
    ) -> tuple[PolicyView, PolicyVersion]:
        begin_change(connection, account_id)
        missing = _missing(arn, version)
        policy = get_own_policy(connection, account_id, arn, missing)
        return policy, _pick(rows.list_versions(connection, policy.policy.id), version, missing)


def _pick(versions: list[PolicyVersion], version: str, missing: EntityNotFound) -> PolicyVersion:
    for one in versions:
        if one.id == version:
            return one
    raise missing


def _missing(arn: str, version: str) -> EntityNotFound:
    """IAM does not say whether the policy or only the version is not there."""
    return EntityNotFound(ATTACHABLE, f"{arn} version {version}")
