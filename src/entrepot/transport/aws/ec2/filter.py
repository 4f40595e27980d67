"""Filters and pages of EC2's lists.

    Filter.1.Name=service-name & Filter.1.Value.1=com.amazonaws.*.ecr.api

All filters must hold, of each one value is enough; `*` and `?` stand for any text and any character.

Spec: EC2 user guide, "List and filter your resources"; EC2 API, "Pagination".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from entrepot.domain.ec2_error import Ec2ValueInvalid
from entrepot.domain.error import InvalidParameter
from entrepot.domain.page import Page, cut_page
from entrepot.domain.policy.wildcard import pattern_of
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.page_token import continue_list

T = TypeVar("T")
Facets = Mapping[str, Callable[[T], Iterable[str]]]
"""What can be filtered by, and its values of an item."""

SIZE_MAX: Final = 1_000
_TAG: Final = "tag:"
_OF_THE_PAGE: Final = frozenset({"DryRun", "MaxResults", "NextToken"})


def filtered(
    call: Call, items: Iterable[T], facets: Facets[T], tags_of: Callable[[T], Mapping[str, str]] | None = None
) -> list[T]:
    """The items that pass the call's filters; with `tags_of` also those of tags.

    Raises:
        Ec2ValueInvalid: a filter that the list does not have.
    """
    tests = [_test(one, facets, tags_of) for one in call.parameters.get("Filters") or ()]
    return [item for item in items if all(test(item) for test in tests)]


def _test(
    given: Mapping[str, Any], facets: Facets[T], tags_of: Callable[[T], Mapping[str, str]] | None
) -> Callable[[T], bool]:
    name, wanted = given.get("Name", ""), [pattern_of(value) for value in given.get("Values") or ()]
    values = facets.get(name)
    if values is None and tags_of is not None:
        values = _tag_values(name, tags_of)
    if values is None:
        raise Ec2ValueInvalid(f"The filter '{name[:256]}' is invalid")
    chosen = values
    return lambda item: any(pattern.matches(value) for value in chosen(item) for pattern in wanted)


def _tag_values(name: str, tags_of: Callable[[T], Mapping[str, str]]) -> Callable[[T], Iterable[str]] | None:
    if name == "tag-key":
        return tags_of
    if not name.startswith(_TAG):
        return None
    key = name[len(_TAG) :]
    return lambda item: [value for tag, value in tags_of(item).items() if tag == key]


def paged(call: Call, items: Sequence[T], key_of: Callable[[T], str]) -> tuple[list[T], str | None]:
    """One page of a list that is at hand, sorted by its keys, and the token of the next.

    Raises:
        Ec2ValueInvalid: a size or a token that cannot be.
    """
    question = {name: value for name, value in sorted(call.parameters.items()) if name not in _OF_THE_PAGE}
    size = call.parameters.get("MaxResults", SIZE_MAX)
    if size < 1:
        raise Ec2ValueInvalid(f"Value ({size}) for parameter maxResults is invalid.")
    try:
        paging = continue_list(call, min(size, SIZE_MAX), call.parameters.get("NextToken"), question)
    except InvalidParameter as error:
        raise Ec2ValueInvalid("The token in NextToken is not valid for this request") from error
    after = paging.request.after
    rest = [item for item in items if after is None or key_of(item) > str(after[0])]
    page: Page[T] = cut_page(rest[: paging.request.size + 1], paging.request.size, lambda item: (key_of(item),))
    return page.items, paging.next_token(page)
