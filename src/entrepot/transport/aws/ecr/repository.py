"""Repository operations: CreateRepository, DescribeRepositories, DeleteRepository and the two settings.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.error import InvalidParameter
from entrepot.domain.limit import PAGE_SIZE_DEFAULT
from entrepot.domain.repository import Repository, RepositorySettings, parse_repository_name
from entrepot.domain.resource_tag import parse_resource_tags
from entrepot.domain.sealed_key import EncryptionType
from entrepot.domain.tag_mutability import Mode, TagMutability, parse_tag_mutability
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.ecr.protection import choose_key
from entrepot.transport.aws.page_token import paging_of


async def create_repository(call: Call) -> dict[str, Any]:
    encryption_type, kms_key = _read_encryption(call.parameters)
    settings = RepositorySettings(
        tag_mutability=_read_mutability(call.parameters),
        scan_on_push=call.parameters.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption_type=encryption_type,
        kms_key=kms_key,
    )
    tags = parse_resource_tags((tag["Key"], tag["Value"]) for tag in call.parameters.get("tags", []))
    chosen = await choose_key(call, settings)
    made = await call.services.repository.create(call.registry, call.repository, settings, tags, chosen)
    return {"repository": _repository(call, made)}


async def describe_repositories(call: Call) -> dict[str, Any]:
    names = call.parameters.get("repositoryNames")
    if names is not None and ("nextToken" in call.parameters or "maxResults" in call.parameters):
        raise InvalidParameter("repositoryNames", "repositoryNames can not be combined with nextToken or maxResults")
    wanted = None if names is None else [parse_repository_name(name) for name in names]
    paging = paging_of(call, PAGE_SIZE_DEFAULT)
    page = await call.services.repository.describe(call.registry, wanted, paging.request)
    return {"repositories": [_repository(call, item) for item in page.items], "nextToken": paging.next_token(page)}


async def delete_repository(call: Call) -> dict[str, Any]:
    force = call.parameters.get("force", False)
    deleted = await call.services.repository.delete(call.registry, call.repository, force)
    return {"repository": _repository(call, deleted)}


async def put_image_tag_mutability(call: Call) -> dict[str, Any]:
    setting = _read_mutability(call.parameters)
    changed = await call.services.repository.set_tag_mutability(call.registry, call.repository, setting)
    return _names(changed) | _mutability(changed.settings.tag_mutability)


async def put_image_scanning_configuration(call: Call) -> dict[str, Any]:
    scan_on_push = call.parameters["imageScanningConfiguration"].get("scanOnPush", False)
    changed = await call.services.repository.set_scan_on_push(call.registry, call.repository, scan_on_push)
    return _names(changed) | {"imageScanningConfiguration": {"scanOnPush": changed.settings.scan_on_push}}


def _read_mutability(parameters: dict[str, Any]) -> TagMutability:
    filters = parameters.get("imageTagMutabilityExclusionFilters")
    texts = None if filters is None else tuple(item["filter"] for item in filters)
    return parse_tag_mutability(parameters.get("imageTagMutability", Mode.MUTABLE), texts)


def _read_encryption(parameters: dict[str, Any]) -> tuple[str, str | None]:
    configuration = parameters.get("encryptionConfiguration", {"encryptionType": EncryptionType.AES256})
    kind, key = configuration["encryptionType"], configuration.get("kmsKey")
    if kind == EncryptionType.AES256 and key is not None:
        raise InvalidParameter("encryptionConfiguration.kmsKey", "Member must be null when encryptionType is AES256")
    return kind, key


def _repository(call: Call, repository: Repository) -> dict[str, Any]:
    settings = repository.settings
    return {
        "repositoryArn": repository.arn,
        **_names(repository),
        "repositoryUri": call.registry_url.repository_uri(repository.registry, repository.name),
        "createdAt": repository.created_at,
        **_mutability(settings.tag_mutability),
        "imageScanningConfiguration": {"scanOnPush": settings.scan_on_push},
        "encryptionConfiguration": {"encryptionType": settings.encryption_type, "kmsKey": settings.kms_key},
    }


def _names(repository: Repository) -> dict[str, Any]:
    return {"registryId": repository.registry.account_id, "repositoryName": repository.name}


def _mutability(setting: TagMutability) -> dict[str, Any]:
    filters = [{"filterType": "WILDCARD", "filter": text} for text in setting.filters]
    return {"imageTagMutability": setting.mode, "imageTagMutabilityExclusionFilters": filters or None}
