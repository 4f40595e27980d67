"""Requests to be swept: one valid request for each operation that has a handler, and for each route of `/v2/`.

The operations come from the table, their input from botocore's model; the routes stand here with the actions that the
specification of enforcement names, and a test compares them with the routes that there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from entrepot.transport.aws.operation import OPERATIONS
from entrepot.transport.aws.row import Row
from entrepot.transport.aws.unsigned import UNSIGNED
from tests.support.aws import MODELS, AwsClient, Reply
from tests.support.iam_rows import document
from tests.support.registry import HOME
from tests.support.wire import Answer, Client, digest_of
from tests.sweep.case import example

ROLE: Final = "swept"
"""A role that everybody of the account may assume whose own policies allow it."""

_OF_IAM: Final = {
    "arnType": f"arn:aws:iam::{HOME.account_id}:policy/none",
    "policyDocumentType": document(),
    "policyVersionIdType": "v1",
    "tagListType": [{"Key": "a", "Value": "b"}],
    "tagKeyListType": ["a"],
    "SimulationPolicyListType": [document()],
    "ActionNameListType": ["ecr:PutImage"],
    "TagSpecificationList": [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "a", "Value": "b"}]}],
    "ResourceIdList": ["vpc-12345678"],
    "TagList": [{"Key": "a", "Value": "b"}],
    "VpcEndpointIdList": ["vpce-12345678"],
    "VpcEndpointId": "vpce-12345678",
}
_OF_KMS: Final = {
    "PolicyType": document(Principal={"AWS": HOME.account_id}),
    "TagList": [{"TagKey": "a", "TagValue": "b"}],
    "TagKeyList": ["a"],
}
_KEY_ID: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"

_OF_SHAPE: Final[dict[str, dict[str, Any]]] = {"ec2": _OF_IAM, "iam": _OF_IAM, "kms": _OF_KMS, "sts": _OF_IAM}
"""Members whose shape does not say enough, by service."""

_OF_OPERATION: Final[dict[str, dict[str, Any]]] = {
    "AssumeRole": {"RoleArn": f"arn:aws:iam::{HOME.account_id}:role/{ROLE}", "RoleSessionName": "me"},
    "GetAccessKeyLastUsed": {"AccessKeyId": "AKIA" + "ANA".ljust(16, "0")},  # hers: others' are denied by the service
    "Decrypt": {"CiphertextBlob": "YQ==", "KeyId": _KEY_ID},  # else the ciphertext would have to be one
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "ReEncrypt": {"CiphertextBlob": "YQ==", "SourceKeyId": _KEY_ID, "DestinationKeyId": _KEY_ID},
    "ListRetirableGrants": {"RetiringPrincipal": f"arn:aws:iam::{HOME.account_id}:root"},
    "RetireGrant": {"KeyId": _KEY_ID, "GrantId": "a" * 64},
    "GenerateRandom": {"NumberOfBytes": 1},  # the model does not say that it is required
    "SimulatePrincipalPolicy": {"PolicySourceArn": f"arn:aws:iam::{HOME.account_id}:user/none"},
}
"""Members of operations that mean something else than their shape says."""

WORKING: Final = [row for row in OPERATIONS.values() if row.handler is not None and row.name not in UNSIGNED]
"""But for those that come unsigned: no policy of the caller's speaks of them, only the role's trust policy does."""


def given(row: Row, *more: str) -> dict[str, Any]:
    """A valid input of an operation: the required members, and `more`."""
    shape = MODELS[row.service].operation_model(row.name).input_shape
    if shape is None:
        return {}
    members = {name: shape.members[name] for name in (*shape.required_members, *more)}
    known = _OF_SHAPE.get(row.service, {})
    values = {name: known.get(member.name) or example(member) for name, member in members.items()}
    return values | _OF_OPERATION.get(row.name, {})


async def call(client: AwsClient, row: Row, parameters: dict[str, Any]) -> Reply:
    """Call an operation of any service; it must understand the input."""
    reply: Reply = await getattr(client, row.service)(row.name, **parameters)
    assert reply.status < 500, (row.name, reply.parsed)
    assert reply.code not in ("MalformedInput", "SerializationException", "ValidationException"), reply.parsed
    return reply


def is_denied(reply: Reply) -> bool:
    """Whether an answer is that of somebody who may not."""
    return reply.code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


@dataclass(frozen=True, slots=True)
class Route:
    """A request to `/v2/` and the actions that open it: all of one of the sets."""

    kind: str
    """As the table of routes calls it."""
    line: str
    """Method and path, with `{name}`, `{tag}`, `{image}`, `{layer}` and `{upload}` in it."""
    opened_by: tuple[frozenset[str], ...]
    body: bytes | None = None

    @property
    def method(self) -> str:
        return self.line.partition(" ")[0]

    def opens(self, *actions: str) -> bool:
        """Whether these actions are enough."""
        return any(needed <= set(actions) for needed in self.opened_by)

    async def send(self, client: Client, **names: str) -> Answer:
        """Send it about something."""
        method, _, path = self.line.partition(" ")
        return await client.send(method, path.format(**names), body=self.body)

    def __str__(self) -> str:
        return self.line


def _route(kind: str, line: str, *opened_by: str, body: bytes | None = None) -> Route:
    """Each of `opened_by` is a set of actions, by name and without `ecr:`."""
    sets = tuple(frozenset(f"ecr:{name}" for name in names.split()) for names in opened_by)
    return Route(kind, line, sets, body)


UPLOAD: Final = "00000000-0000-4000-8000-000000000000"
NAMES: Final = {
    "name": "team/app",
    "tag": "v1",
    "image": digest_of(b"image"),
    "layer": digest_of(b"layer"),
    "upload": UPLOAD,
}

_PUSH: Final = "InitiateLayerUpload UploadLayerPart CompleteLayerUpload"

ROUTES: Final = [
    _route("base", "GET /v2/", ""),
    _route("base", "HEAD /v2/", ""),
    _route("catalog", "GET /v2/_catalog", "DescribeRepositories"),
    _route("catalog", "HEAD /v2/_catalog", "DescribeRepositories"),
    _route("manifest", "GET /v2/{name}/manifests/{tag}", "BatchGetImage"),
    _route("manifest", "GET /v2/{name}/manifests/{image}", "BatchGetImage"),
    _route("manifest", "HEAD /v2/{name}/manifests/{tag}", "BatchGetImage"),
    _route("manifest", "PUT /v2/{name}/manifests/{tag}", "PutImage", body=b"{}"),
    _route("manifest", "PUT /v2/{name}/manifests/{image}?tag={tag}", "PutImage", body=b"{}"),
    _route("manifest", "DELETE /v2/{name}/manifests/{tag}", "BatchDeleteImage"),
    _route("blob", "GET /v2/{name}/blobs/{layer}", "GetDownloadUrlForLayer"),
    _route("blob", "HEAD /v2/{name}/blobs/{layer}", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability"),
    _route("blob", "DELETE /v2/{name}/blobs/{layer}", "BatchDeleteImage"),
    _route("uploads", "POST /v2/{name}/blobs/uploads/", "InitiateLayerUpload"),
    _route("uploads", "POST /v2/{name}/blobs/uploads/?digest={layer}", _PUSH, body=b"layer"),
    _route("uploads", "POST /v2/{name}/blobs/uploads/?mount={layer}&from={name}", "InitiateLayerUpload"),
    _route("upload", "GET /v2/{name}/blobs/uploads/{upload}", "UploadLayerPart"),
    _route("upload", "HEAD /v2/{name}/blobs/uploads/{upload}", "UploadLayerPart"),
    _route("upload", "PATCH /v2/{name}/blobs/uploads/{upload}", "UploadLayerPart", body=b"layer"),
    _route("upload", "PUT /v2/{name}/blobs/uploads/{upload}?digest={layer}", "CompleteLayerUpload"),
    _route(
        "upload",
        "PUT /v2/{name}/blobs/uploads/{upload}?digest={layer}",
        "UploadLayerPart CompleteLayerUpload",
        body=b"layer",
    ),
    _route("upload", "DELETE /v2/{name}/blobs/uploads/{upload}", "UploadLayerPart"),
    _route("tags", "GET /v2/{name}/tags/list", "ListImages"),
    _route("tags", "HEAD /v2/{name}/tags/list", "ListImages"),
    _route("referrers", "GET /v2/{name}/referrers/{image}", "BatchGetImage"),
    _route("referrers", "HEAD /v2/{name}/referrers/{image}", "BatchGetImage"),
]
