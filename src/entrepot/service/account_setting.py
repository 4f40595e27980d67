"""Account settings: what a registry was told, or else the default.

Spec: ECR API, GetAccountSetting and PutAccountSetting.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from entrepot.domain.account_setting import DEFAULTS, Setting
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.store.metadata import registry as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import raise_access_epoch


class AccountSettingService:
    """Settings of registries; `defaults` hold until one is set."""

    def __init__(self, database: Database, context: Context, defaults: Mapping[Setting, str] = DEFAULTS) -> None:
        self._database, self._context, self._defaults = database, context, defaults

    async def get(self, registry: Registry, setting: Setting) -> str:
        """The value that holds."""
        return await self._database.lookup(lambda connection: self.value(connection, registry, setting))

    def value(self, connection: Connection, registry: Registry, setting: Setting) -> str:
        """The same, as part of a larger read or change: one statement by key."""
        return rows.find_settings(connection, registry).get(setting, self._defaults[setting])

    async def put(self, registry: Registry, setting: Setting, value: str) -> None:
        """Set a checked value.

        Raises:
            InvalidParameter: an account that does not exist.
        """

        def change(connection: Connection) -> None:
            registry_id = rows.hold_registry(connection, registry, self._context.now_micros())
            settings = rows.find_settings(connection, registry)
            rows.put_settings(connection, registry_id, {**settings, setting: value})
            if setting is Setting.REGISTRY_POLICY_SCOPE:
                raise_access_epoch(connection, registry.account_id)

        await self._database.write(change)
