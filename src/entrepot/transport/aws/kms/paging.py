"""Paging of KMS's lists: Limit and Marker in, Truncated and NextMarker out.

    paging = paging_of(call, default_size=50, size_max=100)
    return paging.answer("Aliases", await call.services.kms_alias.list(call.registry, paging.request, None), pack)

Spec: KMS API, Limit of each operation.
"""

from __future__ import annotations

from typing import Final

from entrepot.domain.error import InvalidParameter
from entrepot.domain.kms_error import KmsInvalid, MarkerInvalid
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.marker import MarkerNames, MarkerPaging, page_after_marker

_NAMES: Final = MarkerNames(size="Limit", next_marker="NextMarker", is_truncated="Truncated")


def paging_of(call: Call, default_size: int, size_max: int) -> MarkerPaging:
    """Read Limit and Marker; every other parameter decides which items the list has.

    Raises:
        KmsInvalid: a limit that is too large for this list.
        MarkerInvalid: a marker that is not ours, or belongs to a list with other parameters.
    """
    if call.parameters.get("Limit", 0) > size_max:
        raise KmsInvalid(f"Limit must have a value less than or equal to {size_max}.")
    try:
        return page_after_marker(call, _NAMES, default_size)
    except InvalidParameter as error:
        raise MarkerInvalid from error
