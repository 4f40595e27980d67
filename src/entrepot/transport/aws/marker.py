"""Markers: paging of lists that go on after a Marker, as those of IAM and KMS do, each with names of its own.

Spec: IAM API, Marker and MaxItems; KMS API, Marker and Limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from entrepot.domain.page import Page, PageRequest
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.page_token import Paging, continue_list

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MarkerNames:
    """What a service calls the members of its lists."""

    size: str
    next_marker: str
    is_truncated: str
    marker: str = "Marker"


@dataclass(frozen=True, slots=True)
class MarkerPaging:
    """One page of a list as a caller asks for it."""

    _paging: Paging
    _names: MarkerNames

    @property
    def request(self) -> PageRequest:
        """How many items, and after which key."""
        return self._paging.request

    def answer(self, member: str, page: Page[T], pack: Callable[[T], Any]) -> dict[str, Any]:
        """The output of a list operation, its items under `member`."""
        marker = self._paging.next_token(page)
        return {
            member: [pack(item) for item in page.items],
            self._names.is_truncated: marker is not None,
            self._names.next_marker: marker,
        }


def page_after_marker(call: Call, names: MarkerNames, default_size: int) -> MarkerPaging:
    """Read marker and size; every other parameter decides which items the list has.

    Raises:
        InvalidParameter: a marker that is not ours, or belongs to a list with other parameters.
    """
    of_the_page = (names.marker, names.size)
    question = {name: value for name, value in sorted(call.parameters.items()) if name not in of_the_page}
    size = call.parameters.get(names.size, default_size)
    return MarkerPaging(continue_list(call, size, call.parameters.get(names.marker), question), names)
