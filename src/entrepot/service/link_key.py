"""Link keys: a blob that one repository holds gets a holder more, with its data key wrapped for that one.

Afterwards the new holder depends on nobody: whatever becomes of the other repository, its key opens the blob.
"""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.sealed_key import SealClosed, SealedKey
from entrepot.service.context import Context
from entrepot.service.repository_key import RepositoryKeys
from entrepot.service.wrapped_key import unwrap, wrap
from entrepot.store.metadata import link_key as rows


def link_key_for(
    connection: Connection,
    context: Context,
    keys: RepositoryKeys,
    seal: SealedKey,
    blob_id: int,
    source_id: int | None = None,
) -> bytes | None:
    """The data key of a blob, which the caller holds, for the repository of `seal`; None: nobody has it any more.

    Taken from the repository itself if it holds the blob, else from `source_id`, else from any that does.

    Raises:
        SealClosed: for use with `RepositoryKeys.with_open`.
    """
    wrapping = keys.get(seal)  # what the repository holds already is held out to nobody while its key is off
    own = rows.find_link_key(connection, seal.repository_id, blob_id)
    if own is not None:
        return own
    holders = rows.list_link_keys(connection, blob_id, source_id)
    if not holders:
        return None
    storage_key = rows.find_storage_key(connection, blob_id)
    for holder in holders:
        opened = keys.find(holder.seal)
        if opened is not None:
            data_key = unwrap(opened, storage_key, holder.wrapped)
            return wrap(wrapping, storage_key, data_key, context.random_bytes)
    raise SealClosed(*(holder.seal for holder in holders))
