"""Whatever the names and page sizes, pages put together are the list in bytewise order, also while it changes."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.domain.page import Key, PageRequest
from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName, RepositorySettings
from entrepot.service.repository import RepositoryService
from tests.support.service import ACCOUNT

NUMBERS = itertools.count()
FIXED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Characters on which languages and bytes disagree: punctuation that collations skip, digits, the slash.
components = st.text("ab09", min_size=1, max_size=3)
names = st.builds(
    lambda parts, joints: RepositoryName("".join(a + b for a, b in zip(parts, [*joints, ""], strict=False))),
    st.lists(components, min_size=4, max_size=4),
    st.lists(st.sampled_from(["", "-", "--", ".", "_", "__", "/"]), min_size=3, max_size=3),
)
name_sets = st.sets(names, max_size=12)


async def pages(service: RepositoryService, registry: Registry, size: int) -> list[str]:
    found: list[str] = []
    after: Key | None = None
    while True:
        page = await service.describe(registry, None, PageRequest(size, after))
        assert len(page.items) <= size
        assert all(item.registry == registry for item in page.items)
        found += [item.name for item in page.items]
        if page.next_key is None:
            return found
        assert len(page.items) == size
        after = page.next_key


@FIXED
@given(present=name_sets, size=st.integers(1, 5))
async def test_pages_are_the_sorted_list(
    repository_service: RepositoryService, present: set[RepositoryName], size: int
) -> None:
    registry = Registry(ACCOUNT, f"us-test-{next(NUMBERS)}")
    for name in present:
        await repository_service.create(registry, name, RepositorySettings(), {})
    assert await pages(repository_service, registry, size) == sorted(present, key=lambda name: name.encode())


@FIXED
@given(present=name_sets, coming=st.lists(names, max_size=6), going=st.sets(st.integers(0, 11)), size=st.integers(1, 3))
async def test_what_stays_is_listed_once_while_others_come_and_go(
    repository_service: RepositoryService,
    present: set[RepositoryName],
    coming: list[RepositoryName],
    going: set[int],
    size: int,
) -> None:
    registry = Registry(ACCOUNT, f"us-test-{next(NUMBERS)}")
    for name in present:
        await repository_service.create(registry, name, RepositorySettings(), {})
    leaving = [name for place, name in enumerate(sorted(present)) if place in going]
    arriving = [name for name in dict.fromkeys(coming) if name not in present]
    found: list[str] = []
    after: Key | None = None
    while True:
        page = await repository_service.describe(registry, None, PageRequest(size, after))
        found += [item.name for item in page.items]
        if leaving:
            await repository_service.delete(registry, leaving.pop(), force=False)
        if arriving:
            await repository_service.create(registry, arriving.pop(), RepositorySettings(), {})
        if page.next_key is None:
            break
        after = page.next_key
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    left = {name for place, name in enumerate(sorted(present)) if place in going}
    assert set(found) >= present - left
    assert set(found) <= present | set(coming)
