"""Which action each request to /v2/ is authorised as, and that nothing happens without it.

Spec: ECR user guide, "Amazon ECR private registry authentication" and the IAM policies for pulling and pushing.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from entrepot.auth.authorize import Authorizer, RequestFacts
from entrepot.domain.error import AccessDenied
from entrepot.domain.principal import Caller
from tests.support.registry import RunningRegistry
from tests.support.wire import digest_of

LAYER = digest_of(b"layer")
ARN = "arn:aws:ecr:us-east-1:123456789012:repository/"
UPLOAD = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000"

ACTIONS = [
    ("GET /v2/", []),
    ("GET /v2/_catalog", [("ecr:DescribeRepositories", "*")]),
    ("GET /v2/app/manifests/v1", [("ecr:BatchGetImage", "app")]),
    ("HEAD /v2/app/manifests/v1", [("ecr:BatchGetImage", "app")]),
    ("PUT /v2/app/manifests/v2", [("ecr:PutImage", "app")]),
    ("DELETE /v2/app/manifests/none", [("ecr:BatchDeleteImage", "app")]),
    (f"GET /v2/app/blobs/{LAYER}", [("ecr:GetDownloadUrlForLayer", "app")]),
    (f"HEAD /v2/app/blobs/{LAYER}", [("ecr:BatchCheckLayerAvailability", "app")]),
    (f"DELETE /v2/app/blobs/{LAYER}", [("ecr:BatchDeleteImage", "app")]),
    ("POST /v2/app/blobs/uploads/", [("ecr:InitiateLayerUpload", "app")]),
    (f"PATCH {UPLOAD}", [("ecr:UploadLayerPart", "app")]),
    (f"PUT {UPLOAD}?digest={LAYER}", [("ecr:CompleteLayerUpload", "app"), ("ecr:UploadLayerPart", "app")]),
    (f"GET {UPLOAD}", [("ecr:UploadLayerPart", "app")]),
    (f"DELETE {UPLOAD}", [("ecr:UploadLayerPart", "app")]),
    (
        f"POST /v2/app/blobs/uploads/?digest={LAYER}",
        [("ecr:InitiateLayerUpload", "app"), ("ecr:UploadLayerPart", "app"), ("ecr:CompleteLayerUpload", "app")],
    ),
    (
        f"POST /v2/app/blobs/uploads/?mount={LAYER}&from=source",
        [("ecr:InitiateLayerUpload", "app"), ("ecr:GetDownloadUrlForLayer", "source")],
    ),
    ("GET /v2/app/tags/list", [("ecr:ListImages", "app")]),
    (f"GET /v2/app/referrers/{LAYER}", [("ecr:BatchGetImage", "app")]),
]


class Decisions:
    """What was asked, and what is refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.denied: set[str] = set()

    async def check(self, _: Authorizer, caller: Caller, action: str, arns: Iterable[str], facts: RequestFacts) -> None:
        for arn in arns:
            self.asked.append((action, arn.removeprefix(ARN)))
            if action in self.denied:
                raise AccessDenied(caller.principal.arn, action, arn)
        assert facts.source_ip == "127.0.0.1"
        assert facts.region == "us-east-1"


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Decisions:
    made = Decisions()

    async def check(self: Authorizer, caller: Caller, action: str, arns: Iterable[str], facts: RequestFacts) -> None:
        await made.check(self, caller, action, arns, facts)

    monkeypatch.setattr(Authorizer, "check", check)
    return made


async def send(registry: RunningRegistry, request: str) -> tuple[int, list[str]]:
    method, _, path = request.partition(" ")
    body = None if method in ("GET", "HEAD", "DELETE") else b"layer"
    answer = await registry.client.send(method, path, body=body)
    return answer.status, answer.codes


@pytest.mark.parametrize(("request_line", "actions"), ACTIONS, ids=[line for line, _ in ACTIONS])
async def test_actions(
    sqlite_registry: RunningRegistry, decisions: Decisions, request_line: str, actions: list[tuple[str, str]]
) -> None:
    await sqlite_registry.create_repository("app")
    await sqlite_registry.client.put_image("app", "v1")
    decisions.asked.clear()
    await send(sqlite_registry, request_line)
    assert decisions.asked == actions
    for action, name in actions:
        if name != "source" and not request_line.startswith("HEAD /v2/app/blobs"):
            decisions.denied = {action}
            status, codes = await send(sqlite_registry, request_line)
            assert (status, codes) == (403, [] if request_line.startswith("HEAD") else ["DENIED"])


async def test_a_mount_from_a_forbidden_source_is_an_upload(
    sqlite_registry: RunningRegistry, decisions: Decisions
) -> None:
    for name in ("app", "source"):
        await sqlite_registry.create_repository(name)
    await sqlite_registry.client.put_blob("source", b"layer")
    decisions.denied = {"ecr:GetDownloadUrlForLayer"}
    path = f"/v2/app/blobs/uploads/?mount={LAYER}&from=source"
    assert (await sqlite_registry.client.send("POST", path)).status == 202
    decisions.denied = set()
    assert (await sqlite_registry.client.send("POST", path)).status == 201


async def test_either_action_lets_a_blob_be_looked_up(sqlite_registry: RunningRegistry, decisions: Decisions) -> None:
    await sqlite_registry.create_repository("app")
    await sqlite_registry.client.put_blob("app", b"layer")
    pull, push = "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"
    for denied, status in (({pull}, 200), ({push}, 200), ({pull, push}, 403)):
        decisions.denied = denied
        assert (await sqlite_registry.client.send("HEAD", f"/v2/app/blobs/{LAYER}")).status == status
