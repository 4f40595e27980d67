"""Condition keys of parameters: what policies are told of a request's own members.

Keys are in lower case, as the policy engine asks for them.

Spec: Service Authorization Reference, "Condition keys" of ECR, IAM and STS; `ecr:ImageTag` is an extension of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from entrepot.auth.condition_key import IMAGE_TAG, Values
from entrepot.transport.aws.kms.condition_key import kms_keys_of

Parameters = Mapping[str, Any]


def keys_of(service: str, operation: str, parameters: Parameters) -> dict[str, Values]:
    """The condition keys that follow from validated parameters."""
    found: dict[str, Values] = _tags(parameters)
    for member, key in _MEMBERS.get(service, {}).items():
        if member in parameters:
            found[key] = _values(parameters[member])
    if service == "ec2":
        found |= _ec2_keys(parameters)
    if service == "ecr" and (tags := _image_tags(parameters)):
        found[IMAGE_TAG] = tags
    if service == "kms":
        found |= kms_keys_of(operation, parameters)
    return found


def _tags(parameters: Parameters) -> dict[str, Values]:
    """Tags that are to be set, and keys of tags that are to be set or removed."""
    given = [_pair(tag) for tag in parameters.get("tags") or parameters.get("Tags") or ()]
    keys = [key for key, _ in given] + list(parameters.get("tagKeys") or parameters.get("TagKeys") or ())
    found: dict[str, Values] = {f"aws:requesttag/{key.lower()}": (value,) for key, value in given}
    if keys:
        found["aws:tagkeys"] = tuple(keys)
    return found


def _ec2_keys(parameters: Parameters) -> dict[str, Values]:
    """Of what is made with tags, and of those tags."""
    specified = parameters.get("TagSpecifications") or ()
    tags = [tag for one in specified for tag in one.get("Tags") or ()]
    found = _tags({"Tags": tags})
    if specified:  # endpoints are the only thing of EC2's that can be made here
        found["ec2:createaction"] = ("CreateVpcEndpoint",)
    return found


def _pair(tag: Parameters) -> tuple[str, str]:
    """Key and value of a tag, as ECR and IAM or as KMS write it."""
    return (tag["TagKey"], tag["TagValue"]) if "TagKey" in tag else (tag["Key"], tag.get("Value", ""))


def _image_tags(parameters: Parameters) -> Values:
    named = [parameters.get("imageTag"), *(one.get("imageTag") for one in parameters.get("imageIds") or ())]
    return tuple(dict.fromkeys(tag for tag in named if tag))


def _values(value: Any) -> Values:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


_MEMBERS: Final[dict[str, dict[str, str]]] = {
    "ec2": {"ServiceName": "ec2:vpceservicename"},
    "ecr": {"name": "ecr:accountsetting"},
    "iam": {"PolicyArn": "iam:policyarn", "PermissionsBoundary": "iam:permissionsboundary"},
    "sts": {
        "ExternalId": "sts:externalid",
        "RoleSessionName": "sts:rolesessionname",
        "SourceIdentity": "sts:sourceidentity",
        "TransitiveTagKeys": "sts:transitivetagkeys",
    },
}
"""Members of one service that set a key, by service."""
