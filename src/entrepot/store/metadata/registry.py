"""Registries: the row behind an account in a region, made when it is first needed, and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select, update

from entrepot.domain.error import InvalidParameter
from entrepot.domain.registry import Registry
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import account, registry

_OWN = (registry.c.account_id == bindparam("account"), registry.c.region == bindparam("region"))
_FIND = select(registry.c.id).where(*_OWN)
_HOLD = _FIND.with_for_update(key_share=True)
_SETTINGS = select(registry.c.settings).where(*_OWN)


def find_registry_id(connection: Connection, owner: Registry) -> int | None:
    """The row id of a registry; None while nothing has needed one."""
    return connection.scalar(_FIND, _key(owner))


def hold_registry(connection: Connection, owner: Registry, now_micros: int) -> int:
    """Get or create the row of a registry and lock it against other holders.

    The lock (FOR NO KEY UPDATE) lets rows that refer to the registry come and go.

    Raises:
        InvalidParameter: its account does not exist.
    """
    key = _key(owner)
    held: int | None = connection.scalar(_HOLD, key)
    if held is not None:
        return held
    if connection.scalar(select(account.c.id).where(account.c.id == owner.account_id)) is None:
        raise InvalidParameter("registryId", "The registry does not exist")
    statement = insert(connection, registry).values(
        account_id=owner.account_id, region=owner.region, settings="{}", created_at=now_micros
    )
    connection.execute(statement.on_conflict_do_nothing())
    made: int = connection.execute(_HOLD, key).scalar_one()
    return made


def find_settings(connection: Connection, owner: Registry) -> dict[str, str]:
    """The account settings that were set, by name."""
    text = connection.scalar(_SETTINGS, _key(owner))
    settings: dict[str, str] = {} if text is None else json.loads(text)
    return settings


def put_settings(connection: Connection, registry_id: int, settings: Mapping[str, str]) -> None:
    """Replace the account settings of a registry that is held."""
    connection.execute(update(registry).where(registry.c.id == registry_id).values(settings=json.dumps(settings)))


def _key(owner: Registry) -> dict[str, str]:
    return {"account": owner.account_id, "region": owner.region}
