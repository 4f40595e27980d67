"""IAM's older parser: what passes the grammar of policies and fails there: dates, and ARNs that are cut short.

    Dates: 2017, 2017-07, 2017-07-01T2:00:00.5+01:00, 01T, -292275054, 1500000000

Spec: none is published; what IAM took and refused in recorded answers to CreatePolicy.
"""

from __future__ import annotations

import re
from typing import Final

from entrepot.domain.policy.comparison import date_of

_DATE: Final = re.compile(
    r"-?[0-9]{1,9}(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?"
    r"(?:t(?:([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\.[0-9]{1,9})?(?:z|[+-]([0-9]{2})(?::?([0-9]{2}))?)?)?)?)?)?",
    re.IGNORECASE,
)
_RANGES: Final = (range(1, 13), range(1, 32), range(24), range(60), range(60), range(24), range(60))
"""Of month, day, hour, minute, second, and of the hours and minutes of the zone."""
_SECONDS_MAX: Final = 2**63 - 1
_SEGMENTS: Final = 6
_SERVICE: Final = 2


def is_date(text: str) -> bool:
    """Whether the value of a date condition can be saved; what it means is another question."""
    if text.isascii() and text.isdigit():
        return int(text[:20]) <= _SECONDS_MAX
    found = _DATE.fullmatch(text)
    if found is None:
        return date_of(text) is not None
    return all(field is None or int(field) in span for field, span in zip(found.groups(), _RANGES, strict=True))


def is_cut_short(arn: str, partitions: frozenset[str]) -> bool:
    """Whether an ARN of a known partition lacks its service, or ends before its resource with a segment left empty."""
    segments = arn.split(":", _SEGMENTS - 1)
    if segments[0] != "arn" or len(segments) <= _SERVICE or segments[1] not in partitions:
        return False
    return not segments[_SERVICE] or (len(segments) < _SEGMENTS and "" in segments)
