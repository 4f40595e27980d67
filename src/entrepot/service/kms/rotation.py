"""Rotation: new material for a key, by the clock or on demand; what was encrypted before can be read as before.

Spec: KMS API, EnableKeyRotation, DisableKeyRotation, RotateKeyOnDemand, ListKeyRotations; KMS developer guide, "Rotate
AWS KMS keys": keys that are switched off or about to be deleted do not rotate, and catch up once they are on again.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import Connection

from entrepot.domain.kms import KeyName, KeyState, KeyVersion, KmsKey, VersionOrigin
from entrepot.domain.kms_error import KmsQuotaExceeded
from entrepot.domain.kms_limit import ON_DEMAND_ROTATIONS_MAX
from entrepot.domain.page import Page, PageRequest, slice_page
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.key import add_version, begin_change, check_usable, get_key
from entrepot.service.kms.lifecycle import DUE_BATCH
from entrepot.store.metadata import kms_key as rows
from entrepot.store.metadata.base import Database, to_micros
from entrepot.store.metadata.kms_version import count_versions, list_versions

log = structlog.get_logger(__name__)


class KmsRotationService:
    """New versions of keys."""

    def __init__(self, database: Database, context: Context, key: KeyService) -> None:
        self._database, self._context, self._key = database, context, key

    async def enable(self, key: KmsKey, days: int) -> None:
        """Have a key rotate every so many days from now on; with the period that it has, nothing changes.

        Raises:
            KeyNotFound, KeyDisabled, KeyStateInvalid
        """

        def change(connection: Connection) -> None:
            if _begin(connection, key).rotation_days == days:
                return
            rotates_at = to_micros(self._context.now() + timedelta(days=days))
            rows.update_key(connection, key.id, rotation_days=days, rotates_at=rotates_at)

        await self._database.write(change)

    async def disable(self, key: KmsKey) -> None:
        """Have a key rotate no more by itself.

        Raises:
            KeyNotFound, KeyDisabled, KeyStateInvalid
        """

        def change(connection: Connection) -> None:
            _begin(connection, key)
            rows.update_key(connection, key.id, rotation_days=None, rotates_at=None)

        await self._database.write(change)

    async def rotate_on_demand(self, key: KmsKey) -> None:
        """Give a key new material now; when it rotates by itself stays as it is.

        Raises:
            KmsQuotaExceeded: it was done as often as it can be.
            KeyNotFound, KeyDisabled, KeyStateInvalid
        """

        def change(connection: Connection) -> None:
            found = _begin(connection, key)
            if count_versions(connection, key.id, VersionOrigin.ON_DEMAND) >= ON_DEMAND_ROTATIONS_MAX:
                raise KmsQuotaExceeded(
                    "The on-demand rotations limit has been reached for the given keyId. "
                    f"No more on-demand rotations can be performed for this key: {key.arn}"
                )
            self._rotate(connection, found, VersionOrigin.ON_DEMAND)

        await self._database.write(change)

    async def list(self, key: KmsKey, page: PageRequest, *, has_first: bool) -> Page[KeyVersion]:
        """The versions that rotations made, oldest first; with `has_first`, the one that the key was made with too."""
        found = await self._database.read(lambda connection: list_versions(connection, key.id))
        return slice_page(found if has_first else found[1:], page)

    async def rotate_due(self) -> int:
        """Rotate the keys whose time has come; how many."""
        now = self._context.now_micros()
        due = await self._database.read(lambda connection: rows.list_due_rotations(connection, now, DUE_BATCH))
        return sum([await self._rotate_if_due(account_id, key_id) for account_id, key_id in due])

    async def _rotate_if_due(self, account_id: str, key_id: str) -> bool:
        now = self._context.now()

        def change(connection: Connection) -> bool:
            begin_change(connection, account_id)
            key = rows.find_key_by_id(connection, key_id)
            if key is None or key.state is not KeyState.ENABLED or key.rotates_at is None or key.rotates_at > now:
                return False
            self._rotate(connection, key, VersionOrigin.AUTOMATIC)
            period = timedelta(days=key.rotation_days or 0)
            missed = (now - key.rotates_at) // period
            rows.update_key(connection, key_id, rotates_at=to_micros(key.rotates_at + period * (missed + 1)))
            return True

        is_rotated = await self._database.write(change)
        if is_rotated:
            log.info("kms key rotated", account=account_id, key=key_id)
        return is_rotated

    def _rotate(self, connection: Connection, key: KmsKey, origin: VersionOrigin) -> None:
        number = key.version + 1
        add_version(connection, self._context, self._key, key.id, number, origin)
        rows.update_key(connection, key.id, version=number)


def _begin(connection: Connection, key: KmsKey) -> KmsKey:
    begin_change(connection, key.place.account_id)
    found = get_key(connection, KeyName(key.place, key.id))
    check_usable(found)
    return found
