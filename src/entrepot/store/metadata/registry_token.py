"""Registry tokens: whose each one is, kept until it expires."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from entrepot.store.metadata.schema import access_key, account, iam_entity, registry_token, service_principal

_INSERT = insert(registry_token)
_FIND_LIVE = (
    select(
        registry_token.c.account_id,
        registry_token.c.unique_id,
        registry_token.c.access_key_id,
        account.c.access_epoch,
        access_key.c.session,
        iam_entity.c.path,
        func.coalesce(iam_entity.c.name, service_principal.c.name),
        registry_token.c.source_arn,
    )
    .join(account, account.c.id == registry_token.c.account_id)
    .join(
        access_key,
        (access_key.c.id == registry_token.c.access_key_id) & (access_key.c.unique_id == registry_token.c.unique_id),
    )
    .outerjoin(iam_entity, iam_entity.c.id == registry_token.c.unique_id)
    .outerjoin(service_principal, service_principal.c.id == registry_token.c.access_key_id)
    .where(registry_token.c.id == bindparam("token"), access_key.c.is_active)
)


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token whose access key exists and is active, with the epoch of its account."""

    account_id: str
    unique_id: str
    access_key_id: str
    access_epoch: int
    session: str | None = None
    """JSON, of a temporary key: a token carries the whole session of the key that it was made with."""
    path: str | None = None
    name: str | None = None
    source_arn: str | None = None
    """Of a service's token: for what it asked."""


def insert_registry_token(
    connection: Connection, token_id: str, holder: LiveToken, issued_at: int, expires_at: int
) -> None:
    """Keep whose token it is: by its access key, beside which the session is kept."""
    values = {
        "id": token_id,
        "account_id": holder.account_id,
        "unique_id": holder.unique_id,
        "access_key_id": holder.access_key_id,
        "session": "{}",
        "source_arn": holder.source_arn,
        "issued_at": issued_at,
        "expires_at": expires_at,
    }
    connection.execute(_INSERT, values)


def find_live_token(connection: Connection, token_id: str) -> LiveToken | None:
    """Whose token it is; None when it is gone, or its access key is gone or inactive."""
    row = connection.execute(_FIND_LIVE, {"token": token_id}).one_or_none()
    return None if row is None else LiveToken(*row)


def delete_expired_tokens(connection: Connection, now_micros: int, limit: int) -> int:
    """Delete at most `limit` tokens that have expired, oldest first; how many went."""
    columns = registry_token.c
    expired = select(columns.id).where(columns.expires_at <= now_micros).order_by(columns.expires_at).limit(limit)
    return connection.execute(delete(registry_token).where(columns.id.in_(expired.scalar_subquery()))).rowcount
