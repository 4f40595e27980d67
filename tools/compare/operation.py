"""Which operations of a service model a server answers."""

from __future__ import annotations

import json
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ListShape, OperationModel, Shape, StringShape, StructureShape

from tools.compare.target import Target, digest, error_code, manifest

_COMMON_ERRORS = {"ValidationException", "InvalidParameterException", "AccessDeniedException"}


def answered_operations(target: Target) -> tuple[list[str], int]:
    """The operations that answer as documented, and how many there are."""
    model = target.ecr.meta.service_model
    answered = [name for name in model.operation_names if _answers(target, model.operation_model(name))]
    return answered, len(model.operation_names)


def _answers(target: Target, operation: OperationModel) -> bool:
    """Whether an operation answers a well-formed request with its output or with an error that it documents."""
    documented = {shape.name for shape in operation.error_shapes} | _COMMON_ERRORS
    request = {**_example(operation.input_shape), **_MORE.get(operation.name, {})}
    try:
        target.ecr._make_api_call(operation.name, request)  # noqa: SLF001 -- by model name
    except ClientError as error:
        return error_code(error) in documented - {"ServerException"}
    except BotoCoreError:
        return False
    return True


_EXAMPLES = {
    "repositoryName": "compare/none",
    "repositoryNames": ["compare/none"],
    "uploadId": str(uuid.UUID(int=0)),
    "layerDigest": digest(b"none"),
    "imageDigest": digest(b"none"),
    "imageManifest": manifest(b"none", [b"none"]).decode(),
    "registryId": "123456789012",
    "region": "us-west-2",
    "resourceArn": "arn:aws:ecr:us-east-1:123456789012:repository/compare/none",
    "principalArn": "arn:aws:iam::123456789012:role/none",
    "ecrRepositoryPrefix": "none",
    "prefix": "none",
    "policyText": "{}",
    "lifecyclePolicyText": json.dumps({"rules": []}).ljust(100),
    "upstreamRegistryUrl": "public.ecr.aws",
    "replicationBackfillId": str(uuid.UUID(int=0)),
    "name": "BLOB_MOUNTING",
    "value": "ENABLED",
}


_MORE = {"PutRegistryScanningConfiguration": {"scanType": "BASIC", "rules": []}}
"""Members that a request needs to mean anything, although none is required."""


def _example(shape: Shape | None, name: str = "") -> Any:
    """The smallest value of a shape: required members only."""
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    if isinstance(shape, StructureShape):
        return {member: _example(shape.members[member], member) for member in shape.required_members}
    if isinstance(shape, ListShape):
        return [_example(shape.member)]
    if shape is None:
        return {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else "none"
    return {"string": "none", "blob": b"x", "boolean": True}.get(shape.type_name, 0)
