"""The life of keys: made, described, switched off and on, scheduled for deletion, and deleted.

Spec: KMS API, CreateKey, UpdateKeyDescription, EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion; KMS
developer guide, "Key states of AWS KMS keys", "AWS managed keys".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from entrepot.domain.kms import ECR_ALIAS, KeyManager, KeyName, KeyState, KmsKey, VersionOrigin
from entrepot.domain.kms_error import KeyStateInvalid, KmsQuotaExceeded
from entrepot.domain.kms_limit import KEYS_MAX, ROTATION_DAYS_DEFAULT
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.key import add_version, begin_change, check_not_pending, get_key
from entrepot.service.kms.policy import ecr_key_policy
from entrepot.store.metadata import kms_key as rows
from entrepot.store.metadata.base import Database, to_micros
from entrepot.store.metadata.kms_alias import insert_alias
from entrepot.store.metadata.kms_tag import put_tags

DUE_BATCH: Final = 100
"""Keys that one run of a job takes."""

_ECR_DESCRIPTION: Final = "Default key that protects my ECR data when no other key is defined"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is to be made."""

    id: str
    place: Registry
    policy: SavedPolicy
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    manager: KeyManager = KeyManager.CUSTOMER
    rotation_days: int | None = None


class KmsLifecycleService:
    """What becomes of keys, but for their policies, aliases, tags and rotation."""

    def __init__(self, database: Database, context: Context, key: KeyService) -> None:
        self._database, self._context, self._key = database, context, key

    async def create(self, wanted: NewKey) -> KmsKey:
        """Make a key, enabled and with its first material.

        Raises:
            KmsQuotaExceeded: the account has as many as it can have in the region.
        """

        def change(connection: Connection) -> KmsKey:
            begin_change(connection, wanted.place.account_id)
            if rows.count_keys(connection, wanted.place) >= KEYS_MAX:
                raise KmsQuotaExceeded(f"The account has {KEYS_MAX} keys in the region.")
            return self._make(connection, wanted)

        return await self._database.write(change)

    async def ecr_key(self, place: Registry) -> KmsKey:
        """AWS's key for ECR of an account and region, with its alias; made when it is first asked for."""
        name = KeyName(place, None, ECR_ALIAS)
        found = await self._database.lookup(lambda connection: rows.find_key(connection, name))
        if found is not None:
            return found
        policy = SavedPolicy(ecr_key_policy(place), {})
        new_id, manager = self._context.new_uuid(), KeyManager.AWS
        wanted = NewKey(new_id, place, policy, _ECR_DESCRIPTION, {}, manager, ROTATION_DAYS_DEFAULT)

        def change(connection: Connection) -> KmsKey:
            begin_change(connection, place.account_id)
            there = rows.find_key(connection, name)  # made in the meantime
            return there or self._make(connection, wanted, ECR_ALIAS)

        return await self._database.write(change)

    async def list(self, place: Registry, page: PageRequest) -> Page[str]:
        """Ids of the keys of an account in a region, in their order."""
        after = "" if page.after is None else str(page.after[0])
        found = await self._database.read(lambda c: rows.list_keys(c, place, after, page.size + 1))
        return cut_page(found, page.size, lambda key_id: (key_id,))

    async def update_description(self, key: KmsKey, description: str) -> None:
        """Replace the description.

        Raises:
            KeyNotFound: the key was deleted in the meantime.
            KeyStateInvalid: it is about to be.
        """
        await self._change(key, check_not_pending, lambda _: {"description": description})

    async def set_enabled(self, key: KmsKey, is_enabled: bool) -> None:
        """Switch a key on or off; it holds from the next request on.

        Raises:
            KeyNotFound: the key was deleted in the meantime.
            KeyStateInvalid: it is about to be.
        """
        state = KeyState.ENABLED if is_enabled else KeyState.DISABLED
        await self._change(key, check_not_pending, lambda _: {"state": state.value})

    async def schedule_deletion(self, key: KmsKey, days: int) -> KmsKey:
        """Have a key deleted in some days; until then it is of no use. The key as it is then.

        Raises:
            KeyNotFound: the key was deleted in the meantime.
            KeyStateInvalid: its deletion is scheduled already.
        """
        deletes_at = self._context.now() + timedelta(days=days)
        values = {"state": KeyState.PENDING_DELETION.value, "deletes_at": to_micros(deletes_at)}
        return await self._change(key, check_not_pending, lambda _: values)

    async def cancel_deletion(self, key: KmsKey) -> None:
        """Have a key not deleted after all; it is disabled then.

        Raises:
            KeyNotFound: the key was deleted in the meantime.
            KeyStateInvalid: no deletion is scheduled.
        """
        await self._change(key, _check_pending, lambda _: {"state": KeyState.DISABLED.value, "deletes_at": None})

    async def delete_due(self) -> int:
        """Delete the keys whose time has come, each with all that it was; how many."""
        now = self._context.now_micros()
        due = await self._database.read(lambda connection: rows.list_due_deletions(connection, now, DUE_BATCH))
        return sum([await self._delete_if_due(account_id, key_id) for account_id, key_id in due])

    async def _delete_if_due(self, account_id: str, key_id: str) -> bool:
        now = self._context.now()

        def change(connection: Connection) -> bool:
            begin_change(connection, account_id)
            key = rows.find_key_by_id(connection, key_id)
            if key is None or key.deletes_at is None or key.deletes_at > now:  # cancelled in the meantime
                return False
            rows.delete_key(connection, key_id)
            return True

        is_deleted = await self._database.write(change)
        if is_deleted:
            log.info("kms key deleted", account=account_id, key=key_id)
        return is_deleted

    async def _change(
        self, key: KmsKey, check: Callable[[KmsKey], None], values: Callable[[KmsKey], Mapping[str, Any]]
    ) -> KmsKey:
        """Change columns of a key as it is within the transaction, if its state allows it then."""
        name = KeyName(key.place, key.id)

        def change(connection: Connection) -> KmsKey:
            begin_change(connection, key.place.account_id)
            found = get_key(connection, name)
            check(found)
            rows.update_key(connection, key.id, **values(found))
            return get_key(connection, name)

        return await self._database.write(change)

    def _make(self, connection: Connection, wanted: NewKey, alias: str | None = None) -> KmsKey:
        now = self._context.now()
        days = wanted.rotation_days
        key = KmsKey(
            wanted.id,
            wanted.place,
            wanted.description,
            KeyState.ENABLED,
            wanted.manager,
            1,
            "",
            now,
            rotation_days=days,
            rotates_at=None if days is None else now + timedelta(days=days),
        )
        rows.insert_key(connection, key, wanted.policy)
        version = add_version(connection, self._context, self._key, key.id, key.version, VersionOrigin.CREATED)
        put_tags(connection, key.id, wanted.tags)
        if alias is not None:
            insert_alias(connection, key.place, alias, key.id, to_micros(now))
        return replace(key, material_id=version.material_id)


def _check_pending(key: KmsKey) -> None:
    if key.state is not KeyState.PENDING_DELETION:
        raise KeyStateInvalid(key.arn, "not pending deletion")
