"""Entities on the wire: `User`, `Group`, their tags, and what makes new ones.

    {"Path": "/team/", "UserName": "mia", "UserId": "AIDA…", "Arn": "arn:aws:iam::…:user/team/mia", "CreateDate": …}

Spec: IAM API, User, Group, Tag, AttachedPermissionsBoundary. Lists of users say nothing of tags and boundaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entrepot.domain.iam import Entity, EntityKind, NewEntity
from entrepot.domain.iam_tag import parse_tags
from entrepot.transport.aws.call import Call


def new_entity(call: Call, kind: EntityKind, name_member: str) -> NewEntity:
    """The entity that a call is to make, with what it says of path, description and boundary."""
    given = call.parameters
    return NewEntity(
        call.caller.account_id,
        kind,
        given.get("Path", "/"),
        given[name_member],
        given.get("Description"),
        given.get("PermissionsBoundary"),
    )


def tags_of(call: Call) -> dict[str, str]:
    """The member `Tags`.

    Raises:
        InvalidInput: a key twice, in any case, or one that is reserved for AWS.
    """
    return parse_tags((tag["Key"], tag["Value"]) for tag in call.parameters.get("Tags", ()))


def pack_user(user: Entity) -> dict[str, Any]:
    """A user as lists show it."""
    return _pack(user, "UserName", "UserId")


def pack_group(group: Entity) -> dict[str, Any]:
    """A group."""
    return _pack(group, "GroupName", "GroupId")


def pack_role(role: Entity) -> dict[str, Any]:
    """What every answer says of a role."""
    return _pack(role, "RoleName", "RoleId")


def pack_instance_profile(profile: Entity) -> dict[str, Any]:
    """What every answer says of an instance profile itself."""
    return _pack(profile, "InstanceProfileName", "InstanceProfileId")


def pack_tag(tag: tuple[str, str]) -> dict[str, str]:
    """One tag."""
    return {"Key": tag[0], "Value": tag[1]}


def pack_attributes(entity: Entity, tags: Mapping[str, str]) -> dict[str, Any]:
    """What only the answers about a single user or role show; absent where there is nothing.

    AWS answers the type `Policy`, whatever its model says.
    """
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": entity.boundary}
    return {
        "PermissionsBoundary": boundary if entity.boundary else None,
        "Tags": [pack_tag(tag) for tag in tags.items()] or None,
    }


def _pack(entity: Entity, name_member: str, id_member: str) -> dict[str, Any]:
    return {
        "Path": entity.path,
        name_member: entity.name,
        id_member: entity.id,
        "Arn": entity.arn,
        "CreateDate": entity.created_at,
    }
