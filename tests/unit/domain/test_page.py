"""Pages of lists: cut where one item more was read, or sliced where all are at hand."""

from __future__ import annotations

import pytest

from entrepot.domain.page import Page, PageRequest, cut_page, slice_page


@pytest.mark.parametrize(
    ("found", "page"),
    [
        ([], Page([])),
        ([1], Page([1])),
        ([1, 2], Page([1, 2])),
        ([1, 2, 3], Page([1, 2], (20,))),
    ],
)
def test_a_list_read_one_item_further_says_whether_more_follow(found: list[int], page: Page[int]) -> None:
    assert cut_page(found, 2, lambda item: (item * 10,)) == page


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_slices_are_the_whole_list(size: int) -> None:
    whole, seen, after = list("abcd"), [], None

    for _ in range(5):
        page = slice_page(whole, PageRequest(size, after))
        seen += page.items
        assert len(page.items) <= size
        if page.next_key is None:
            break
        after = page.next_key

    assert seen == whole


def test_a_list_that_became_shorter_ends() -> None:
    assert slice_page(["a"], PageRequest(2, (2,))) == Page([])
