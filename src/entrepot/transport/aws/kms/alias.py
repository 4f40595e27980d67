"""Aliases: CreateAlias, UpdateAlias, DeleteAlias and ListAliases.

Who moves or deletes an alias must be allowed to on the alias and on the key that it names: if it names another one by
the time that it is changed, he is asked again.

Spec: KMS API, version 2014-11-01; KMS developer guide, "Controlling access to aliases".
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.kms import KmsAlias, key_arn, parse_key_name
from entrepot.domain.kms_error import AliasNotFound, KeyNotFound
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.kms.named_key import key_of
from entrepot.transport.aws.kms.paging import paging_of
from entrepot.transport.aws.resource import ResourceKind


async def create_alias(call: Call) -> dict[str, Any]:
    key = await key_of(call, "TargetKeyId")
    await call.services.kms_alias.create(call.registry, call.parameters["AliasName"], key)
    return {}


async def update_alias(call: Call) -> dict[str, Any]:
    key = await key_of(call, "TargetKeyId")
    while not await call.services.kms_alias.move(await _allowed(call), key):
        pass
    return {}


async def delete_alias(call: Call) -> dict[str, Any]:
    while not await call.services.kms_alias.delete(await _allowed(call)):
        pass
    return {}


async def list_aliases(call: Call) -> dict[str, Any]:
    paging, key = paging_of(call, 50, 100), None
    if "KeyId" in call.parameters:
        name = parse_key_name(call.parameters["KeyId"], call.registry)
        if name.place != call.registry:  # nobody learns whether another account has it
            raise KeyNotFound(name.arn) if name.key_id else AliasNotFound(name.arn)
        key = await call.services.kms_keys.get(name)
    return paging.answer("Aliases", await call.services.kms_alias.list(call.registry, paging.request, key), _pack)


async def _allowed(call: Call) -> KmsAlias:
    """The alias, once the caller is known to be allowed on the key that it names."""
    alias = await call.services.kms_alias.find(call.registry, call.parameters["AliasName"])
    await call.permission.check(key_arn(alias.place, alias.key_id))
    return alias


def _pack(alias: KmsAlias) -> dict[str, Any]:
    return {
        "AliasName": alias.name,
        "AliasArn": alias.arn,
        "TargetKeyId": alias.key_id,
        "CreationDate": alias.created_at,
        "LastUpdatedDate": alias.updated_at,
    }


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "CreateAlias": (ResourceKind.ALIAS_AND_KEY, create_alias),
    "DeleteAlias": (ResourceKind.ALIAS, delete_alias),
    "ListAliases": (ResourceKind.ANY, list_aliases),
    "UpdateAlias": (ResourceKind.ALIAS_AND_KEY, update_alias),
}
"""By name: what each is authorised on, and its handler."""
