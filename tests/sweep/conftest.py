"""Fixtures of the sweeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.aws import AwsWorld, aws_world
from tests.support.database import DatabaseAddress


@pytest.fixture
async def sqlite_aws(sqlite_address: DatabaseAddress, tmp_path: Path) -> AsyncIterator[AwsWorld]:
    """A registry on SQLite: what is swept ends before any statement."""
    async with aws_world(sqlite_address, tmp_path / "data") as world:
        yield world
