"""OpenID Connect providers: created, looked at, changed, tagged and deleted.

Spec: IAM API, version 2010-05-08.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.arn import entity_of
from entrepot.domain.iam import EntityKind
from entrepot.domain.iam_error import EntityNotFound, ValidationFailed
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.entity import pack_tag, tags_of
from entrepot.transport.aws.resource import ResourceKind


async def create(call: Call) -> dict[str, Any]:
    given, tags = call.parameters, tags_of(call)
    thumbprints, client_ids = given.get("ThumbprintList", ()), given.get("ClientIDList", ())
    made = await call.services.iam_provider.create(call.caller.account_id, given["Url"], client_ids, thumbprints, tags)
    return {"OpenIDConnectProviderArn": made.arn, "Tags": [pack_tag(tag) for tag in tags.items()] or None}


async def get(call: Call) -> dict[str, Any]:
    found = await call.services.iam_provider.get(*provider_of(call))
    return {
        "Url": found.entity.name,
        "ClientIDList": list(found.client_ids),
        "ThumbprintList": list(found.thumbprints),
        "CreateDate": found.entity.created_at,
        "Tags": [pack_tag(tag) for tag in found.tags.items()],
    }


async def list_all(call: Call) -> dict[str, Any]:
    found = await call.services.iam_provider.list(call.caller.account_id)
    return {"OpenIDConnectProviderList": [{"Arn": entity.arn} for entity in found]}


async def delete(call: Call) -> dict[str, Any]:
    await call.services.iam_provider.delete(*provider_of(call))
    return {}


async def add_client_id(call: Call) -> dict[str, Any]:
    await call.services.iam_provider.add_client_id(*provider_of(call), call.parameters["ClientID"])
    return {}


async def remove_client_id(call: Call) -> dict[str, Any]:
    await call.services.iam_provider.remove_client_id(*provider_of(call), call.parameters["ClientID"])
    return {}


async def update_thumbprint(call: Call) -> dict[str, Any]:
    await call.services.iam_provider.update_thumbprints(*provider_of(call), call.parameters["ThumbprintList"])
    return {}


def provider_of(call: Call) -> tuple[str, str]:
    """Account and issuer of the provider that a call names.

    Raises:
        ValidationFailed: not the ARN of a provider.
        EntityNotFound: one of another account.
    """
    arn: str = call.parameters["OpenIDConnectProviderArn"]
    found = entity_of(arn)
    if found is None or found[1] is not EntityKind.PROVIDER:
        raise ValidationFailed(f"Invalid ARN: {arn}")
    if found[0] != call.caller.account_id:
        raise EntityNotFound("provider", arn)
    return found[0], found[2]


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "AddClientIDToOpenIDConnectProvider": (ResourceKind.PROVIDER, add_client_id),
    "CreateOpenIDConnectProvider": (ResourceKind.NEW_PROVIDER, create),
    "DeleteOpenIDConnectProvider": (ResourceKind.PROVIDER, delete),
    "GetOpenIDConnectProvider": (ResourceKind.PROVIDER, get),
    "ListOpenIDConnectProviders": (ResourceKind.ANY, list_all),
    "RemoveClientIDFromOpenIDConnectProvider": (ResourceKind.PROVIDER, remove_client_id),
    "UpdateOpenIDConnectProviderThumbprint": (ResourceKind.PROVIDER, update_thumbprint),
}
