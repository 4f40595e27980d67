"""Which row a repository is, and the lock that keeps it from being deleted under a change.

Locks are taken in the order repository, manifests by id, tags and links; SQLite has one writer and needs none.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from entrepot.domain.error import RepositoryNotFound
from entrepot.domain.registry import Registry
from entrepot.domain.sealed_key import SealedKey
from entrepot.domain.tag_mutability import TagMutability
from entrepot.store.metadata.schema import registry, repository
from entrepot.store.metadata.sealed_key import SEAL_COLUMNS, to_seal
from entrepot.store.metadata.statement import Statement
from entrepot.store.metadata.view import to_tag_mutability


@dataclass(frozen=True, slots=True)
class RepositoryKey:
    """The row ids behind a repository, and the rule for its tags."""

    id: int
    registry_id: int
    domain_id: int
    tag_mutability: TagMutability
    seal: SealedKey | None = None
    """Its key, when a KMS key protects it."""


_KEY = (
    select(
        repository.c.id,
        repository.c.registry_id,
        repository.c.domain_id,
        repository.c.tag_mutability,
        repository.c.exclusion_filters,
        *SEAL_COLUMNS,
    )
    .join(registry, registry.c.id == repository.c.registry_id)
    .where(
        registry.c.account_id == bindparam("account"),
        registry.c.region == bindparam("region"),
        repository.c.name == bindparam("name"),
    )
)
_FIND = Statement(_KEY)
_LOCK = Statement(_KEY.with_for_update(read=True, key_share=True, of=repository))


def get_repository_key(connection: Connection, owner: Registry, name: str, *, is_locked: bool) -> RepositoryKey:
    """Find a repository; `is_locked` keeps it until the end of the transaction (FOR KEY SHARE).

    Raises:
        RepositoryNotFound: no repository of that name in `owner`.
    """
    statement = _LOCK if is_locked else _FIND
    row = statement.row(connection, {"account": owner.account_id, "region": owner.region, "name": name})
    if row is None:
        raise RepositoryNotFound(owner, name)
    row_id, registry_id, domain_id, mode, filters, *seal = row
    opened_by = to_seal(seal, row_id, owner.repository_arn(name))
    return RepositoryKey(row_id, registry_id, domain_id, to_tag_mutability(mode, filters), opened_by)
