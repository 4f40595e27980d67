"""Managed policies: made, looked at, listed with what uses them, and deleted.

Spec: IAM API, CreatePolicy, GetPolicy, ListPolicies, DeletePolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.iam import NewEntity
from entrepot.domain.iam_error import PolicyBond, PolicyNotDeletable, QuotaExceeded
from entrepot.domain.iam_limit import POLICY_LENGTH_MAX, POLICY_VERSIONS_OF_ACCOUNT
from entrepot.domain.iam_tag import merge_tags
from entrepot.domain.managed_policy import AwsPolicies, PolicyUse, PolicyVersion, PolicyView
from entrepot.domain.page import Key, Page, PageRequest, cut_page
from entrepot.service.context import Context
from entrepot.service.iam.entity import add_entity, begin_change, check_quota
from entrepot.service.iam.managed import get_own_policy, get_policy
from entrepot.service.iam.policy_document import check_document, length_of
from entrepot.service.iam.removal import remove_entity
from entrepot.store.metadata import iam_policy as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_entity import find_entity_by_id
from entrepot.store.metadata.iam_policy_version import count_versions_of_account, insert_version, list_versions
from entrepot.store.metadata.iam_tag import list_tags, put_tags

_OWN: Final = "own"
_AWS: Final = "aws"
"""What the keys of pages begin with, by whose policies they are."""


class PolicyScope(Enum):
    """Whose policies a list has."""

    ALL = "All"
    AWS = "AWS"
    LOCAL = "Local"


@dataclass(frozen=True, slots=True)
class PolicyFilter:
    """Which policies a list has."""

    scope: PolicyScope = PolicyScope.ALL
    path_prefix: str = "/"
    is_attached: bool = False
    """Only those that hang on users, groups or roles of the account."""
    use: PolicyUse = PolicyUse.ANY

    def has(self, policy: PolicyView) -> bool:
        """Whether the list has a policy, whosever it is."""
        if not policy.policy.arn.path.startswith(self.path_prefix):
            return False
        if (self.is_attached or self.use is PolicyUse.PERMISSIONS) and not policy.attachments:
            return False
        return self.use is not PolicyUse.BOUNDARY or policy.boundaries > 0


class IamPolicyService:
    """What can be done with managed policies as wholes."""

    def __init__(self, database: Database, context: Context, aws: AwsPolicies) -> None:
        self._database, self._context, self._aws = database, context, aws

    async def create(self, wanted: NewEntity, document: str, tags: Mapping[str, str]) -> PolicyView:
        """Make a policy, whose document is version 1 and the default.

        Raises:
            MalformedPolicy: the document is no policy.
            EntityAlreadyExists: the name is taken, in any case and path.
            QuotaExceeded: characters of the document, policies or versions of the account, or tags.
        """
        check_document_of_policy(document)

        def change(connection: Connection) -> PolicyView:
            begin_change(connection, wanted.account_id)
            entity, now = add_entity(connection, self._context, wanted), self._context.now_micros()
            check_quota(POLICY_VERSIONS_OF_ACCOUNT, count_versions_of_account(connection, wanted.account_id))
            rows.insert_policy(connection, entity, now)
            insert_version(connection, entity.id, PolicyVersion(1, document, self._context.now(), is_default=True), now)
            put_tags(connection, entity.id, merge_tags({}, tags))
            made = get_own_policy(connection, wanted.account_id, entity.arn)
            return replace(made, tags=tags)

        return await self._database.write(change)

    async def get(self, account_id: str, arn: str) -> PolicyView:
        """A policy of the account or of AWS.

        Raises:
            InvalidInput: no ARN of a managed policy.
            EntityNotFound: there is none.
        """

        def query(connection: Connection) -> PolicyView:
            found = get_policy(connection, self._aws, account_id, arn)
            return replace(found, tags=list_tags(connection, found.policy.id))

        return await self._database.read(query)

    async def list(self, account_id: str, wanted: PolicyFilter, page: PageRequest) -> Page[PolicyView]:
        """Policies without tags: the account's by name, then AWS's, the oldest first."""

        def query(connection: Connection) -> Page[PolicyView]:
            return list_policies(connection, self._aws, account_id, wanted, page)

        return await self._database.read(query)

    async def delete(self, account_id: str, arn: str) -> None:
        """Delete a policy that nobody has and of which only the default version is left.

        Raises:
            InvalidInput: no ARN of a managed policy.
            NotModifiable: it is AWS's.
            EntityNotFound: there is none.
            PolicyNotDeletable: somebody has it, or there are other versions.
        """

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            found = get_own_policy(connection, account_id, arn)
            _check_unused(connection, found)
            rows.delete_policy(connection, found.policy.id)
            entity = find_entity_by_id(connection, found.policy.id)
            if entity is not None:
                remove_entity(connection, entity)

        await self._database.write(change)


def list_policies(
    connection: Connection, aws: AwsPolicies, account_id: str, wanted: PolicyFilter, page: PageRequest
) -> Page[PolicyView]:
    """A page of the policies that an account can see, without tags."""
    found = [] if wanted.scope is PolicyScope.AWS else _own(connection, account_id, wanted, page)
    if wanted.scope is not PolicyScope.LOCAL and len(found) <= page.size:
        found += _of_aws(connection, aws, account_id, wanted, page)
    return cut_page(found, page.size, _key_of)


def check_document_of_policy(document: str) -> None:
    """Check the document of a managed policy.

    Raises:
        MalformedPolicy: it is no policy.
        QuotaExceeded: too many characters.
    """
    check_document(document)
    if length_of(document) > POLICY_LENGTH_MAX:
        raise QuotaExceeded("PolicySize", POLICY_LENGTH_MAX)


def _check_unused(connection: Connection, policy: PolicyView) -> None:
    if policy.attachments or policy.boundaries:
        raise PolicyNotDeletable(PolicyBond.ATTACHED)
    if len(list_versions(connection, policy.policy.id)) > 1:
        raise PolicyNotDeletable(PolicyBond.VERSIONS)


def _own(connection: Connection, account_id: str, wanted: PolicyFilter, page: PageRequest) -> list[PolicyView]:
    after = page.after or (_OWN, "")
    if after[0] != _OWN:
        return []
    query = rows.PolicyQuery(
        account_id, wanted.path_prefix, wanted.is_attached, wanted.use, str(after[1]), page.size + 1
    )
    return rows.list_policies(connection, query)


def _of_aws(
    connection: Connection, aws: AwsPolicies, account_id: str, wanted: PolicyFilter, page: PageRequest
) -> list[PolicyView]:
    uses = rows.count_uses_of_aws(connection, account_id)
    views = [PolicyView(policy.policy, *uses.get(arn, (0, 0))) for arn, policy in aws.items()]
    if page.after and page.after[0] == _AWS:
        ids = [view.policy.id for view in views]
        views = views[ids.index(str(page.after[1])) + 1 :] if page.after[1] in ids else []
    return [view for view in views if wanted.has(view)]


def _key_of(policy: PolicyView) -> Key:
    """The account's come by name, AWS's in the order of AwsPolicies; an ARN would be too long for a Marker."""
    arn = policy.policy.arn
    return (_AWS, policy.policy.id) if arn.is_aws else (_OWN, arn.name.lower())
