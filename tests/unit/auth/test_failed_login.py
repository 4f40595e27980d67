"""Failed logins: counted by address in windows of a minute, within bounds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from entrepot.auth import failed_login
from entrepot.auth.failed_login import FailedLogins
from entrepot.domain.error import TooManyFailedLogins
from tests.support.service import Clock

LIMIT = 3


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logins(clock: Clock) -> FailedLogins:
    return FailedLogins(LIMIT, lambda: clock.now)


def fail(logins: FailedLogins, address: str, times: int = LIMIT) -> None:
    for _ in range(times):
        logins.check(address)
        logins.count(address)


def is_refused(logins: FailedLogins, address: str) -> bool:
    try:
        logins.check(address)
    except TooManyFailedLogins:
        return True
    return False


def test_the_last_failure_shuts_the_address_out_and_no_other(logins: FailedLogins) -> None:
    fail(logins, "192.0.2.1", LIMIT - 1)
    assert not is_refused(logins, "192.0.2.1")
    logins.count("192.0.2.1")
    assert is_refused(logins, "192.0.2.1")
    assert not is_refused(logins, "192.0.2.2")


def test_it_is_listened_to_again_when_the_window_ends(logins: FailedLogins, clock: Clock) -> None:
    fail(logins, "192.0.2.1")
    clock.forward(seconds=30)
    with pytest.raises(TooManyFailedLogins) as refused:
        logins.check("192.0.2.1")
    assert refused.value.retry_after_seconds == 31
    clock.forward(seconds=30)
    fail(logins, "192.0.2.1", LIMIT - 1)
    assert not is_refused(logins, "192.0.2.1")


def test_a_clock_that_is_set_back_shuts_nobody_out_for_long(logins: FailedLogins, clock: Clock) -> None:
    fail(logins, "192.0.2.1")
    clock.now -= timedelta(days=1)
    assert not is_refused(logins, "192.0.2.1")


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("not:an:address", "not:an:address", True),
        ("", "", True),
    ],
)
def test_ipv6_counts_by_network(logins: FailedLogins, first: str, second: str, is_one: bool) -> None:
    fail(logins, first)
    assert is_refused(logins, second) == is_one


def test_no_limit(clock: Clock) -> None:
    logins = FailedLogins(0, lambda: clock.now)
    fail(logins, "192.0.2.1", 1_000)
    assert not is_refused(logins, "192.0.2.1")


def test_the_table_is_bounded(logins: FailedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_login, "FAILED_LOGIN_ADDRESSES_MAX", 2)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        fail(logins, address)
    assert [is_refused(logins, f"192.0.2.{last}") for last in (1, 2, 3)] == [False, True, True]
