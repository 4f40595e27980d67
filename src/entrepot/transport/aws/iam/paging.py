"""Paging of IAM's lists: Marker and MaxItems in, IsTruncated and Marker out.

    paging = paging_of(call)
    page = await call.services.iam_user.list(account_id, prefix, paging.request)
    return paging.answer("Users", page, pack_user)

Spec: IAM API, Marker: at most 320 characters come back to us, so a key is a name or a position, never an ARN.
"""

from __future__ import annotations

from typing import Final

from entrepot.domain.error import InvalidParameter
from entrepot.domain.iam_error import ValidationFailed
from entrepot.domain.limit import PAGE_SIZE_DEFAULT
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.marker import MarkerNames, MarkerPaging, page_after_marker

_NAMES: Final = MarkerNames(size="MaxItems", next_marker="Marker", is_truncated="IsTruncated")


def paging_of(call: Call) -> MarkerPaging:
    """Read Marker and MaxItems; every other parameter decides which items the list has.

    Raises:
        ValidationFailed: a Marker that is not ours, or belongs to a list with other parameters.
    """
    try:
        return page_after_marker(call, _NAMES, PAGE_SIZE_DEFAULT)
    except InvalidParameter as error:
        raise ValidationFailed("Invalid Marker.") from error
