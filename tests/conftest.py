"""Fixtures that every test may use."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.support.no_skips",
    "tests.support.postgres",
    "tests.support.s3",
    "tests.support.database",
    "tests.support.service",
    "tests.support.image",
    "tests.support.bytes",
    "tests.support.protection",
    "tests.support.job",
    "tests.support.race",
]


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that ran in this process has set where its log goes."""
    yield
    structlog.reset_defaults()
