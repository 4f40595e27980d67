"""Service principals: credentials of services, made, listed and deleted by operators.

They belong to AWS's own account, `aws`, a row of which is there once there is one: its access epoch voids what workers
remember of them, so that a deleted one is refused from the next request on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from entrepot.domain.managed_policy import AWS_ACCOUNT
from entrepot.domain.service_principal import (
    ServicePrincipal,
    ServicePrincipalNotFound,
    check_name,
    check_patterns,
)
from entrepot.service.context import Context
from entrepot.service.credential import new_key_id, new_secret
from entrepot.service.iam.access_key import AccessKeyOf, add_key
from entrepot.service.key import KeyService
from entrepot.store.metadata import service_principal as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.identity import insert_account, raise_access_epoch

ACCOUNT_NAME = "services"
"""What people call AWS's own account, if they ever see it."""


@dataclass(frozen=True, slots=True)
class NewServicePrincipal:
    """A credential as its holder is given it, once."""

    principal: ServicePrincipal
    secret: str = field(repr=False)


class ServicePrincipalService:
    """Credentials of services. A change holds from the next request on, on every worker."""

    def __init__(self, database: Database, context: Context, key: KeyService) -> None:
        self._database, self._context, self._key = database, context, key

    async def create(self, name: str, source_arns: Sequence[str]) -> NewServicePrincipal:
        """Make one more credential of a service, for sources that one of the patterns means.

        Raises:
            ServicePrincipalInvalid: the name or a pattern is none.
        """
        check_name(name)
        patterns = tuple(dict.fromkeys(source_arns))
        check_patterns(patterns)
        secret = new_secret(self._context)

        def change(connection: Connection) -> NewServicePrincipal:
            now, key_id = self._context.now_micros(), new_key_id(self._context)
            insert_account(connection, AWS_ACCOUNT, ACCOUNT_NAME, now)
            raise_access_epoch(connection, AWS_ACCOUNT)
            wanted = AccessKeyOf(AWS_ACCOUNT, key_id, key_id, secret)
            if add_key(connection, self._context, self._key, wanted) is None:
                raise AssertionError(key_id)  # 80 random bits
            rows.insert_service_principal(connection, key_id, name, patterns, now)
            return NewServicePrincipal(_find(connection, key_id)[0], secret)

        return await self._database.write(change)

    async def list(self) -> Sequence[ServicePrincipal]:
        """All of them, by name and age."""
        return await self._database.read(rows.list_service_principals)

    async def find(self, which: str) -> Sequence[ServicePrincipal]:
        """The one with an access key id, or all of a service's name.

        Raises:
            ServicePrincipalNotFound: there is none.
        """
        return await self._database.read(lambda connection: _find(connection, which))

    async def delete(self, which: str) -> Sequence[ServicePrincipal]:
        """Delete the one with an access key id, or all of a service's name; which there were.

        Raises:
            ServicePrincipalNotFound: there is none.
        """

        def change(connection: Connection) -> Sequence[ServicePrincipal]:
            raise_access_epoch(connection, AWS_ACCOUNT)
            found = _find(connection, which)
            rows.delete_service_principals(connection, [one.access_key_id for one in found])
            return found

        return await self._database.write(change)


def _find(connection: Connection, which: str) -> list[ServicePrincipal]:
    one = rows.find_service_principal(connection, which)
    found = rows.list_service_principals(connection, which) if one is None else [one]
    if not found:
        raise ServicePrincipalNotFound(which)
    return found
