"""Administration: the identities of a database, opened without a server and without a network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from entrepot.app.aws_profile import Profile, ProfileError, write_profile
from entrepot.app.config import Settings
from entrepot.app.data_directory import DataDirectory
from entrepot.app.workbench import CommandError, Workbench, run
from entrepot.domain.identity import AccessKey, Account
from entrepot.service.identity import IdentityService

T = TypeVar("T")


def create_account(settings: Settings, account_id: str, name: str) -> tuple[Account, AccessKey]:
    """Make an account with a root access key.

    Raises:
        CommandError: it exists, or the database cannot be used.
    """

    async def act(identity: IdentityService) -> tuple[Account, AccessKey]:
        return await identity.create_account(account_id, name), await identity.root_key(account_id)

    return _with_identity(settings, act)


def list_accounts(settings: Settings) -> list[Account]:
    """All accounts by id.

    Raises:
        CommandError: the database cannot be used.
    """
    return _with_identity(settings, lambda identity: identity.list_accounts())


def unknown_accounts(settings: Settings, account_ids: Sequence[str]) -> list[str]:
    """Those that neither exist nor are made by the next start; none when the database cannot be used, as before that.

    Raises nothing: who asks has something else to do.
    """
    try:
        known = {account.id for account in list_accounts(settings)}
    except CommandError:
        return []
    return [account_id for account_id in account_ids if account_id not in known | {settings.account_id}]


def root_key(settings: Settings, account_id: str, *, rotates: bool) -> AccessKey:
    """The root access key of an account, a new one if it `rotates`.

    Raises:
        CommandError: no such account, or the database cannot be used.
    """
    return _with_identity(
        settings, lambda identity: identity.rotate_root_key(account_id) if rotates else identity.root_key(account_id)
    )


def write_key(settings: Settings, profile: str, key_id: str, secret: str) -> None:
    """Write a key to an AWS profile that leads to the server of this data directory.

    Raises:
        CommandError: the files cannot be written.
    """
    server = DataDirectory.of(settings).running()
    urls = server.listeners if server else [one.local_url for one in settings.listeners]
    url = next((one for one in urls if one.startswith("http:")), urls[0])
    try:
        write_profile(Profile(profile, settings.region, url, key_id, secret))
    except ProfileError as error:
        raise CommandError(str(error)) from error


def _with_identity(settings: Settings, act: Callable[[IdentityService], Awaitable[T]]) -> T:
    async def work(bench: Workbench) -> T:
        return await act(IdentityService(bench.database, bench.context, bench.keys))

    return run(settings, work)
