"""Fixtures of the sweeps."""

from __future__ import annotations

from tests.support.aws import sqlite_aws

__all__ = ["sqlite_aws"]
