"""The quota of images: counted seldom while there is room, exactly when there is little."""

from __future__ import annotations

from entrepot.service.image.quota import VALID_MICROS, ImageQuota
from tests.support.service import REGISTRY

HERE = (REGISTRY, "team/app")


def test_far_from_the_limit_counts_are_rare_and_near_it_each_push_is_counted() -> None:
    quota, stored, counts = ImageQuota(limit=1_000), 0, 0
    while True:
        if quota.is_count_due(HERE, 0):
            counts += 1
            quota.learn(HERE, stored, 0)
        if quota.is_full(HERE):
            break
        stored += 1
        quota.admit(HERE)
    assert stored == 1_000
    assert counts < 60


def test_an_allowance_ends_after_a_minute() -> None:
    quota = ImageQuota(limit=1_000)
    assert quota.is_count_due(HERE, 0)
    quota.learn(HERE, 10, 0)
    assert not quota.is_count_due(HERE, VALID_MICROS - 1)
    assert quota.is_count_due(HERE, VALID_MICROS)


def test_eight_workers_with_allowances_of_one_moment_stay_within_the_limit() -> None:
    quotas = [ImageQuota(limit=1_000) for _ in range(8)]
    admitted = 0
    for quota in quotas:
        quota.learn(HERE, 200, 0)
        while not quota.is_count_due(HERE, 0):
            quota.admit(HERE)
            admitted += 1
    assert 200 + admitted <= 1_000


def test_memory_is_bounded() -> None:
    quota = ImageQuota()
    for number in range(25_000):
        quota.learn((REGISTRY, f"r{number}"), 1, 0)
    assert len(quota._allowances) <= 10_000
