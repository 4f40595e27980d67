"""Pages of lists on `/v2/`: the `n` and `last` of a query.

Spec: OCI Distribution 1.1, "Listing Tags": `n` of 0 is an empty list without a Link; fewer than `n` may be answered
when a Link follows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from entrepot.domain.error import InvalidParameter
from entrepot.domain.limit import PAGE_SIZE_MAX

if TYPE_CHECKING:
    from entrepot.transport.oci.access import Call

LAST_LENGTH_MAX = 512
_DIGITS_MAX = 18
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def page_size(call: Call) -> int:
    """How many items the caller wants, at most `PAGE_SIZE_MAX`; that many when they do not say.

    Raises:
        InvalidParameter: not a number of 0 or more.
    """
    text = call.one("n")
    if text is None:
        return PAGE_SIZE_MAX
    if not (text.isascii() and text.isdigit()):
        raise InvalidParameter("n", "Member must have value greater than or equal to 0")
    return min(int(text[:_DIGITS_MAX]), PAGE_SIZE_MAX) if len(text) <= _DIGITS_MAX else PAGE_SIZE_MAX


def last_item(call: Call) -> str | None:
    """After which item the page starts; it need not exist.

    Raises:
        InvalidParameter: longer than any item, or with control characters.
    """
    text = call.one("last")
    if text is None:
        return None
    if len(text) > LAST_LENGTH_MAX or _CONTROL.search(text):
        raise InvalidParameter("last", "is no item of such a list")
    return text or None
