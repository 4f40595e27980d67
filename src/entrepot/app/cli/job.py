"""`entrepot jobs`: what waits, runs, is done or has failed, in the database that the settings name."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, say_table
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings
from entrepot.domain.job import Job, JobState

SETTINGS = ("config", "data_dir", "database_url")

ERROR_WIDTH = 60
"""Characters of an error in a table."""

jobs = typer.Typer(help="Background jobs: look at them, try them again.", no_args_is_help=True)

JobId = Annotated[int, typer.Argument(metavar="ID", help="As `list` shows it.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
State = Annotated[JobState | None, typer.Option("--state", help="Only jobs in this state.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only jobs of this kind.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="How many at most.", min=1, max=10_000)]


@jobs.command("list")
@with_settings(SETTINGS)
def list_(settings: Settings, state: State = None, kind: Kind = None, limit: Limit = 50, is_json: Json = False) -> None:
    """List jobs, the newest first."""
    with work_of("job") as work:
        found: list[Job] = work.list_jobs(settings, kind, state, limit)
    if is_json:
        say_json([_to_json(job) for job in found])
        return
    say_table(["ID", "KIND", "STATE", "ATTEMPTS", "CREATED", "DUE", "ERROR"], [_to_cells(job) for job in found])


@jobs.command("show")
@with_settings(SETTINGS)
def show(settings: Settings, job_id: JobId, is_json: Json = False) -> None:
    """Show one job with its arguments, last error and result."""
    with work_of("job") as work:
        _tell(work.show_job(settings, job_id), is_json=is_json)


@jobs.command("retry")
@with_settings(SETTINGS)
def retry(settings: Settings, job_id: JobId, is_json: Json = False) -> None:
    """Try a dead or waiting job again now; a running server takes it within seconds."""
    with work_of("job") as work:
        _tell(work.retry_job(settings, job_id), is_json=is_json)


def _tell(job: Job, *, is_json: bool) -> None:
    shown = _to_json(job)
    if is_json:
        say_json(shown)
        return
    for name, value in shown.items():
        say(f"{name}  {'-' if value is None else json.dumps(value) if isinstance(value, dict) else value}")


def _to_cells(job: Job) -> list[str]:
    attempts = f"{job.attempts}/{job.attempts_max}"
    error = (job.error or "")[:ERROR_WIDTH]
    return [str(job.id), job.kind, job.state, attempts, _to_text(job.created_at), _to_text(job.due_at), error]


def _to_text(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _to_json(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "arguments": dict(job.arguments),
        "attempts": job.attempts,
        "attemptsMax": job.attempts_max,
        "createdAt": job.created_at.isoformat(),
        "dueAt": job.due_at and job.due_at.isoformat(),
        "startedAt": job.started_at and job.started_at.isoformat(),
        "finishedAt": job.finished_at and job.finished_at.isoformat(),
        "owner": job.owner,
        "uniqueKey": job.unique_key,
        "error": job.error,
        "result": job.result,
    }
