"""Administration: the identities of a database, opened without a server and without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from entrepot.app import engine
from entrepot.app.aws_profile import Profile, ProfileError, write_profile
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory, DataDirectoryError
from entrepot.domain.error import RegistryError
from entrepot.domain.identity import AccessKey, Account, OperatorError
from entrepot.domain.key import MasterKeyMissing, MasterKeyWrong, SealBroken
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.store.metadata.revision import SchemaTooNew, is_postgres_current, is_sqlite_current
from entrepot.store.metadata.sqlite_file import FileSystemRefused

T = TypeVar("T")


class AdminError(Exception):
    """It cannot be done; the text says why, in one line."""


def create_account(settings: Settings, account_id: str, name: str) -> tuple[Account, AccessKey]:
    """Make an account with a root access key.

    Raises:
        AdminError: it exists, or the database cannot be used.
    """

    async def act(identity: IdentityService) -> tuple[Account, AccessKey]:
        return await identity.create_account(account_id, name), await identity.root_key(account_id)

    return _with_identity(settings, act)


def list_accounts(settings: Settings) -> list[Account]:
    """All accounts by id.

    Raises:
        AdminError: the database cannot be used.
    """
    return _with_identity(settings, lambda identity: identity.list_accounts())


def unknown_accounts(settings: Settings, account_ids: Sequence[str]) -> list[str]:
    """Those that neither exist nor are made by the next start; none when the database cannot be used, as before that.

    Raises nothing: who asks has something else to do.
    """
    try:
        known = {account.id for account in list_accounts(settings)}
    except AdminError:
        return []
    return [account_id for account_id in account_ids if account_id not in known | {settings.account_id}]


def root_key(settings: Settings, account_id: str, *, rotates: bool) -> AccessKey:
    """The root access key of an account, a new one if it `rotates`.

    Raises:
        AdminError: no such account, or the database cannot be used.
    """
    return _with_identity(
        settings, lambda identity: identity.rotate_root_key(account_id) if rotates else identity.root_key(account_id)
    )


def write_key(settings: Settings, key: AccessKey, profile: str) -> None:
    """Write a key to an AWS profile that leads to the server of this data directory.

    Raises:
        AdminError: the files cannot be written.
    """
    server = DataDirectory.of(settings).running()
    urls = server.listeners if server else [one.local_url for one in settings.listeners]
    url = next((one for one in urls if one.startswith("http:")), urls[0])
    try:
        write_profile(Profile(profile, settings.region, url, key.id, key.secret))
    except ProfileError as error:
        raise AdminError(str(error)) from error


def _with_identity(settings: Settings, act: Callable[[IdentityService], Awaitable[T]]) -> T:
    try:
        return asyncio.run(_open_and(settings, act))
    except (DataDirectoryError, FileSystemRefused, SchemaTooNew, OperatorError) as error:
        raise AdminError(str(error)) from error
    except (MasterKeyMissing, MasterKeyWrong, SealBroken) as error:
        raise AdminError(f"{error}: is this the data directory of the server, and its master key?") from error
    except RegistryError as error:
        raise AdminError(" ".join(str(part) for part in error.args) or type(error).__name__) from error
    except DBAPIError as error:
        raise AdminError(f"the database cannot be used: {error.orig}") from error


async def _open_and(settings: Settings, act: Callable[[IdentityService], Awaitable[T]]) -> T:
    directory, context = DataDirectory.of(settings), Context()
    file = directory.sqlite_file
    is_current = is_sqlite_current(file) if file is not None else is_postgres_current(settings.database_url or "")
    if not is_current:
        place = file or "the database"
        raise AdminError(f"{place} is missing or made by an older version: start `entrepot serve` on it once")
    database = engine.open_database(settings, directory)
    try:
        keys = await engine.open_keys(database, context, settings, directory)
        return await act(IdentityService(database, context, keys))
    finally:
        await database.close()
