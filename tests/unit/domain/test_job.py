"""Jobs: how long a retry waits, what is kept of an error, and where a period ends."""

from __future__ import annotations

import pytest

from entrepot.domain.job import Cron, retry_seconds, short_error
from entrepot.domain.limit import JOB_ERROR_LENGTH_MAX


@pytest.mark.parametrize(
    ("attempt", "spread", "seconds"),
    [(1, 0.0, 5), (1, 0.5, 7.5), (2, 0.0, 10), (3, 0.0, 20), (9, 0.0, 1280), (10, 0.0, 1800), (10_000, 0.0, 1800)],
)
def test_waits_double_up_to_an_hour(attempt: int, spread: float, seconds: float) -> None:
    assert retry_seconds(attempt, spread) == seconds


def test_errors_become_one_bounded_line() -> None:
    assert short_error(" a\n  b ") == "a b"
    assert short_error("\x1b[31mred") == "?[31mred"
    assert short_error("x" * JOB_ERROR_LENGTH_MAX) == "x" * JOB_ERROR_LENGTH_MAX
    assert len(short_error("x" * 9_999)) == JOB_ERROR_LENGTH_MAX


def test_all_hosts_name_a_period_alike() -> None:
    cron = Cron("gc", 300)
    assert cron.key(600_000_000) == cron.key(899_999_999) == "gc@300s#2"
    assert cron.key(900_000_000) == "gc@300s#3"
    assert cron.seconds_left(600_000_000) == 300
    assert cron.seconds_left(899_000_000) == 1


def test_periods_may_be_shorter_than_a_second() -> None:
    cron = Cron("gc", 0.25)
    assert cron.key(1_000_000) != cron.key(1_250_000)
    assert cron.seconds_left(1_100_000) == 0.15
