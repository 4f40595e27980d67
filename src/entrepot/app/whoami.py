"""Who an access key is: account, principal, session, and which policies and tags count, from the database alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from entrepot.app import workbench
from entrepot.app.aws_profile import ProfileError, find_key_id
from entrepot.app.config import Settings
from entrepot.app.explain import read_aws_policies
from entrepot.app.workbench import CommandError, Workbench
from entrepot.domain.identity import Account
from entrepot.domain.managed_policy import AwsPolicies
from entrepot.domain.principal import Principal, Session, principal_of
from entrepot.domain.session_record import read_session
from entrepot.service.iam.standing import Standing, load_standing
from entrepot.store.metadata.iam_standing import list_holders
from entrepot.store.metadata.identity import find_access_key, find_account
from entrepot.store.metadata.service_principal import find_service_principal


@dataclass(frozen=True, slots=True)
class KeyId:
    """An access key id and where it was found."""

    id: str
    source: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose a key is."""

    key: KeyId
    is_active: bool
    account: Account
    principal: Principal
    session: Session | None
    groups: tuple[str, ...]
    standing: Standing
    now: datetime
    source_arns: tuple[str, ...] = ()
    """Of a service's key: for what it can ask."""

    @property
    def is_over(self) -> bool:
        """Whether the key's session has ended."""
        return self.session is not None and self.session.expires_at <= self.now


def find_key(
    settings: Settings, profile: str | None, access_key_id: str | None, environ: Mapping[str, str] = os.environ
) -> KeyId:
    """The key that is meant: named, of the environment, or of a profile.

    Raises:
        CommandError: both are named, or the profile has none.
    """
    if profile and access_key_id:
        raise BothNamed("name a profile or an access key id, not both")
    if access_key_id:
        return KeyId(access_key_id, "--access-key-id")
    if not profile and (named := environ.get("AWS_ACCESS_KEY_ID")):
        return KeyId(named, "AWS_ACCESS_KEY_ID")
    name = profile or environ.get("AWS_PROFILE") or settings.aws_profile or "entrepot"
    try:
        return KeyId(find_key_id(name, environ), f"the AWS profile {name}")
    except ProfileError as error:
        raise CommandError(str(error)) from error


class BothNamed(CommandError):
    """Two keys are named."""

    code = 2


def whoami(settings: Settings, key: KeyId) -> Identity:
    """Look the key up; its secret stays sealed.

    Raises:
        CommandError: there is no such key, or the database cannot be used.
    """
    known = read_aws_policies(settings)

    async def act(bench: Workbench) -> Identity:
        now = bench.context.now()
        found = await bench.database.read(lambda connection: _find(connection, known, key, now))
        if found is None:
            raise CommandError(f"this database has no access key {key.id}, which {key.source} names")
        return found

    return workbench.run(settings, act)


def _find(connection: Connection, known: AwsPolicies, key: KeyId, now: datetime) -> Identity | None:
    row = find_access_key(connection, key.id)
    account = None if row is None else find_account(connection, row.account_id)
    if row is None or account is None:
        return None
    session = None if row.session is None else read_session(row.session)
    principal = principal_of(row.account_id, row.unique_id, row.path, row.name, session)
    groups = tuple(group.name for group in list_holders(connection, row.unique_id)[1:])
    standing = load_standing(connection, known, row.unique_id)
    service = find_service_principal(connection, key.id)
    sources = service.source_arns if service else ()
    return Identity(key, row.is_active, account, principal, session, groups, standing, now, sources)
