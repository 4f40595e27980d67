"""The operator's file of AWS's managed policies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.app.aws_policy import AwsPolicyError, load_aws_policies
from tests.support.iam_rows import document

MINE = "arn:aws:iam::aws:policy/Mine"


def test_without_a_file_there_are_those_of_the_package() -> None:
    assert "arn:aws:iam::aws:policy/AdministratorAccess" in load_aws_policies(None)


def test_a_file_adds_to_them(tmp_path: Path) -> None:
    version = {"VersionId": "v1", "IsDefaultVersion": True, "Document": json.loads(document())}
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({"Policies": [{"Arn": MINE, "PolicyVersionList": [version]}]}))

    assert load_aws_policies(path).keys() - load_aws_policies(None).keys() == {MINE}


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "policies.json"
    with pytest.raises(AwsPolicyError, match=r"cannot be read: .*policies\.json"):
        load_aws_policies(path)
    path.write_text("{}")
    with pytest.raises(AwsPolicyError, match=r"policies\.json cannot be used as `aws_policies`: no list `Policies`"):
        load_aws_policies(path)
    path.write_bytes(b"\xff")
    with pytest.raises(AwsPolicyError, match="cannot be read"):
        load_aws_policies(path)
