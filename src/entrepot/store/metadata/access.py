"""What a decision about access reads: policies and tags of repositories, registries and roles, by key."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.store.metadata.schema import (
    account,
    iam_role,
    registry,
    registry_policy,
    repository,
    repository_policy,
)


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """What a registry says about access."""

    epoch: int | None
    """Access epoch of its account; None when there is no such account."""
    policy: SavedPolicy | None
    settings: str
    """JSON object of account settings."""


def find_epoch(connection: Connection, account_id: str) -> int | None:
    """The access epoch of an account; None when there is none."""
    return connection.scalar(select(account.c.access_epoch).where(account.c.id == account_id))


def find_registry_access(connection: Connection, owner: Registry) -> RegistryAccess:
    """The policy and settings of a registry, with the epoch of its account."""
    row = connection.execute(
        select(account.c.access_epoch, registry.c.settings, registry_policy.c.document, registry_policy.c.principals)
        .outerjoin(registry, (registry.c.account_id == account.c.id) & (registry.c.region == owner.region))
        .outerjoin(registry_policy, registry_policy.c.registry_id == registry.c.id)
        .where(account.c.id == owner.account_id)
    ).one_or_none()
    if row is None:
        return RegistryAccess(None, None, "{}")
    policy = None if row.document is None else SavedPolicy(row.document, json.loads(row.principals))
    return RegistryAccess(row.access_epoch, policy, row.settings or "{}")


def find_repository_with_policy(connection: Connection, owner: Registry, name: str) -> int | None:
    """The row id of a repository if it has a policy: one without and none at all are the same to strangers."""
    return connection.scalar(
        select(repository.c.id)
        .join(registry, registry.c.id == repository.c.registry_id)
        .join(repository_policy, repository_policy.c.repository_id == repository.c.id)
        .where(registry.c.account_id == owner.account_id, registry.c.region == owner.region, repository.c.name == name)
    )


def find_trust_policy(connection: Connection, role_id: str) -> SavedPolicy | None:
    """The trust policy of a role."""
    columns = iam_role.c
    row = connection.execute(
        select(columns.trust_policy, columns.trust_principals).where(columns.id == role_id)
    ).one_or_none()
    return None if row is None else SavedPolicy(row.trust_policy, json.loads(row.trust_principals))
