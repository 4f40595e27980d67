"""Keys of KMS, written as rows, for tests that need one and no API."""

from __future__ import annotations

from sqlalchemy import Connection

from entrepot.domain.kms import KeyManager, KeyState, KmsKey, VersionOrigin
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.key import add_version
from entrepot.store.metadata.kms_key import insert_key


def delegating_policy(account_id: str) -> str:
    """The policy of a key whose use the account's identity policies decide."""
    return (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", '
        f'"Principal": {{"AWS": "arn:aws:iam::{account_id}:root"}}}}]}}'
    )


def make_key(connection: Connection, context: Context, keys: KeyService, place: Registry) -> KmsKey:
    """An enabled key of an account that exists."""
    key = KmsKey(context.new_uuid(), place, "", KeyState.ENABLED, KeyManager.CUSTOMER, 1, "", context.now())
    insert_key(connection, key, SavedPolicy(delegating_policy(place.account_id), {}))
    add_version(connection, context, keys, key.id, 1, VersionOrigin.CREATED)
    return key
