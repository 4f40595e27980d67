"""Jobs: work that is done outside of any request: its kinds, its states, and when it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from entrepot.domain.identity import OperatorError
from entrepot.domain.limit import JOB_ERROR_LENGTH_MAX, JOB_RETRY_SECONDS_FIRST, JOB_RETRY_SECONDS_MAX


class JobKind(StrEnum):
    """The work that this program knows. A database may hold kinds of another version, so rows carry text."""

    UPLOAD_SWEEP = "upload-sweep"
    GARBAGE = "garbage"
    TOKEN_PURGE = "token-purge"  # noqa: S105 - a name
    KEY_PURGE = "key-purge"
    KMS_DELETION = "kms-deletion"
    KMS_ROTATION = "kms-rotation"
    EVENT_PURGE = "event-purge"
    JOB_PURGE = "job-purge"


class JobState(StrEnum):
    """Where a job stands: pending → running → done, back to pending after a failure, dead after the last one."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


OVER = (JobState.DONE, JobState.DEAD)
"""Nothing happens to these by themselves."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's hold on one job: whatever it does counts only while the row says the same owner and fence."""

    job_id: int
    kind: str
    arguments: Mapping[str, object]
    owner: str
    fence: int
    """Rises with every claim of the job and is never reused: what a zombie did bears an older one."""
    attempt: int
    """From 1."""
    attempts_max: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its row tells it. Times are the database's."""

    id: int
    kind: str
    arguments: Mapping[str, object]
    unique_key: str | None
    state: str
    due_at: datetime | None
    """When it may be taken: a pending one's time, the end of a running one's lease; None when it is over."""
    attempts: int
    attempts_max: int
    owner: str | None
    """Who has it, or had it last."""
    fence: int
    created_at: datetime
    started_at: datetime | None
    """Of the last attempt."""
    finished_at: datetime | None
    error: str | None
    """Of the last failure."""
    result: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Cron:
    """Work of one kind that comes again."""

    kind: str
    every_seconds: float

    def period(self, now_micros: int) -> int:
        """The number of the period that a time is in, counted from 1970."""
        return now_micros // self._every_micros

    def key(self, now_micros: int) -> str:
        """The unique key of that period's job, the same on every host."""
        return f"{self.kind}@{self.every_seconds:g}s#{self.period(now_micros)}"

    def seconds_left(self, now_micros: int) -> float:
        """Until the next period begins."""
        return (self._every_micros - now_micros % self._every_micros) / 1_000_000

    @property
    def _every_micros(self) -> int:
        return int(self.every_seconds * 1_000_000)


class JobNotFound(OperatorError):
    """No job of that id."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"there is no job {job_id}")
        self.job_id = job_id


class JobNotRetryable(OperatorError):
    """Only a job that failed, for now or for good, can be tried again by hand."""

    def __init__(self, job_id: int, state: str) -> None:
        super().__init__(f"the job {job_id} is {state}: only dead and pending jobs can be tried again")
        self.job_id, self.state = job_id, state


def retry_seconds(attempt: int, spread: float) -> float:
    """How long to wait after a failed attempt (from 1): twice as long each time, between half and all of it.

    `spread` in [0, 1) decides where between, so that jobs that failed together do not come back together.
    """
    longest = min(JOB_RETRY_SECONDS_FIRST << (attempt - 1), JOB_RETRY_SECONDS_MAX)
    return longest * (0.5 + spread / 2)


def short_error(text: str) -> str:
    """An error's text in one line as rows keep it and terminals can show it."""
    line = "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
    return line if len(line) <= JOB_ERROR_LENGTH_MAX else line[: JOB_ERROR_LENGTH_MAX - 1] + "…"
