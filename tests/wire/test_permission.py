"""Which action each request to /v2/ is authorised as, and that nothing happens without it.

Spec: ECR user guide, "Amazon ECR private registry authentication" and the IAM policies for pulling and pushing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from entrepot.auth.authorize import Authorizer
from entrepot.auth.condition_key import RequestFacts
from entrepot.domain.error import AccessDenied
from entrepot.domain.principal import Caller
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName
from entrepot.domain.view import RepositoryView
from entrepot.service.blob import BlobService
from entrepot.service.image import ImageService
from entrepot.service.repository import RepositoryService
from tests.support.registry import OTHER_ACCOUNT, RunningRegistry
from tests.support.wire import Answer, Client, basic, digest_of

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
        [
            ("ecr:InitiateLayerUpload", "app"),
            ("ecr:UploadLayerPart", "app"),
            ("ecr:CompleteLayerUpload", "app"),
            ("ecr:GetDownloadUrlForLayer", "source"),
        ],
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

    async def check(
        self: Authorizer,
        caller: Caller,
        action: str,
        arns: Iterable[str],
        facts: RequestFacts,
        view: RepositoryView | None = None,
    ) -> None:
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
    for action, _ in actions:
        is_needed = "mount=" not in request_line or action == "ecr:InitiateLayerUpload"
        if is_needed and not request_line.startswith("HEAD /v2/app/blobs"):
            decisions.denied = {action}
            status, codes = await send(sqlite_registry, request_line)
            assert (status, codes) == (403, [] if request_line.startswith("HEAD") else ["DENIED"])


@pytest.mark.parametrize("absent", ["ecr:GetDownloadUrlForLayer", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"])
async def test_a_mount_without_reading_there_or_publishing_here_is_an_upload(
    sqlite_registry: RunningRegistry, decisions: Decisions, absent: str
) -> None:
    for name in ("app", "source"):
        await sqlite_registry.create_repository(name)
    await sqlite_registry.client.put_blob("source", b"layer")
    decisions.denied = {absent}
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


async def stranger(registry: RunningRegistry) -> Client:
    """Somebody of another account, with a token for the home registry, which anybody may ask for."""
    return Client(registry.client.session, registry.url, basic(await registry.password(OTHER_ACCOUNT, registry.home)))


async def denial(client: Client, request: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Everything that a denied client sees but the date and the id of the request."""
    method, _, path = request.partition(" ")
    answer: Answer = await client.send(method, path, body=None if method in ("GET", "HEAD", "DELETE") else b"layer")
    headers = [(name, value) for name, value in answer.headers.items() if name not in ("Date", "x-amzn-RequestId")]
    return answer.status, headers, answer.body


EXISTING, MISSING = digest_of(b"layer"), digest_of(b"another")
DENIED_ALIKE = [
    ("GET /v2/{app}/manifests/{tag}", 403),
    ("HEAD /v2/{app}/manifests/{tag}", 403),
    ("GET /v2/{app}/manifests/{image}", 403),
    ("PUT /v2/{app}/manifests/{tag}", 403),
    ("DELETE /v2/{app}/manifests/{tag}", 403),
    ("GET /v2/{app}/blobs/{layer}", 403),
    ("HEAD /v2/{app}/blobs/{layer}", 403),
    ("DELETE /v2/{app}/blobs/{layer}", 403),
    ("POST /v2/{app}/blobs/uploads/", 403),
    ("POST /v2/{app}/blobs/uploads/?mount={layer}&from={app}", 403),
    ("PATCH /v2/{app}/blobs/uploads/{upload}", 403),
    ("PUT /v2/{app}/blobs/uploads/{upload}?digest={layer}", 403),
    ("GET /v2/{app}/blobs/uploads/{upload}", 403),
    ("DELETE /v2/{app}/blobs/uploads/{upload}", 403),
    ("GET /v2/{app}/tags/list", 403),
    ("GET /v2/{app}/referrers/{image}", 403),
]


@pytest.mark.parametrize(("line", "status"), DENIED_ALIKE, ids=[line for line, _ in DENIED_ALIKE])
async def test_a_denial_does_not_tell_what_exists(sqlite_registry: RunningRegistry, line: str, status: int) -> None:
    await sqlite_registry.create_repository("app")
    image = await sqlite_registry.client.put_image("app", "v1")
    upload = (await sqlite_registry.client.send("POST", "/v2/app/blobs/uploads/")).headers["Docker-Upload-UUID"]
    there = {"app": "app", "tag": "v1", "image": image, "layer": EXISTING, "upload": upload}
    not_there = {"tag": "v2", "image": MISSING, "layer": MISSING, "upload": "00000000-0000-4000-8000-000000000000"}
    client = await stranger(sqlite_registry)
    of_existing = await denial(client, line.format(**there))
    of_missing_in_it = await denial(client, line.format(**there | not_there))
    of_missing = await denial(client, line.format(**there | not_there | {"app": "nix"}))
    assert of_existing[0] == status
    assert of_existing == of_missing_in_it
    assert of_existing[:2] == of_missing[:2]
    assert of_existing[2].replace(b"repository/app", b"repository/nix") == of_missing[2]


async def test_a_stranger_is_denied_before_anything_is_looked_up(
    sqlite_registry: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_registry.create_repository("app")
    client, looked, view = await stranger(sqlite_registry), list[str](), RepositoryService.view

    async def only_the_epoch(self: RepositoryService, account_id: str, registry: Registry, name: RepositoryName) -> Any:
        looked.append(name)
        return await view(self, account_id, registry, name)

    async def nothing(*_: object) -> None:
        looked.append("image or blob")

    monkeypatch.setattr(RepositoryService, "view", only_the_epoch)
    monkeypatch.setattr(ImageService, "view", nothing)
    monkeypatch.setattr(BlobService, "view", nothing)
    for line, status in DENIED_ALIKE:
        asked = line.format(app="app", tag="v1", image=EXISTING, layer=EXISTING, upload="x")
        assert (await denial(client, asked))[0] == status
    assert set(looked) == {""}


async def test_a_stranger_with_a_revoked_token_is_told_to_log_in(sqlite_registry: RunningRegistry) -> None:
    await sqlite_registry.create_repository("app")
    client = await stranger(sqlite_registry)
    await sqlite_registry.services.identity.rotate_root_key(OTHER_ACCOUNT)
    answer = await client.send("GET", "/v2/app/tags/list")
    assert (answer.status, "WWW-Authenticate" in answer.headers) == (401, True)
