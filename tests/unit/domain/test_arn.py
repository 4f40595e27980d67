"""ARNs of repositories."""

from __future__ import annotations

import pytest

from entrepot.domain.arn import account_of, moved_arn, parse_repository_arn
from entrepot.domain.error import InvalidResourceArn
from entrepot.domain.registry import Registry


@pytest.mark.parametrize(
    ("text", "registry", "name"),
    [
        ("arn:aws:ecr:us-east-1:123456789012:repository/team/app", Registry("123456789012", "us-east-1"), "team/app"),
        ("arn:aws-cn:ecr:cn-north-1:123456789012:repository/app", Registry("123456789012", "cn-north-1"), "app"),
    ],
)
def test_an_arn_is_read_as_it_is_written(text: str, registry: Registry, name: str) -> None:
    assert parse_repository_arn(text) == (registry, name)
    assert registry.repository_arn(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "repository/app",
        "arn:aws:ecr:us-east-1:123456789012",
        "arn:aws:ecr:us-east-1:123456789012:app",
        "arn:aws:ecr:us-east-1:123456789012:repository/",
        "arn:aws:ecr:us-east-1:123456789012:repository/App",
        "arn:aws:ecr:us-east-1:12:repository/app",
        "arn:aws:ecr:moon:123456789012:repository/app",
        "arn:aws:ecr-public::123456789012:repository/app",
        "arn:aws-cn:ecr:us-east-1:123456789012:repository/app",
        "ARN:aws:ecr:us-east-1:123456789012:repository/app",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(InvalidResourceArn):
        parse_repository_arn(text)


@pytest.mark.parametrize(
    ("path", "name", "moved"),
    [
        (None, None, "user/a/b/mia"),
        (None, "zoe", "user/a/b/zoe"),
        ("/", None, "user/mia"),
        ("/c/", "zoe", "user/c/zoe"),
    ],
)
def test_moved(path: str | None, name: str | None, moved: str) -> None:
    assert moved_arn("arn:aws:iam::123456789012:user/a/b/mia", path, name) == f"arn:aws:iam::123456789012:{moved}"
    assert moved_arn("arn:aws:iam::123456789012:user/mia", None, name).endswith(f"user/{name or 'mia'}")


def test_account_of() -> None:
    assert account_of("arn:aws:lambda:us-east-1:123456789012:function:a:b") == "123456789012"
    assert account_of("arn:aws:s3:::bucket") == ""
    assert account_of("bucket") is None
