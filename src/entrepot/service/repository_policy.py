"""Repository policies: who may do what with a repository, beside what identity policies say.

Spec: ECR API, SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy; ECR user guide, "Private repository
policies".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.policy.action import REPOSITORY_ACTIONS
from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.saved import SavedPolicy, with_unique_ids
from entrepot.domain.policy_error import PolicyLocksOut, RepositoryPolicyNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.service.saved_policy import show, to_be_saved
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from entrepot.store.metadata.repository import find_repository, hold_repository
from entrepot.store.metadata.resource_policy import delete_policy, find_policy, put_policy
from entrepot.store.metadata.schema import repository_policy

MaySetAgain = Callable[[PolicySet], Awaitable[bool]]
"""Whether the caller could set another policy if the repository had this one."""


class RepositoryPolicyService:
    """The one policy that a repository can have; texts are shown with the names of today."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(
        self, registry: Registry, name: RepositoryName, text: str, may_set_again: MaySetAgain | None = None
    ) -> str:
        """Set the policy, in the place of another; `may_set_again` is asked before. The text as it is shown.

        Raises:
            RepositoryNotFound: no repository of that name.
            PolicyTextInvalid: not a policy of a repository.
            PolicyPrincipalNotFound: it names a user or role that does not exist.
            PolicyLocksOut: the caller could not set another one.
        """

        def prepare(connection: Connection) -> tuple[SavedPolicy, PolicySet]:
            _find(connection, registry, name)
            saved, policy = to_be_saved(connection, text, Kind.REPOSITORY, REPOSITORY_ACTIONS)
            return saved, PolicySet([("repository policy", with_unique_ids(policy, saved.principals))])

        saved, compiled = await self._database.read(prepare)
        if may_set_again is not None and not await may_set_again(compiled):
            raise PolicyLocksOut(registry, name)

        def change(connection: Connection) -> str:
            put_policy(connection, repository_policy, _hold(connection, registry, name), saved)
            raise_access_epoch(connection, registry.account_id)
            return show(connection, saved.document, saved.principals)

        return await self._database.write(change)

    async def get(self, registry: Registry, name: RepositoryName) -> str:
        """The text of the policy.

        Raises:
            RepositoryNotFound, RepositoryPolicyNotFound
        """

        def query(connection: Connection) -> str:
            saved = find_policy(connection, repository_policy, _find(connection, registry, name))
            if saved is None:
                raise RepositoryPolicyNotFound(registry, name)
            return show(connection, saved.document, saved.principals)

        return await self._database.read(query)

    async def delete(self, registry: Registry, name: RepositoryName) -> str:
        """Remove the policy; its text.

        Raises:
            RepositoryNotFound, RepositoryPolicyNotFound
        """

        def change(connection: Connection) -> str:
            saved = delete_policy(connection, repository_policy, _hold(connection, registry, name))
            if saved is None:
                raise RepositoryPolicyNotFound(registry, name)
            raise_access_epoch(connection, registry.account_id)
            return show(connection, saved.document, saved.principals)

        return await self._database.write(change)


def _find(connection: Connection, registry: Registry, name: RepositoryName) -> int:
    found = find_repository(connection, registry, name)
    if found is None:
        raise RepositoryNotFound(registry, name)
    return found.id


def _hold(connection: Connection, registry: Registry, name: RepositoryName) -> int:
    """Lock the repository against its deletion and other changes; its row id."""
    held = hold_repository(connection, registry, name)
    if held is None:
        raise RepositoryNotFound(registry, name)
    return held.repository.id
