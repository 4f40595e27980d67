"""Referrers: what points at an image by its `subject`, such as signatures, SBOMs and attestations.

Spec: OCI Distribution 1.1, "Listing Referrers"; ECR API, ListImageReferrers. The subject itself may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from entrepot.domain.digest import Digest
from entrepot.domain.image import ImageStatus, Referrer
from entrepot.domain.limit import REFERRERS_PAGE_BYTES_MAX
from entrepot.domain.manifest import annotations_of
from entrepot.domain.page import Page, PageRequest
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.referrer import ReferrerRow, find_raws, list_referrers
from entrepot.store.metadata.repository_key import get_repository_key


class ReferrerService:
    """Who refers to an image of a repository."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        registry: Registry,
        name: RepositoryName,
        subject: Digest,
        artifact_types: Sequence[str] | None,
        status: ImageStatus | None,
        page: PageRequest,
    ) -> Page[Referrer]:
        """Referrers of `subject`, oldest first; keys are row ids.

        No artifact types take all, status None takes every storage class. A page ends early, and says that more
        follow, where its manifests would have more than 4 MiB together.

        Raises:
            RepositoryNotFound: no such repository.
        """

        def read(connection: Connection) -> Page[Referrer]:
            key = get_repository_key(connection, registry, name, is_locked=False)
            one_more = PageRequest(page.size + 1, page.after)
            rows = list_referrers(connection, key.id, subject, artifact_types or (), status, one_more)
            shown = _within_budget(rows[: page.size])
            raws = find_raws(connection, [row.id for row in shown]) if shown else {}
            items = [_to_referrer(row, raws[row.id]) for row in shown if row.id in raws]
            return Page(items, (shown[-1].id,) if len(rows) > len(shown) and shown else None)

        return await self._database.read(read)


def _within_budget(rows: Sequence[ReferrerRow]) -> Sequence[ReferrerRow]:
    """The first rows whose manifests fit the budget; at least one, so that a walk always goes on."""
    total = 0
    for place, row in enumerate(rows):
        total += row.size_bytes
        if place and total > REFERRERS_PAGE_BYTES_MAX:
            return rows[:place]
    return rows


def _to_referrer(row: ReferrerRow, raw: bytes) -> Referrer:
    return Referrer(row.digest, row.media_type, row.artifact_type, row.size_bytes, annotations_of(raw), row.status)
