"""Fixtures of the wire tests."""

from tests.support.aws import aws
from tests.support.registry import postgres_registry, registry, sqlite_registry

__all__ = ["aws", "postgres_registry", "registry", "sqlite_registry"]
