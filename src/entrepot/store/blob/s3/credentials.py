"""Credentials for S3: those of the settings, or from where AWS's own tools look."""

from __future__ import annotations

from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from entrepot.domain.error import StorageUnavailable


def find(access_key_id: str | None, secret_access_key: str | None) -> Any:
    """Botocore's credentials: fixed ones, or without a key those of its chain, which it renews as they expire.

    Raises:
        StorageUnavailable: the chain has none.
    """
    if access_key_id is not None and secret_access_key is not None:
        return Credentials(access_key_id, secret_access_key)
    try:
        found = Session().get_credentials()
    except BotoCoreError as error:
        raise StorageUnavailable(f"the credentials for S3 cannot be read: {error}") from error
    if found is None:
        raise StorageUnavailable("AWS's environment, profile, container and instance have no credentials for S3")
    return found
