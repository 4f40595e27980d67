"""Rotation of keys as an operator asks for it: the master key in its file, the signing keys in the database.

A new master key is on the disk, beside the old one, before anything is sealed with it; only when everything is, does it
take the old one's place. Whoever finds that the key it has does not open looks at both files. So a rotation that is cut
off at any point leaves a registry that works and starts.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from entrepot.app import workbench
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.workbench import CommandError, Workbench
from entrepot.domain.key import KEY_BYTES
from entrepot.domain.key_usage import KeyUsage
from entrepot.domain.limit import TOKEN_LIFETIME_SECONDS
from entrepot.domain.registry import Registry
from entrepot.service.key import KeyService
from entrepot.store.metadata.base import from_micros, to_micros
from entrepot.store.metadata.key_usage import read_usage

SIGNS_AFTER = timedelta(minutes=15)
"""Every worker refreshes its keys within 6 minutes; what is signed with a key that it does not know, it refuses."""

VERIFIES_FOR = timedelta(seconds=TOKEN_LIFETIME_SECONDS)
"""As long as the longest life of what was signed."""

ADVICE = "put the key of master.key.next where ENTREPOT_MASTER_KEY comes from, then remove that file"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation of the master key did."""

    values: int
    """Sealed values; 0 when only an earlier rotation was finished."""
    is_in_settings: bool
    """Whether the settings still have the old key, and the operator must put the new one there."""


def rotate_master_key(settings: Settings) -> Rotated:
    """Seal everything with a new master key, beside a running server or without one.

    Raises:
        CommandError: something does not open with the key there is.
    """
    return workbench.run(settings, _rotate)


def rotate_signing_keys(settings: Settings) -> tuple[datetime, datetime]:
    """Make new signing keys; when they begin to sign, and until when the ones before verify.

    Raises:
        CommandError: the rotation before is not over.
    """

    async def act(bench: Workbench) -> tuple[datetime, datetime]:
        begins = to_micros(bench.context.now() + SIGNS_AFTER)
        until = to_micros(bench.context.now() + SIGNS_AFTER + VERIFIES_FOR)
        await bench.keys.rotate_signing_keys(begins, until)
        return from_micros(begins), from_micros(until)

    return workbench.run(settings, act)


def key_usage(settings: Settings, named: str) -> KeyUsage:
    """What a KMS key protects, named by its ARN, or by id or alias in the account and region of the settings.

    Raises:
        CommandError: there is no such key, here or in any repository.
    """

    async def act(bench: Workbench) -> KeyUsage:
        usage = await bench.database.read(lambda connection: read_usage(connection, named))
        if usage.repositories:
            return usage
        home = Registry(settings.account_id, settings.region)
        arn = await bench.protectors.find_arn(home, named)
        return await bench.database.read(lambda connection: read_usage(connection, arn))

    return workbench.run(settings, act)


async def _rotate(bench: Workbench) -> Rotated:
    directory, is_in_settings = bench.directory, bench.settings.master_key is not None
    with directory.locked_for_rotation():
        if await is_key_of_settings_old(bench.keys, directory, bench.settings):
            raise CommandError(f"the master key was rotated before: {ADVICE}")
        if await finish_rotation(bench.keys, directory, bench.settings):
            return Rotated(0, is_in_settings)
        key = secrets.token_bytes(KEY_BYTES)
        directory.put_next_master_key(key)
        values = await bench.keys.rotate_master_key(key)
        if not is_in_settings:
            directory.promote_next_master_key()
    return Rotated(values, is_in_settings)


async def finish_rotation(keys: KeyService, directory: DataDirectory, settings: Settings) -> bool:
    """Do what is left of a rotation that was cut off after everything was sealed anew; whether there was one.

    The caller holds the lock on rotation.
    """
    key = directory.find_next_master_key()
    if settings.master_key is not None or not key or not await keys.is_sealed_with(key):
        return False
    directory.promote_next_master_key()
    return True


async def is_key_of_settings_old(keys: KeyService, directory: DataDirectory, settings: Settings) -> bool:
    """Whether the master key was rotated, and the settings still have the one before."""
    return settings.master_key is not None and not await keys.is_sealed_with(directory.find_master_key(settings))
