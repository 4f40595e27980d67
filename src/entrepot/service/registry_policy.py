"""Registry policies: who may do what in a whole registry, beside what identity and repository policies say.

Spec: ECR API, PutRegistryPolicy, GetRegistryPolicy, DeleteRegistryPolicy; ECR user guide, "Private registry
permissions": the scope of the registry decides which actions the policy can speak of.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.account_setting import Setting
from entrepot.domain.policy.action import REGISTRY_ACTIONS, REGISTRY_V1_ACTIONS
from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.evaluate import RegistryScope
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.policy_error import RegistryPolicyNotFound
from entrepot.domain.registry import Registry
from entrepot.service.account_setting import AccountSettingService
from entrepot.service.context import Context
from entrepot.service.saved_policy import show, to_be_saved
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch
from entrepot.store.metadata.registry import find_registry_id, hold_registry
from entrepot.store.metadata.resource_policy import delete_policy, find_policy, put_policy
from entrepot.store.metadata.schema import registry_policy

_DECIDED = {RegistryScope.V1.value: REGISTRY_V1_ACTIONS, RegistryScope.V2.value: REGISTRY_ACTIONS}


class RegistryPolicyService:
    """The one policy that a registry can have; texts are shown with the names of today."""

    def __init__(self, database: Database, context: Context, settings: AccountSettingService) -> None:
        self._database, self._context, self._settings = database, context, settings

    async def put(self, registry: Registry, text: str) -> str:
        """Set the policy, in the place of another. The text as it is shown.

        Raises:
            PolicyTextInvalid: not a policy of a registry, or it speaks of actions beyond the scope.
            PolicyPrincipalNotFound: it names a user or role that does not exist.
            InvalidParameter: an account that does not exist.
        """

        def prepare(connection: Connection) -> SavedPolicy:
            scope = self._settings.value(connection, registry, Setting.REGISTRY_POLICY_SCOPE)
            return to_be_saved(connection, text, Kind.REGISTRY, _DECIDED[scope])[0]

        saved = await self._database.read(prepare)

        def change(connection: Connection) -> str:
            registry_id = hold_registry(connection, registry, self._context.now_micros())
            put_policy(connection, registry_policy, registry_id, saved)
            raise_access_epoch(connection, registry.account_id)
            return show(connection, saved.document, saved.principals)

        return await self._database.write(change)

    async def get(self, registry: Registry) -> str:
        """The text of the policy.

        Raises:
            RegistryPolicyNotFound
        """

        def query(connection: Connection) -> str:
            registry_id = find_registry_id(connection, registry)
            saved = None if registry_id is None else find_policy(connection, registry_policy, registry_id)
            if saved is None:
                raise RegistryPolicyNotFound(registry)
            return show(connection, saved.document, saved.principals)

        return await self._database.read(query)

    async def delete(self, registry: Registry) -> str:
        """Remove the policy; its text.

        Raises:
            RegistryPolicyNotFound
        """

        def change(connection: Connection) -> str:
            registry_id = find_registry_id(connection, registry)
            saved = None if registry_id is None else delete_policy(connection, registry_policy, registry_id)
            if saved is None:
                raise RegistryPolicyNotFound(registry)
            raise_access_epoch(connection, registry.account_id)
            return show(connection, saved.document, saved.principals)

        return await self._database.write(change)
