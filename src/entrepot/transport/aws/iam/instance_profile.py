"""Instance profiles: made, shown, listed, deleted, and the role that each can have.

    {"Path": "/", "InstanceProfileName": "node", "InstanceProfileId": "AIPA…",
     "Arn": "arn:aws:iam::…:instance-profile/node", "CreateDate": …, "Roles": [{…}], "Tags": []}

GetInstanceProfile has tags even where there are none; roles in profiles are without description and longest session.

Spec: IAM API, version 2010-05-08, InstanceProfile.
"""

from __future__ import annotations

from typing import Any, Final

from entrepot.domain.iam import EntityKind
from entrepot.service.iam.instance_profile import InstanceProfile
from entrepot.transport.aws.call import Call, Handler
from entrepot.transport.aws.iam.entity import new_entity, pack_instance_profile, pack_tag, tags_of
from entrepot.transport.aws.iam.paging import paging_of
from entrepot.transport.aws.iam.role import pack_bare_role
from entrepot.transport.aws.resource import ResourceKind

_NAME: Final = "InstanceProfileName"


async def create_instance_profile(call: Call) -> dict[str, Any]:
    wanted = new_entity(call, EntityKind.INSTANCE_PROFILE, _NAME)
    made = await call.services.iam_instance_profile.create(wanted, tags_of(call))
    return {"InstanceProfile": {**pack_profile(made), "Tags": _pack_tags(made) or None}}


async def get_instance_profile(call: Call) -> dict[str, Any]:
    profile = await call.services.iam_instance_profile.get(call.caller.account_id, call.parameters[_NAME])
    return {"InstanceProfile": {**pack_profile(profile), "Tags": _pack_tags(profile)}}


async def list_instance_profiles(call: Call) -> dict[str, Any]:
    paging, prefix = paging_of(call), call.parameters.get("PathPrefix", "/")
    page = await call.services.iam_instance_profile.list(call.caller.account_id, prefix, paging.request)
    return paging.answer("InstanceProfiles", page, pack_profile)


async def list_instance_profiles_for_role(call: Call) -> dict[str, Any]:
    paging, name = paging_of(call), call.parameters["RoleName"]
    page = await call.services.iam_instance_profile.list_of_role(call.caller.account_id, name, paging.request)
    return paging.answer("InstanceProfiles", page, pack_profile)


async def add_role_to_instance_profile(call: Call) -> dict[str, Any]:
    given = call.parameters
    await call.services.iam_instance_profile.add_role(call.caller.account_id, given[_NAME], given["RoleName"])
    return {}


async def remove_role_from_instance_profile(call: Call) -> dict[str, Any]:
    given = call.parameters
    await call.services.iam_instance_profile.remove_role(call.caller.account_id, given[_NAME], given["RoleName"])
    return {}


async def delete_instance_profile(call: Call) -> dict[str, Any]:
    await call.services.iam_instance_profile.delete(call.caller.account_id, call.parameters[_NAME])
    return {}


def pack_profile(profile: InstanceProfile) -> dict[str, Any]:
    """A profile as lists show it."""
    roles = [pack_bare_role(profile.role)] if profile.role else []
    return {**pack_instance_profile(profile.entity), "Roles": roles}


def _pack_tags(profile: InstanceProfile) -> list[dict[str, str]]:
    return [pack_tag(tag) for tag in profile.tags.items()]


OPERATIONS: Final[dict[str, tuple[ResourceKind, Handler]]] = {
    "AddRoleToInstanceProfile": (ResourceKind.INSTANCE_PROFILE, add_role_to_instance_profile),
    "CreateInstanceProfile": (ResourceKind.NEW_INSTANCE_PROFILE, create_instance_profile),
    "DeleteInstanceProfile": (ResourceKind.INSTANCE_PROFILE, delete_instance_profile),
    "GetInstanceProfile": (ResourceKind.INSTANCE_PROFILE, get_instance_profile),
    "ListInstanceProfiles": (ResourceKind.ANY, list_instance_profiles),
    "ListInstanceProfilesForRole": (ResourceKind.ROLE, list_instance_profiles_for_role),
    "RemoveRoleFromInstanceProfile": (ResourceKind.INSTANCE_PROFILE, remove_role_from_instance_profile),
}
