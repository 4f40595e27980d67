"""OpenID Connect providers: whose tokens an account takes for proof, and with which keys they are verified.

Spec: IAM API, CreateOpenIDConnectProvider and the operations beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_error import EntityNotFound, InvalidInput, ValidationFailed
from entrepot.domain.iam_limit import CLIENT_IDS, PROVIDER_URL_LENGTH_MAX, THUMBPRINTS_MAX
from entrepot.domain.iam_tag import merge_tags
from entrepot.domain.page import PageRequest
from entrepot.domain.web_identity import Provider
from entrepot.service.context import Context
from entrepot.service.iam.entity import add_entity, begin_change, check_quota, list_page
from entrepot.service.iam.removal import remove_entity
from entrepot.store.metadata import iam_provider as rows
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.iam_tag import list_tags, put_tags

_SCHEME = "https://"
_ALL = PageRequest(10_000)


@dataclass(frozen=True, slots=True)
class ShownProvider:
    """A provider as it is shown."""

    entity: Entity
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


class IamProviderService:
    """What can be done with providers. Nothing is fetched here: an issuer is first asked when a token comes."""

    def __init__(self, database: Database, context: Context) -> None:
        self._database, self._context = database, context

    async def create(
        self,
        account_id: str,
        url: str,
        client_ids: Sequence[str],
        thumbprints: Sequence[str],
        tags: Mapping[str, str],
    ) -> Entity:
        """Trust the issuer at `url` for these audiences.

        Raises:
            ValidationFailed: not the URL of an issuer.
            InvalidInput: too many thumbprints.
            EntityAlreadyExists: it is trusted already.
            QuotaExceeded: providers, client ids or tags.
        """
        issuer = parse_issuer(url)
        _check_thumbprints(thumbprints)
        wanted = NewEntity(account_id, EntityKind.PROVIDER, "/", issuer)
        ids = tuple(dict.fromkeys(client_ids))
        check_quota(CLIENT_IDS, len(ids) - 1)

        def change(connection: Connection) -> Entity:
            begin_change(connection, account_id)
            entity = add_entity(connection, self._context, wanted)
            rows.insert_provider(connection, rows.ProviderRow(entity, ids, tuple(thumbprints)))
            put_tags(connection, entity.id, merge_tags({}, tags))
            return entity

        return await self._database.write(change)

    async def get(self, account_id: str, issuer: str) -> ShownProvider:
        """A provider by its issuer.

        Raises:
            EntityNotFound: there is none.
        """

        def query(connection: Connection) -> ShownProvider:
            row = _get(connection, account_id, issuer)
            return ShownProvider(row.entity, row.client_ids, row.thumbprints, list_tags(connection, row.entity.id))

        return await self._database.read(query)

    async def list(self, account_id: str) -> list[Entity]:
        """All providers of an account."""
        return list((await list_page(self._database, account_id, EntityKind.PROVIDER, "/", _ALL)).items)

    async def delete(self, account_id: str, issuer: str) -> None:
        """Trust an issuer no more; one that is not trusted does not matter."""

        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            row = rows.find_provider(connection, account_id, issuer)
            if row is not None:
                rows.delete_provider(connection, row.entity.id)
                remove_entity(connection, row.entity)

        await self._database.write(change)

    async def add_client_id(self, account_id: str, issuer: str, client_id: str) -> None:
        """Take tokens for one more audience; one that is there does not matter.

        Raises:
            EntityNotFound: there is no such provider.
            QuotaExceeded: it has as many as it can have.
        """

        def add(row: rows.ProviderRow) -> Sequence[str]:
            if client_id in row.client_ids:
                return row.client_ids
            check_quota(CLIENT_IDS, len(row.client_ids))
            return (*row.client_ids, client_id)

        await self._change(account_id, issuer, lambda row: {"client_ids": add(row)})

    async def remove_client_id(self, account_id: str, issuer: str, client_id: str) -> None:
        """Take no more tokens for an audience; one that is not there does not matter.

        Raises:
            EntityNotFound: there is no such provider.
        """
        await self._change(
            account_id, issuer, lambda row: {"client_ids": tuple(one for one in row.client_ids if one != client_id)}
        )

    async def update_thumbprints(self, account_id: str, issuer: str, thumbprints: Sequence[str]) -> None:
        """Replace the thumbprints.

        Raises:
            InvalidInput: too many.
            EntityNotFound: there is no such provider.
        """
        _check_thumbprints(thumbprints)
        await self._change(account_id, issuer, lambda _: {"thumbprints": tuple(thumbprints)})

    async def set_keys(self, account_id: str, issuer: str, keys: str | None) -> None:
        """Give an issuer's keys by hand, so that it is never asked; None: it is asked.

        Raises:
            EntityNotFound: there is no such provider.
        """
        await self._change(account_id, issuer, lambda _: {"jwks": keys})

    async def set_ca(self, account_id: str, issuer: str, ca: str | None) -> None:
        """Say which certificates sign the issuer's own; None: those that the system trusts.

        Raises:
            EntityNotFound: there is no such provider.
        """
        await self._change(account_id, issuer, lambda _: {"ca": ca})

    async def find(self, account_id: str, issuer: str) -> Provider | None:
        """The provider that an account trusts as `issuer`, if it does."""
        row = await self._database.lookup(lambda connection: rows.find_provider(connection, account_id, issuer))
        return None if row is None else Provider(account_id, issuer, row.client_ids, row.ca, row.jwks)

    async def _change(
        self,
        account_id: str,
        issuer: str,
        values: Callable[[rows.ProviderRow], Mapping[str, str | Sequence[str] | None]],
    ) -> None:
        def change(connection: Connection) -> None:
            begin_change(connection, account_id)
            row = _get(connection, account_id, issuer)
            rows.update_provider(connection, row.entity.id, **values(row))

        await self._database.write(change)


def parse_issuer(url: str) -> str:
    """Host and path of an issuer's URL.

    Raises:
        ValidationFailed: not https, or with more than host, port and path.
    """
    try:
        parts = urlsplit(url)
        is_plain = bool(parts.hostname) and not (parts.query or parts.fragment or parts.username or parts.password)
        _ = parts.port
    except ValueError as error:
        raise ValidationFailed("Invalid Open ID Connect Provider URL") from error
    if not is_plain or not url.startswith(_SCHEME) or len(url) > PROVIDER_URL_LENGTH_MAX or "?" in url or "#" in url:
        raise ValidationFailed("Invalid Open ID Connect Provider URL")
    return url.removeprefix(_SCHEME)


def _check_thumbprints(thumbprints: Sequence[str]) -> None:
    if len(thumbprints) > THUMBPRINTS_MAX:
        raise InvalidInput(f"Thumbprint list must contain fewer than {THUMBPRINTS_MAX} entries.")


def _get(connection: Connection, account_id: str, issuer: str) -> rows.ProviderRow:
    found = rows.find_provider(connection, account_id, issuer)
    if found is None:
        raise EntityNotFound("provider", f"arn:aws:iam::{account_id}:oidc-provider/{issuer}")
    return found
