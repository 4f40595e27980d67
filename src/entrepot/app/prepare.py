"""What is done before there are workers, in a child that exits: migrate, check the keys, make account and profile."""

from __future__ import annotations

import asyncio
import os

import structlog
from sqlalchemy.exc import DBAPIError

from entrepot.app import blob_place, engine
from entrepot.app.aws_profile import Profile, ProfileError, write_profile
from entrepot.app.child import Reporter
from entrepot.app.connect.state import CA, load
from entrepot.app.data_directory import DataDirectoryError
from entrepot.app.deployment import Deployment
from entrepot.app.key import ADVICE, finish_rotation, is_key_of_settings_old
from entrepot.domain.error import InvalidParameter
from entrepot.domain.identity import AccessKey, AccessKeyTaken
from entrepot.domain.key import MasterKeyMissing, MasterKeyWrong, SealBroken
from entrepot.service.context import Context
from entrepot.service.identity import IdentityService
from entrepot.service.vpc.listening import ListeningService
from entrepot.store.metadata.revision import SchemaTooNew, is_postgres_current, is_sqlite_current
from entrepot.store.metadata.sqlite_file import FileSystemRefused, refuse_network_file_system

log = structlog.get_logger(__name__)


def run(deployment: Deployment, reporter: Reporter) -> int:
    """Prepare the database and the profile. Says `failed` and why in one line, or `profile` and its name."""
    try:
        migrate(deployment)
        key = asyncio.run(_open(deployment))
    except (DataDirectoryError, FileSystemRefused, SchemaTooNew) as error:
        return _fail(reporter, str(error))
    except (MasterKeyMissing, MasterKeyWrong, SealBroken) as error:
        place = deployment.directory.path / "master.key"
        return _fail(reporter, f"{error}: put the right key back into {place}, or set ENTREPOT_MASTER_KEY")
    except (InvalidParameter, AccessKeyTaken) as error:
        return _fail(reporter, f"the root access key of the settings cannot be used: {error}")
    except DBAPIError as error:
        return _fail(reporter, f"the database cannot be used: {error.orig}")
    except Exception as error:
        log.exception("prepare.failed")
        return _fail(reporter, f"{type(error).__name__}: {error}")
    _write_profile(deployment, key, reporter)
    return 0


def migrate(deployment: Deployment) -> None:
    """Bring the schema up to date. Alembic is loaded only when there is something to do."""
    file, url = deployment.directory.sqlite_file, deployment.settings.database_url or ""
    if file is not None:
        refuse_network_file_system(deployment.directory.path)
    if is_sqlite_current(file) if file is not None else is_postgres_current(url):
        return
    from entrepot.store.metadata import migrate as migration  # noqa: PLC0415 - start time

    done = migration.migrate_sqlite(file) if file is not None else migration.migrate_postgres(url)
    log.info("database.migrated", before=done.before, after=done.after)


async def _open(deployment: Deployment) -> AccessKey:
    """The root access key, after the master key, the account and the key exist."""
    settings, context = deployment.settings, Context()
    database = engine.open_database(settings, deployment.directory)
    try:
        await blob_place.claim(database, settings, deployment.directory, context)
        keys = await engine.open_keys(database, context, settings, deployment.directory, may_make_key=True)
        with deployment.directory.locked_for_rotation():
            await finish_rotation(keys, deployment.directory, settings)
        if await is_key_of_settings_old(keys, deployment.directory, settings):
            log.warning("master_key.rotated", directory=str(deployment.directory.path), advice=ADVICE)
        if settings.master_key is None and deployment.directory.is_master_key_exposed():
            log.warning("master_key.exposed", directory=str(deployment.directory.path), advice="chmod 600 master.key")
        if database.dialect == "sqlite":  # on PostgreSQL other servers may listen
            await ListeningService(database).begin()
        identity = IdentityService(database, context, keys)
        account = await identity.ensure_account(settings.account_id, "main")
        if settings.root_access_key_id is None or settings.root_secret_access_key is None:
            return await identity.root_key(account.id)
        secret = settings.root_secret_access_key.get_secret_value()
        return await identity.set_root_key(account.id, settings.root_access_key_id, secret)
    finally:
        await database.close()


def _write_profile(deployment: Deployment, key: AccessKey, reporter: Reporter) -> None:
    name = deployment.settings.aws_profile
    if not name:
        return
    is_secure = deployment.api_url.startswith("https:")
    connect = deployment.directory.connect
    ca_bundle = connect / CA if is_secure and load(connect) else None
    profile = Profile(name, deployment.settings.region, deployment.api_url, key.id, key.secret, ca_bundle)
    try:
        write_profile(profile, os.environ)
    except ProfileError as error:
        log.warning("profile.not_written", reason=str(error))
    else:
        reporter.say("profile", name)


def _fail(reporter: Reporter, text: str) -> int:
    reporter.say("failed", text)
    return 1
