"""Events: what happened, recorded in the transaction of the change.

Spec: ECR user guide, "Amazon ECR events and EventBridge".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What happened to the subject."""

    IMAGE_PUSHED = "image.pushed"
    IMAGE_DELETED = "image.deleted"
    REPOSITORY_CREATED = "repository.created"
    REPOSITORY_DELETED = "repository.deleted"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a registry; the time is set when it is recorded."""

    kind: EventKind
    repository: str
    details: dict[str, str]
    """For images: `digest`, and `tag`, `media_type`, `artifact_type` where known."""
