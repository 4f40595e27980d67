"""Grants on keys: made, listed, revoked and retired; each holds from the next request on.

Spec: KMS API, CreateGrant, ListGrants, ListRetirableGrants, RevokeGrant, RetireGrant; KMS developer guide, "Grants in
AWS KMS".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from entrepot.domain.kms import KeyName, KmsKey
from entrepot.domain.kms_error import GrantNotFound, GrantPrincipalInvalid, GrantTokenInvalid, KmsQuotaExceeded
from entrepot.domain.kms_grant import Constraints, KeptGrant, KmsGrant
from entrepot.domain.kms_limit import GRANTS_MAX
from entrepot.domain.page import Page, PageRequest, cut_page
from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.fault import PolicyInvalid
from entrepot.domain.policy.principal import Grant
from entrepot.domain.policy.saved import PrincipalNotFound
from entrepot.domain.principal import Caller, PrincipalKind
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.kms.key import begin_change, check_usable, get_key
from entrepot.service.saved_policy import find_principals
from entrepot.store.metadata import kms_grant as rows
from entrepot.store.metadata.base import Database

ID_BYTES: Final = 32
TOKEN_BYTES: Final = 96
"""Nobody guesses one; its text is 192 characters long. Who has it may do no more than who knows the grant's id."""

_SERVICE: Final = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A grant that is to be made."""

    grantee: str
    operations: tuple[str, ...]
    issuing_account: str
    """ARN of the root of the caller's account."""
    retiring: str | None = None
    name: str | None = None
    constraints: Constraints = field(default_factory=Constraints)

    def is_made_as(self, grant: KmsGrant) -> bool:
        """Whether a grant is what this one would become."""
        return (self.grantee, set(self.operations), self.retiring, self.constraints, self.issuing_account) == (
            grant.grantee,
            set(grant.operations),
            grant.retiring,
            grant.constraints,
            grant.issuing_account,
        )


class KmsGrantService:
    """The grants of all keys."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def create(self, key: KmsKey, wanted: NewGrant) -> KmsGrant:
        """Make a grant; the same again under its name is the one that is there.

        Raises:
            GrantPrincipalInvalid: no such principal.
            KmsQuotaExceeded: the key has as many as it can have.
            KeyNotFound, KeyDisabled, KeyStateInvalid
        """

        def change(connection: Connection) -> KmsGrant:
            begin_change(connection, key.place.account_id)
            check_usable(get_key(connection, KeyName(key.place, key.id)))
            principals = _find_all(connection, wanted)
            if wanted.name is not None:
                for row in rows.find_same(connection, key.id, wanted.name):
                    if wanted.is_made_as(row.grant) and row.principals == principals:
                        return row.grant
            if rows.count_grants(connection, key.id) >= GRANTS_MAX:
                raise KmsQuotaExceeded(f"The key has {GRANTS_MAX} grants, and cannot have more.")
            made = self._made(key, wanted)
            rows.insert_grant(connection, key.id, made, principals)
            return made

        return await self._database.write(change)

    async def list_of_key(
        self, key: KmsKey, page: PageRequest, *, grant_id: str | None = None, grantee: str | None = None
    ) -> Page[KmsGrant]:
        """The grants on a key, or those of them that are meant."""
        found = await self._database.read(
            lambda connection: rows.list_grants(
                connection, key.id, _after(page), page.size + 1, grant_id=grant_id, grantee=grantee
            )
        )
        return cut_page(found, page.size, lambda grant: (grant.id,))

    async def list_retirable(self, own: Registry, retiring: str, page: PageRequest) -> Page[KmsGrant]:
        """The grants in a region that somebody may retire: on all accounts' keys, if he is of the account himself."""
        account_id = None if retiring.split(":")[4:5] == [own.account_id] else own.account_id
        found = await self._database.read(
            lambda connection: rows.list_retirable_grants(
                connection, own.region, retiring, _after(page), page.size + 1, account_id=account_id
            )
        )
        return cut_page(found, page.size, lambda grant: (grant.id,))

    async def revoke(self, key: KmsKey, grant_id: str) -> None:
        """Take a grant away.

        Raises:
            GrantNotFound, KeyNotFound, KeyStateInvalid
        """

        def change(connection: Connection) -> None:
            begin_change(connection, key.place.account_id)
            get_key(connection, KeyName(key.place, key.id))
            if rows.find_grant(connection, key.id, grant_id) is None:
                raise GrantNotFound(grant_id)
            rows.delete_grant(connection, grant_id)

        await self._database.write(change)

    async def find(self, key: KmsKey, grant_id: str) -> KeptGrant:
        """A grant by its id.

        Raises:
            GrantNotFound
        """
        found = await self._database.read(lambda connection: rows.find_grant(connection, key.id, grant_id))
        if found is None:
            raise GrantNotFound(grant_id)
        return found

    async def find_by_token(self, token: str) -> KeptGrant:
        """A grant by its token.

        Raises:
            GrantTokenInvalid
        """
        found = await self._database.read(lambda connection: rows.find_grant_by_token(connection, token))
        if found is None:
            raise GrantTokenInvalid
        return found

    async def retire(self, row: KeptGrant) -> None:
        """Give a grant back; one that is gone by now does not matter."""

        def change(connection: Connection) -> None:
            begin_change(connection, row.account_id)
            rows.delete_grant(connection, row.grant.id)

        await self._database.write(change)

    async def check_tokens(self, tokens: list[str]) -> None:
        """Check grant tokens: grants hold at once, so they are not needed, but they must be tokens.

        Raises:
            GrantTokenInvalid
        """
        for token in tokens:
            await self.find_by_token(token)

    def _made(self, key: KmsKey, wanted: NewGrant) -> KmsGrant:
        return KmsGrant(
            id=self._context.random_bytes(ID_BYTES).hex(),
            key_arn=key.arn,
            token=self._context.random_bytes(TOKEN_BYTES).hex(),
            name=wanted.name,
            grantee=wanted.grantee,
            retiring=wanted.retiring,
            issuing_account=wanted.issuing_account,
            operations=wanted.operations,
            created_at=self._context.now(),
            constraints=wanted.constraints,
        )


def granted_to_retire(caller: Caller, row: KeptGrant) -> Grant:
    """What a grant itself says of its end to somebody: whom it names for that, and its grantee if it says so."""
    names, said = names_of(caller), Grant.NONE
    grantee = row.grant.grantee if "RetireGrant" in row.grant.operations else None
    for name in (row.grant.retiring, grantee):
        if name is not None and _is_meant(caller, name, row.principals, names):
            said |= names[name]
    return said


def find_granted(connection: Connection, caller: Caller, key_id: str) -> list[tuple[Grant, KmsGrant]]:
    """The grants on a key for a caller, each with the name by which it meets him."""
    names = names_of(caller)
    found = rows.find_grants_for(connection, key_id, names)
    return [
        (names[row.grant.grantee], row.grant)
        for row in found
        if _is_meant(caller, row.grant.grantee, row.principals, names)
    ]


def names_of(caller: Caller) -> dict[str, Grant]:
    """By which names a grant can mean a caller."""
    principal = caller.principal
    if principal.kind is PrincipalKind.SERVICE:
        return {principal.arn: Grant.DIRECT}
    names = {f"arn:{principal.arn.split(':')[1]}:iam::{principal.account_id}:root": Grant.ACCOUNT}
    if principal.kind is PrincipalKind.USER:
        names[principal.arn] = Grant.DIRECT
    if principal.kind is PrincipalKind.ROLE:
        names |= {principal.identity_arn: Grant.ROLE, principal.arn: Grant.DIRECT}
    return names


def _is_meant(caller: Caller, name: str | None, principals: Mapping[str, str], names: Mapping[str, Grant]) -> bool:
    """Whether a name is the caller's and was his when the grant was made: names can be given again."""
    if name is None or name not in names:
        return False
    unique_id = principals.get(name)
    return unique_id is None or unique_id.partition(":")[0] == caller.principal.unique_id


def _after(page: PageRequest) -> str:
    return "" if page.after is None else str(page.after[0])


def _find_all(connection: Connection, wanted: NewGrant) -> dict[str, str]:
    found = dict[str, str]()
    for name in (wanted.grantee, wanted.retiring):
        if name is not None and not _SERVICE.fullmatch(name):
            found |= _find(connection, name)
    return found


def _find(connection: Connection, name: str) -> dict[str, str]:
    """The unique id of a user or role; nothing of an account's root."""
    statement = {"Effect": "Allow", "Principal": {"AWS": name}, "Action": "kms:*", "Resource": "*"}
    if not name.startswith("arn:"):
        raise GrantPrincipalInvalid(name)
    try:
        policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), Kind.KEY)
        return find_principals(connection, policy)
    except (PolicyInvalid, PrincipalNotFound) as error:
        raise GrantPrincipalInvalid(name) from error
