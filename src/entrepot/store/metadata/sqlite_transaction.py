"""Transactions of a SQLite file: several changes as one, each in a savepoint, and the answers to those who wait.

A failure undoes only its own change. Where SQLite gives up the transaction as a whole (a full disk), the changes run
again one by one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from entrepot.store.metadata.base import StrayStopIteration
from entrepot.store.metadata.sqlite_file import raw_connection, translate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change."""

    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A change, and who waits for it."""

    change: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    is_durable: bool


Answer = tuple[Job, Outcome]


def commit_all(connection: Connection, jobs: Sequence[Job]) -> list[Answer]:
    """Run all jobs, together if SQLite goes along."""
    if not jobs:
        return []
    outcomes = _commit(connection, jobs)
    if outcomes is None and len(jobs) > 1:
        return [answer for job in jobs for answer in commit_all(connection, [job])]
    return list(zip(jobs, outcomes or [], strict=True))


def _commit(connection: Connection, jobs: Sequence[Job]) -> list[Outcome] | None:
    """Run jobs in one transaction. None: SQLite gave it up, nothing is done; one job alone gets its error."""
    raw = raw_connection(connection)
    begun = _attempt(raw, "BEGIN IMMEDIATE")
    if begun.error is not None:
        return [begun] * len(jobs)
    outcomes: list[Outcome] = []
    for job in jobs:
        outcomes.append(_run_in_savepoint(connection, raw, job) if len(jobs) > 1 else _run(connection, job))
        if not raw.in_transaction:
            return outcomes if len(jobs) == 1 else None
    is_undone = len(jobs) == 1 and outcomes[0].error is not None
    ended = _attempt(raw, "ROLLBACK" if is_undone else "COMMIT")
    if ended.error is None or is_undone:
        return outcomes
    if raw.in_transaction:
        _attempt(raw, "ROLLBACK")
    return [ended] if len(jobs) == 1 else None


def _run_in_savepoint(connection: Connection, raw: sqlite3.Connection, job: Job) -> Outcome:
    """Run a job so that it can be undone alone. Where that cannot be had, the transaction is given up as a whole."""
    if _attempt(raw, "SAVEPOINT job").error is not None:
        _attempt(raw, "ROLLBACK")
        return Outcome()
    outcome = _run(connection, job)
    for statement in ("RELEASE job",) if outcome.error is None else ("ROLLBACK TO job", "RELEASE job"):
        if raw.in_transaction and _attempt(raw, statement).error is not None:
            _attempt(raw, "ROLLBACK")
    return outcome


def _run(connection: Connection, job: Job) -> Outcome:
    try:
        return Outcome(job.change(connection))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the one who waits for this change gets it
        return Outcome(error=translate(error))


def _attempt(raw: sqlite3.Connection, statement: str) -> Outcome:
    try:
        raw.execute(statement)
    except BaseException as error:  # noqa: BLE001 - the writing thread must live; those who wait get the error
        return Outcome(error=translate(error))
    return Outcome()


def answer(answers: Iterable[Answer]) -> None:
    """Tell those who wait, from any thread; wakes each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for job, outcome in answers:
        by_loop.setdefault(job.loop, []).append((job.future, outcome))
    for loop, outcomes in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve_all, outcomes)


def resolve_all(outcomes: Iterable[tuple[asyncio.Future[Any], Outcome]]) -> None:
    """Tell those who wait; on their event loop."""
    for future, outcome in outcomes:
        resolve(future, outcome)


def resolve(future: asyncio.Future[Any], outcome: Outcome) -> None:
    """Tell one, unless they went away."""
    if future.done():
        return
    if isinstance(outcome.error, StopIteration):
        future.set_exception(StrayStopIteration())
    elif outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.result)
