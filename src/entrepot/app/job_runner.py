"""The job runner of a worker: claims what is due, does a few jobs at a time, holds on to them, gives them back.

A job that is lost is cancelled. What its handler still does changes nothing: see `docs/design/job.md`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from entrepot.app.logs import reason_of, without_secrets
from entrepot.domain.error import Throttled
from entrepot.domain.job import Claim, Cron
from entrepot.service.job import JobService

log = structlog.get_logger(__name__)

IDLE_SECONDS_FIRST = 0.25
IDLE_SECONDS_MAX = 5.0
"""A worker with nothing to do looks again after this: for what other processes make."""

RENEWALS_PER_LEASE = 4
SETTLE_ATTEMPTS = 5
"""How often the end of a job is written before the row is left to its lease."""

CANCEL_SECONDS = 5.0
"""What a cancelled handler gets to let go."""

Result = Mapping[str, object] | None
Handler = Callable[[Claim], Awaitable[Result]]
"""Does one job and says what came of it, as a small JSON object. Safe to repeat: it may have been done before."""

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Run:
    """A job under way in this process."""

    claim: Claim
    held_until: float
    """By this process's monotonic clock: surely no later than the lease in the row."""
    task: asyncio.Task[None] | None = None
    is_settling: bool = False
    """The handler is through; the row is being told."""

    def cancel(self) -> None:
        if self.task is not None and not self.is_settling:
            self.task.cancel()


class JobRunner:
    """Jobs of one process. `owner` is a name that no other process ever had."""

    def __init__(
        self,
        jobs: JobService,
        handlers: Mapping[str, Handler],
        crons: Sequence[Cron],
        parallel: int,
        unique: str,
    ) -> None:
        self._jobs, self._handlers, self._crons, self._parallel = jobs, handlers, crons, parallel
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{unique}"
        self._kinds = sorted(handlers)
        self._runs: list[_Run] = []
        self._loops: list[asyncio.Task[None]] = []
        self._claiming: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self, *, makes_periods: bool) -> None:
        """Begin to work; with `makes_periods` also to queue what comes again by the clock."""
        if not self._parallel:
            return
        self._claiming = asyncio.create_task(self._claim_until_stopped(), name="job-claim")
        self._loops = [self._claiming, asyncio.create_task(self._renew_for_ever(), name="job-renew")]
        if makes_periods and self._crons:
            self._loops.append(asyncio.create_task(self._make_periods_for_ever(), name="job-periods"))

    async def drain(self, grace_seconds: float) -> None:
        """Take no more jobs, let those under way finish within the grace, and give back what is left."""
        await self._stop_claiming()
        await _wait_for([run.task for run in self._runs], grace_seconds)
        left = list(self._runs)
        for run in left:
            run.cancel()
        await _wait_for([run.task for run in left], CANCEL_SECONDS)
        for run in left:
            if run.task is not None and run.task.cancelled():
                await self._try("give back", partial(self._jobs.give_back, run.claim))
        await _cancel(self._loops)

    async def _stop_claiming(self) -> None:
        """Let the loop come round: cut off in the middle of a claim, it would leave a job to its lease."""
        self._is_stopping = True
        self._jobs.announce()
        await _wait_for([self._claiming], CANCEL_SECONDS)

    # ── claiming ─────────────────────────────────────────────────────────────────────────────

    async def _claim_until_stopped(self) -> None:
        idle = IDLE_SECONDS_FIRST
        while not self._is_stopping:
            wait = await self._try("claim", self._claim_due)
            if wait == 0:
                idle = IDLE_SECONDS_FIRST
                continue
            has_news = await self._jobs.wait_for_news(min(idle, wait or idle))
            idle = IDLE_SECONDS_FIRST if has_news else min(2 * idle, IDLE_SECONDS_MAX)

    async def _claim_due(self) -> float:
        """Start what is due, as far as there is room; the seconds until it is worth to look again."""
        room = self._parallel - len(self._runs)
        if room <= 0:
            return IDLE_SECONDS_MAX  # the next end of a job is announced
        left = await self._jobs.seconds_until_due(self._kinds)
        if left is None or left > 0:
            return IDLE_SECONDS_MAX if left is None else left
        held_until = time.monotonic() + self._jobs.lease_seconds
        claims = await self._jobs.claim(self.owner, self._kinds, room)
        for claim in claims:
            self._start(_Run(claim, held_until))
        return 0 if claims else IDLE_SECONDS_MAX  # others were faster, or nothing may be done now

    def _start(self, run: _Run) -> None:
        self._runs.append(run)
        run.task = asyncio.create_task(self._run(run), name=f"job-{run.claim.kind}")
        run.task.add_done_callback(lambda _: self._end(run))  # also of a task that was cancelled before it began

    def _end(self, run: _Run) -> None:
        self._runs.remove(run)
        self._jobs.announce()  # there is room

    async def _make_periods_for_ever(self) -> None:
        while True:
            left = await self._try("periods", lambda: self._jobs.enqueue_periods(self._crons))
            await asyncio.sleep(IDLE_SECONDS_MAX if left is None else left)

    # ── doing ────────────────────────────────────────────────────────────────────────────────

    async def _run(self, run: _Run) -> None:
        claim, begun = run.claim, time.monotonic()
        about = {"job": claim.job_id, "kind": claim.kind, "attempt": claim.attempt}
        try:
            result = await self._handlers[claim.kind](claim)
        except asyncio.CancelledError:
            log.warning("job.cancelled", **about)
            raise
        except Exception as error:
            run.is_settling = True
            text = without_secrets(f"{type(error).__name__}: {error}")
            state = await self._settle(lambda: self._jobs.fail(claim, text))
            if state is None:
                log.warning("job.lost", **about, error=text, seconds=_since(begun))
            else:
                log.exception("job.failed", **about, state=state, seconds=_since(begun))
        else:
            run.is_settling = True
            is_done = await self._settle(lambda: self._jobs.finish(claim, result))
            log.info("job.done" if is_done else "job.lost", **about, result=result, seconds=_since(begun))

    async def _settle(self, change: Callable[[], Awaitable[T]]) -> T | None:
        """Write the end of a job; a database that is busy is asked again."""
        for attempt in range(SETTLE_ATTEMPTS):
            try:
                return await change()
            except Exception:
                log.exception("job.step.failed", step="settle")
                await asyncio.sleep(0.25 * 2**attempt)
        return None

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._jobs.lease_seconds / RENEWALS_PER_LEASE)
            await self._try("renew", self._renew)
            for run in self._runs:
                if run.held_until < time.monotonic():
                    run.cancel()

    async def _renew(self) -> None:
        runs = [run for run in self._runs if not run.is_settling]
        if not runs:
            return
        held_until = time.monotonic() + self._jobs.lease_seconds
        lost = await self._jobs.renew([run.claim for run in runs])
        for run in runs:
            if run.claim in lost:
                run.cancel()
            else:
                run.held_until = held_until

    async def _try(self, step: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do it; an error is logged and answered with None, for the loops go on whatever happens."""
        try:
            return await work()
        except Throttled as error:  # the database is busy or away: a line, not a traceback every few seconds
            log.warning("job.step.postponed", step=step, error=reason_of(error))
            return None
        except Exception:
            log.exception("job.step.failed", step=step)
            return None


async def _wait_for(tasks: Iterable[asyncio.Task[None] | None], seconds: float) -> None:
    begun = [task for task in tasks if task is not None]
    if begun:
        await asyncio.wait(begun, timeout=seconds)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
