"""What IAM's older parser takes for dates."""

from __future__ import annotations

import pytest

from entrepot.domain.policy.legacy import is_date


@pytest.mark.parametrize(
    "text",
    [
        "2017-07-01T00:00:00Z",
        "2016-12-13T21:20:37.593194+00:00",
        "2016-12-13t2:00:00.593194+23",
        "01T",
        "-292275054",
        "2017",
        "2017-12",
        "1500000000",
        "9223372036854775807",
        "2016-12-13T1:59",
        "1.5",
        "2016-12-13T01:02:03+0130",
    ],
)
def test_dates(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "234-13",
        "2017-00",
        "2017-01-32",
        "2017-01-01T24:00",
        "2017-01-01T00:60",
        "2017-01-01T00:00:60",
        "2016-12-13t2:00:00.593194+1",
        "2016-12-13t2:00:00.1999999999+10:59",
        "9223372036854775808",
        "9" * 5000,
        "2017-01-01-01",
        "T",
        "2017-01-01T00:00:00+24",
        "²",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert not is_date(text)
