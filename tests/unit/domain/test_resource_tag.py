"""Resource tags: limits, reserved keys, merging."""

import pytest

from entrepot.domain.error import InvalidTagParameter, TooManyTags
from entrepot.domain.resource_tag import check_key, merge, parse_resource_tags


def test_reads_pairs() -> None:
    pairs = [("Team", "a b"), ("team", ""), ("kä/=+-@:.", "1")]
    assert parse_resource_tags(pairs) == dict(pairs)


@pytest.mark.parametrize(
    "pairs",
    [
        [("", "x")],
        [("k" * 129, "x")],
        [("k", "v" * 257)],
        [("aws:x", "y")],
        [("AWS:x", "y")],
        [("k", "a"), ("k", "b")],
        [("k<", "v")],
        [("k", "v\x00")],
    ],
)
def test_refuses(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidTagParameter):
        parse_resource_tags(pairs)


def test_counts() -> None:
    fifty = [(f"k{n}", "v") for n in range(50)]
    assert len(parse_resource_tags(fifty)) == 50
    with pytest.raises(TooManyTags):
        parse_resource_tags([*fifty, ("one", "more")])
    with pytest.raises(TooManyTags):
        merge(dict(fifty), {"one": "more"})
    assert merge({"a": "1", "b": "2"}, {"b": "3"}) == {"a": "1", "b": "3"}


def test_keys_alone() -> None:
    check_key("fine")
    with pytest.raises(InvalidTagParameter):
        check_key("aws:no")
