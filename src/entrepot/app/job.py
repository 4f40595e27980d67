"""Jobs for operators: listed, looked at, and tried again, beside a running server or without one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from entrepot.app import workbench
from entrepot.app.config import Settings
from entrepot.app.workbench import Workbench
from entrepot.domain.job import Job
from entrepot.service.job import JobService

T = TypeVar("T")


def list_jobs(settings: Settings, kind: str | None, state: str | None, limit: int) -> list[Job]:
    """The newest jobs first.

    Raises:
        CommandError: the database cannot be used.
    """
    return _with_jobs(settings, lambda jobs: jobs.list_jobs(kind, state, limit))


def show_job(settings: Settings, job_id: int) -> Job:
    """A job by its id.

    Raises:
        CommandError: no such job, or the database cannot be used.
    """
    return _with_jobs(settings, lambda jobs: jobs.get(job_id))


def retry_job(settings: Settings, job_id: int) -> Job:
    """Make a dead or waiting job due now; a server looks within seconds.

    Raises:
        CommandError: no such job, it is running or done, or the database cannot be used.
    """
    return _with_jobs(settings, lambda jobs: jobs.retry(job_id))


def _with_jobs(settings: Settings, act: Callable[[JobService], Awaitable[T]]) -> T:
    async def work(bench: Workbench) -> T:
        return await act(JobService(bench.database, bench.context))

    return workbench.run(settings, work)
