"""Fixtures of the wire tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop

from tests.support.aws import aws, sqlite_aws
from tests.support.registry import postgres_registry, registry, sqlite_registry

__all__ = ["aws", "postgres_registry", "registry", "sqlite_aws", "sqlite_registry"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop of workers."""
    return {"uvloop": uvloop.new_event_loop}
