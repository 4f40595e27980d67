"""What the README claims of entrepot beside other servers: the same checks against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot.transport.aws.operation import OPERATIONS
from tests.support.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server
from tools.compare.check import CHECKS, pull_kept, push_kept
from tools.compare.operation import answered_operations
from tools.compare.target import Target
from tools.docs.tree import ROOT

_FIGURE = "Operations of the private ECR API that answer as documented"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("comparison")
    server = Server(home / "data", home / "home")
    server.start()
    yield server
    server.close()


@pytest.fixture
def target(server: Server) -> Target:
    return Target(server.url, server.url, ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION)


@pytest.mark.parametrize("title", [title for title in CHECKS if title != _FIGURE])
def test_answer_is_yes(target: Target, title: str) -> None:
    assert CHECKS[title](target) is None
    assert f"| {title} | yes |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_operations_answer_as_the_table_says(target: Target) -> None:
    answered, known = answered_operations(target)
    assert answered == [name for (service, name), row in OPERATIONS.items() if service == "ecr" and row.handler]
    assert f"| {_FIGURE} | {len(answered)} of {known} |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_images_outlive_a_kill(server: Server, target: Target) -> None:
    push_kept(target)
    server.kill()
    server.start()
    pull_kept(target)
