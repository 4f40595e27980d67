"""Tags of IAM: keys differ by more than case, and there are fifty at most."""

from __future__ import annotations

import pytest

from entrepot.domain.iam_error import InvalidInput, QuotaExceeded
from entrepot.domain.iam_tag import DUPLICATE, merge_tags, parse_tags


def test_tags_keep_their_spelling_and_order() -> None:
    assert list(parse_tags([("Team", "web"), ("env", "")]).items()) == [("Team", "web"), ("env", "")]


@pytest.mark.parametrize("pairs", [[("a", "1"), ("a", "1")], [("Team", "1"), ("TEAM", "2")], [("É", "1"), ("é", "2")]])
def test_a_key_comes_once(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInput, match=DUPLICATE[:20]):
        parse_tags(pairs)


@pytest.mark.parametrize("key", ["aws:team", "AWS:team", "aws:"])
def test_some_keys_are_of_aws(key: str) -> None:
    with pytest.raises(InvalidInput):
        parse_tags([(key, "v")])


def test_a_key_is_replaced_in_any_case() -> None:
    assert merge_tags({"Team": "a", "env": "x"}, {"TEAM": "b", "new": "y"}) == {"env": "x", "TEAM": "b", "new": "y"}


def test_fifty_fit() -> None:
    fifty = {f"k{number}": "" for number in range(50)}

    assert len(merge_tags(fifty, {"K7": "new"})) == 50
    with pytest.raises(QuotaExceeded):
        merge_tags(fifty, {"one-more": ""})
