"""Where time, identifiers and randomness come in, so that tests can decide them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from entrepot.store.metadata.base import to_micros


def _now() -> datetime:
    return datetime.now(UTC)


def _uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Context:
    """The sources of what differs between two runs of the same request."""

    now: Callable[[], datetime] = _now
    new_uuid: Callable[[], str] = _uuid
    random_bytes: Callable[[int], bytes] = secrets.token_bytes

    def now_micros(self) -> int:
        """The time as tables keep it."""
        return to_micros(self.now())
