"""Registries: the row behind an account in a region, made when its first repository is."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from entrepot.domain.registry import Registry
from entrepot.store.metadata.base import insert
from entrepot.store.metadata.schema import account, registry

_HOLD = (
    select(registry.c.id)
    .where(registry.c.account_id == bindparam("account"), registry.c.region == bindparam("region"))
    .with_for_update(key_share=True)
)


def hold_registry(connection: Connection, owner: Registry, now_micros: int) -> int | None:
    """Get or create the row of a registry and lock it against other holders; None when its account is missing.

    The lock (FOR NO KEY UPDATE) lets rows that refer to the registry come and go.
    """
    key = {"account": owner.account_id, "region": owner.region}
    held: int | None = connection.scalar(_HOLD, key)
    if held is not None:
        return held
    if connection.scalar(select(account.c.id).where(account.c.id == owner.account_id)) is None:
        return None
    statement = insert(connection, registry).values(
        account_id=owner.account_id, region=owner.region, settings="{}", created_at=now_micros
    )
    connection.execute(statement.on_conflict_do_nothing())
    made: int | None = connection.scalar(_HOLD, key)
    return made
