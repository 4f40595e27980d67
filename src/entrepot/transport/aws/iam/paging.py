"""Paging of IAM's lists: Marker and MaxItems in, IsTruncated and Marker out.

    paging = paging_of(call)
    page = await call.services.iam_user.list(account_id, prefix, paging.request)
    return paging.answer("Users", page, pack_user)

Spec: IAM API, Marker: at most 320 characters come back to us, so a key is a name or a position, never an ARN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from entrepot.domain.error import InvalidParameter
from entrepot.domain.iam_error import ValidationFailed
from entrepot.domain.limit import PAGE_SIZE_DEFAULT
from entrepot.domain.page import Page, PageRequest
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.page_token import Paging, continue_list

T = TypeVar("T")

_OF_THE_PAGE: Final = frozenset({"Marker", "MaxItems"})


@dataclass(frozen=True, slots=True)
class MarkerPaging:
    """One page of a list as a caller asks for it."""

    _paging: Paging

    @property
    def request(self) -> PageRequest:
        """How many items, and after which key."""
        return self._paging.request

    def answer(self, member: str, page: Page[T], pack: Callable[[T], Any]) -> dict[str, Any]:
        """The output of a list operation, its items under `member`."""
        marker = self._paging.next_token(page)
        return {member: [pack(item) for item in page.items], "IsTruncated": marker is not None, "Marker": marker}


def paging_of(call: Call) -> MarkerPaging:
    """Read Marker and MaxItems; every other parameter decides which items the list has.

    Raises:
        ValidationFailed: a Marker that is not ours, or belongs to a list with other parameters.
    """
    question = {name: value for name, value in sorted(call.parameters.items()) if name not in _OF_THE_PAGE}
    size = call.parameters.get("MaxItems", PAGE_SIZE_DEFAULT)
    try:
        return MarkerPaging(continue_list(call, size, call.parameters.get("Marker"), question))
    except InvalidParameter as error:
        raise ValidationFailed("Invalid Marker.") from error
