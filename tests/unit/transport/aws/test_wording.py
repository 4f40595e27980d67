"""ECR's words, as people quote them."""

from __future__ import annotations

import pytest

from entrepot.transport.aws.wording import digest_rule, ecr_words, tag_rule

NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
QUOTED_NAME = (
    r"must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*'"
)
PATTERN = "Member must satisfy regular expression pattern: "
SHORT = "Member must have length greater than or equal to 2"
MANY = "Member must have length less than or equal to 100"


@pytest.mark.parametrize(
    ("path", "rule", "shown_path", "shown_rule"),
    [
        ("repositoryName", PATTERN + NAME, "repositoryName", QUOTED_NAME),
        ("repositoryNames.7.member", PATTERN + NAME, "repositoryName", QUOTED_NAME),
        ("repositoryName", SHORT, "repositoryName", "must have length greater than or equal to 2"),
        ("repositoryName", "Member must not be null", "repositoryName", "Member must not be null"),
        ("repositoryNames", MANY, "repositoryNames", MANY),
        ("imageIds", MANY, "imageIds", MANY),
        ("registryId", PATTERN + "[0-9]{12}", "registryId", "must satisfy regular expression [0-9]{12}"),
        (
            "registryIds.1.member",
            PATTERN + "[0-9]{12}",
            "registryIds",
            "Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]",
        ),
        ("tags.2.member.Key", "Member must not be null", "tags.2.member.Key", "Member must not be null"),
        ("filter.tagStatus", "Member must satisfy enum value set: [A]", "filter.tagStatus", None),
    ],
)
def test_words(path: str, rule: str, shown_path: str, shown_rule: str | None) -> None:
    assert ecr_words(path, rule) == (shown_path, shown_rule or rule)


@pytest.mark.parametrize("text", ["", "None", "sha256", "sha256:", "sha256:xyz", "é:aa"])
def test_no_digest_at_all(text: str) -> None:
    assert digest_rule(text) == "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"


@pytest.mark.parametrize("text", ["sha256:ab", "md5:" + "0" * 32, "sha256:" + "A" * 64])
def test_a_digest_of_ecr_that_we_do_not_store_is_told_why(text: str) -> None:
    assert digest_rule(text) == "must be sha256: with 64 or sha512: with 128 lower-case hexadecimal digits"


def test_tags() -> None:
    assert tag_rule("a b") == "must satisfy regular expression '[a-zA-Z0-9-_.]+'"
    assert (
        tag_rule(".a")
        == tag_rule("a" * 129)
        == "must have at most 128 characters and must not begin with a dot or a dash"
    )
