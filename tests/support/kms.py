"""Keys of KMS: written as rows, and made and looked at through the API."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from entrepot.domain.kms import KeyManager, KeyState, KmsKey, VersionOrigin
from entrepot.domain.policy.saved import SavedPolicy
from entrepot.domain.registry import Registry
from entrepot.service.context import Context
from entrepot.service.key import KeyService
from entrepot.service.kms.key import add_version
from entrepot.store.metadata.kms_key import insert_key
from tests.support.aws import AwsClient, Reply


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


async def new_key(client: AwsClient, **parameters: Any) -> dict[str, Any]:
    """The metadata of a key that was made just now through the API."""
    made = await client.kms("CreateKey", **parameters)
    metadata: dict[str, Any] = made["KeyMetadata"]
    return metadata


async def described(client: AwsClient, key_id: str) -> dict[str, Any]:
    """A key's metadata."""
    metadata: dict[str, Any] = (await client.kms("DescribeKey", KeyId=key_id))["KeyMetadata"]
    return metadata


def error_of(reply: Reply) -> tuple[int, str | None, str]:
    """Status, code and message of a refusal."""
    return reply.status, reply.code, reply.message
