"""Actions: every action that our operations ask for is known, and patterns name those they should."""

from __future__ import annotations

import pytest

from entrepot.domain.policy.action import ACTIONS, expand
from entrepot.transport.aws.model import service_model
from entrepot.transport.aws.operation import OPERATIONS


def test_every_operation_asks_for_a_known_action() -> None:
    working = [row for row in OPERATIONS.values() if row.handler]
    asked = {action for row in working for action in (row.action, *(action for action, _ in row.also))}
    assert asked <= set(ACTIONS)


@pytest.mark.parametrize(("service", "version"), [("ecr", "2015-09-21"), ("ecr-public", "2020-10-30")])
def test_every_operation_of_ecr_is_an_action(service: str, version: str) -> None:
    operations = {f"{service}:{name}" for name in service_model(service, version).operation_names}
    assert operations <= set(ACTIONS)


@pytest.mark.parametrize("service", ["sts", "iam", "kms", "ec2", "entrepot"])
def test_the_other_services_have_actions(service: str) -> None:
    assert [action for action in ACTIONS if action.startswith(f"{service}:")]


def test_actions_are_listed_once() -> None:
    assert len({action.lower() for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("ecr:PutImage", ["ecr:PutImage"]),
        ("ECR:putimage", ["ecr:PutImage"]),
        ("ecr:PutImage?*", ["ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"]),
        ("ecr:*LayerUpload", ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload"]),
        ("sts:AssumeRole", ["sts:AssumeRole"]),
        ("s3:*", []),
    ],
)
def test_expand(pattern: str, named: list[str]) -> None:
    assert list(expand(pattern)) == named


def test_everything() -> None:
    assert expand("*") == expand("*:*") == ACTIONS
