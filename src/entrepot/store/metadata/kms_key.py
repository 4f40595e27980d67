"""Keys of KMS: found by id or alias with what a request must know of them, made, changed and deleted."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from entrepot.domain.kms import KeyManager, KeyName, KeyState, KmsKey
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.store.metadata.base import from_micros, from_optional_micros, to_micros
from entrepot.store.metadata.schema import account, kms_alias, kms_grant, kms_key, kms_key_version, kms_tag

_COLUMNS: Final = kms_key.c
_KEYS: Final = (
    select(kms_key, kms_key_version.c.material_id, account.c.access_epoch)
    .join(account, account.c.id == _COLUMNS.account_id)
    .join(
        kms_key_version,
        (kms_key_version.c.key_id == _COLUMNS.id) & (kms_key_version.c.number == _COLUMNS.version),
    )
)
_BY_ID: Final = _KEYS.where(
    _COLUMNS.id == bindparam("key_id"),
    _COLUMNS.account_id == bindparam("owner_id"),
    _COLUMNS.region == bindparam("place_region"),
)
_BY_ALIAS: Final = _KEYS.join(kms_alias, kms_alias.c.key_id == _COLUMNS.id).where(
    kms_alias.c.account_id == bindparam("owner_id"),
    kms_alias.c.region == bindparam("place_region"),
    kms_alias.c.name == bindparam("alias_name"),
)


def find_key(connection: Connection, name: KeyName) -> KmsKey | None:
    """The key that a name means, if there is one; one search by key."""
    values = {"owner_id": name.place.account_id, "place_region": name.place.region}
    if name.key_id is not None:
        row = connection.execute(_BY_ID, {**values, "key_id": name.key_id}).one_or_none()
    else:
        row = connection.execute(_BY_ALIAS, {**values, "alias_name": name.alias}).one_or_none()
    return None if row is None else _to_key(row)


def find_key_by_id(connection: Connection, key_id: str) -> KmsKey | None:
    """The key of that id, of whatever account and region."""
    row = connection.execute(_KEYS.where(_COLUMNS.id == key_id)).one_or_none()
    return None if row is None else _to_key(row)


def list_keys(connection: Connection, place: Registry, after: str, limit: int) -> list[str]:
    """Ids of the keys of an account in a region, in their order, after one."""
    statement = (
        select(_COLUMNS.id)
        .where(_COLUMNS.account_id == place.account_id, _COLUMNS.region == place.region, _COLUMNS.id > after)
        .order_by(_COLUMNS.id)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def count_keys(connection: Connection, place: Registry) -> int:
    """How many keys of its own an account has in a region."""
    counted = select(func.count()).where(
        _COLUMNS.account_id == place.account_id,
        _COLUMNS.region == place.region,
        _COLUMNS.manager == KeyManager.CUSTOMER.value,
    )
    return int(connection.scalar(counted) or 0)


def find_policy(connection: Connection, key_id: str) -> SavedPolicy | None:
    """The policy of a key; every key has one."""
    row = connection.execute(
        select(_COLUMNS.policy, _COLUMNS.policy_principals).where(_COLUMNS.id == key_id)
    ).one_or_none()
    return None if row is None else SavedPolicy(row.policy, json.loads(row.policy_principals))


def insert_key(connection: Connection, key: KmsKey, policy: SavedPolicy) -> None:
    """Add a key; its version and all else that hangs on it follow."""
    connection.execute(
        insert(kms_key).values(
            id=key.id,
            account_id=key.place.account_id,
            region=key.place.region,
            description=key.description,
            state=key.state.value,
            manager=key.manager.value,
            origin="AWS_KMS",
            spec="SYMMETRIC_DEFAULT",
            usage="ENCRYPT_DECRYPT",
            is_multi_region=False,
            policy=policy.document,
            policy_principals=json.dumps(dict(policy.principals)),
            version=key.version,
            created_at=to_micros(key.created_at),
            rotation_days=key.rotation_days,
            rotates_at=None if key.rotates_at is None else to_micros(key.rotates_at),
        )
    )


def update_key(connection: Connection, key_id: str, **values: Any) -> None:
    """Change columns of a key."""
    connection.execute(update(kms_key).where(_COLUMNS.id == key_id).values(**values))


def update_policy(connection: Connection, key_id: str, policy: SavedPolicy) -> None:
    """Replace the policy of a key."""
    update_key(connection, key_id, policy=policy.document, policy_principals=json.dumps(dict(policy.principals)))


def delete_key(connection: Connection, key_id: str) -> None:
    """Delete a key with its material, aliases, grants and tags: what it encrypted cannot be read any more."""
    for table in (kms_key_version, kms_alias, kms_grant, kms_tag):
        connection.execute(delete(table).where(table.c.key_id == key_id))
    connection.execute(delete(kms_key).where(_COLUMNS.id == key_id))


def list_due_deletions(connection: Connection, now_micros: int, limit: int) -> list[tuple[str, str]]:
    """Account and id of keys whose time to be deleted has come, longest overdue first."""
    return _due(connection, _COLUMNS.deletes_at, now_micros, limit, KeyState.PENDING_DELETION)


def list_due_rotations(connection: Connection, now_micros: int, limit: int) -> list[tuple[str, str]]:
    """Account and id of enabled keys whose time to rotate has come, longest overdue first."""
    return _due(connection, _COLUMNS.rotates_at, now_micros, limit, KeyState.ENABLED)


def _due(connection: Connection, column: Any, now_micros: int, limit: int, state: KeyState) -> list[tuple[str, str]]:
    statement = select(_COLUMNS.account_id, _COLUMNS.id).where(column <= now_micros, _COLUMNS.state == state.value)
    return [(row.account_id, row.id) for row in connection.execute(statement.order_by(column).limit(limit))]


def _to_key(row: Row[*tuple[Any, ...]]) -> KmsKey:
    return KmsKey(
        row.id,
        Registry(row.account_id, row.region),
        row.description,
        KeyState(row.state),
        KeyManager(row.manager),
        row.version,
        row.material_id,
        from_micros(row.created_at),
        from_optional_micros(row.deletes_at),
        row.rotation_days,
        from_optional_micros(row.rotates_at),
        row.access_epoch,
    )
