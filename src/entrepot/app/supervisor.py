"""The supervisor: forks the workers, replaces dead ones, ends all when told to. One thread, no loop, no database.

SIGTERM and SIGINT drain: workers accept no more, finish what is under way within the grace, and exit; a second
signal ends at once. SIGHUP replaces the workers one after another, each after its successor serves.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from entrepot.app.acceptor import ConnectionCounts, Turn
from entrepot.app.child import Child, Reporter, fork
from entrepot.app.deployment import Deployment
from entrepot.app.endpoint_socket import WORDS, EndpointSockets
from entrepot.app.listener import BoundListener, Listener

log = structlog.get_logger(__name__)

START_FAILURES_MAX = 5
"""A worker that ends before it serves, this many times in a row, ends the server."""

BACKOFF_SECONDS = (0.0, 0.1, 0.5, 2.0, 5.0)
STABLE_SECONDS = 10.0
"""A worker that lived for this long is replaced without delay."""

KILL_SECONDS = 5.0
"""What workers get beyond the grace before they are killed."""

Announce = Callable[[], None]
RunWorker = Callable[[Deployment, list[tuple[Listener, socket.socket]], int, Turn | None, Reporter], int]
"""Serve on those sockets until SIGTERM, in turn with others; the result is the exit code. Says `ready`, or `failed`
and why."""


class ServerError(Exception):
    """The server cannot start or go on; the text says why, in one line."""


class Worker:
    """The place of one worker: the process that serves in it now, and how that goes."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.child: Child | None = None
        self.successor: Child | None = None
        """Of a replacement under way: serves beside the child until it says so."""
        self.is_ready = False
        self.deaths = 0
        """In a row, each before the worker was stable."""
        self.restart_at: float | None = None

    def children(self) -> list[Child]:
        """The processes of this place."""
        return [child for child in (self.child, self.successor) if child is not None]


class Supervisor:
    """Keeps one process per worker alive until a signal says stop."""

    def __init__(self, deployment: Deployment, bound: list[BoundListener], run_worker: RunWorker) -> None:
        self._deployment = deployment
        self._bound = bound
        self._run_worker = run_worker
        self._workers = [Worker(index) for index in range(deployment.settings.workers)]
        self._counts = ConnectionCounts(len(self._workers))
        self._endpoints = EndpointSockets(len(self._workers))
        self._replacing: list[Worker] = []
        self._start_failures = 0
        self._last_error = ""
        self._has_served = False
        self._stop_at: float | None = None

    def run(self, on_ready: Announce) -> None:
        """Serve until told to stop; `on_ready` is called once, when the first worker serves.

        Raises:
            ServerError: workers cannot start.
        """
        with _signals() as (wakeup, received):
            self._wakeup, self._received = wakeup, received
            self._on_ready = on_ready
            try:
                for worker in self._workers:
                    worker.child = self._fork(worker)
                while self._stop_at is None or any(worker.children() for worker in self._workers):
                    self._wait()
                    self._obey()
                    for worker in self._workers:
                        self._attend(worker)
            finally:
                self._kill_all()

    def _fork(self, worker: Worker) -> Child:
        sockets = [(one.listener, one.socket) for one in self._bound]
        turn = Turn(self._counts, worker.index) if len(self._workers) > 1 else None

        def run(reporter: Reporter) -> int:
            _restore_signals()
            self._endpoints.close()  # this copy of them: it asks for those that it wants
            return self._run_worker(self._deployment, sockets, worker.index, turn, reporter)

        return fork(run)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        for worker in self._workers:
            for child in worker.children():
                poll.register(child.descriptor, select.POLLIN)
        moments = [worker.restart_at for worker in self._workers if worker.restart_at is not None]
        moments += [self._stop_at] if self._stop_at is not None else []
        poll.poll(max(0.0, min(moments) - time.monotonic()) * 1000 + 1 if moments else None)
        with suppress(BlockingIOError):
            os.read(self._wakeup, 4096)

    def _obey(self) -> None:
        while self._received:
            number = self._received.pop(0)
            if number == signal.SIGHUP and self._stop_at is None:
                log.info("server.replacing_workers")
                self._replacing = list(self._workers)
            elif number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self._kill_all()

    def _stop(self) -> None:
        if self._stop_at is not None:
            self._stop_at = time.monotonic()  # told twice
            return
        grace = self._deployment.settings.shutdown_grace_seconds
        log.info("server.stopping", grace_seconds=grace)
        self._stop_at = time.monotonic() + grace + KILL_SECONDS
        self._replacing = []
        for one in self._bound:
            one.close()
        self._endpoints.close()
        for worker in self._workers:
            worker.restart_at = None
            for child in worker.children():
                child.kill(signal.SIGTERM)

    def _attend(self, worker: Worker) -> None:
        """Hear what the processes of one place say, and replace them when they are gone."""
        for child in worker.children():
            for word, text in child.hear():
                if word == "ready":
                    self._take_ready(worker, child)
                elif word == "failed":
                    self._last_error = text
                elif word in WORDS and self._stop_at is None:
                    self._endpoints.hear(child, word, text, self._serving())
            if child.has_exited():
                child.close()
                self._take_exit(worker, child)
        if worker.restart_at is not None and time.monotonic() >= worker.restart_at:
            worker.restart_at = None
            worker.child = self._fork(worker)
        self._replace_next()

    def _serving(self) -> list[Child]:
        """The processes that new connections are for: a successor takes the place of the one it replaces."""
        return [one.successor or one.child for one in self._workers if one.child is not None]

    def _take_ready(self, worker: Worker, child: Child) -> None:
        self._start_failures = 0
        worker.is_ready = True
        if all(one.is_ready for one in self._workers):
            self._endpoints.close_unused()
        if child is worker.successor and worker.child is not None:
            worker.child.kill(signal.SIGTERM)
            worker.child, worker.successor = worker.successor, worker.child  # the old one drains
        if not self._has_served:
            self._has_served = True
            self._on_ready()

    def _take_exit(self, worker: Worker, child: Child) -> None:
        self._endpoints.forget(child)
        self._counts.clear(worker.index)  # a successor that serves puts its own number there with the next arrival
        if worker.successor is not None:  # either the old one has drained, or one of the two died: the other goes on
            worker.child = worker.child if child is worker.successor else worker.successor
            worker.successor = None
            self._replacing = [one for one in self._replacing if one is not worker]
            return
        worker.child, was_ready, worker.is_ready = None, worker.is_ready, False
        if self._stop_at is None:
            self._plan_restart(worker, child, was_ready)

    def _plan_restart(self, worker: Worker, child: Child, was_ready: bool) -> None:
        log.error("worker.died", worker=worker.index, pid=child.pid, end=child.end_text(), error=self._last_error)
        self._start_failures += not was_ready
        if self._start_failures >= START_FAILURES_MAX:
            raise ServerError(self._last_error or f"workers end before they serve: {child.end_text()}")
        is_stable = time.monotonic() - child.started_at >= STABLE_SECONDS
        worker.deaths = 0 if is_stable else worker.deaths + 1
        delay = BACKOFF_SECONDS[min(max(worker.deaths - was_ready, 0), len(BACKOFF_SECONDS) - 1)]
        worker.restart_at = time.monotonic() + delay

    def _replace_next(self) -> None:
        """Start the successor of the first worker that waits for one; its end is the next one's turn."""
        if self._replacing and (worker := self._replacing[0]).successor is None and worker.is_ready:
            worker.successor = self._fork(worker)

    def _kill_all(self) -> None:
        for worker in self._workers:
            for child in worker.children():
                child.kill(signal.SIGKILL)
                child.wait()
            worker.child = worker.successor = None


@contextmanager
def _signals() -> Iterator[tuple[int, list[int]]]:
    """A descriptor that wakes `poll`, and the numbers of the signals received."""
    received: list[int] = []
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def note(number: int, _: object) -> None:
        received.append(number)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    before = {number: signal.signal(number, note) for number in numbers}
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading, received
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _restore_signals() -> None:
    """In a worker: the terminal's Ctrl-C is the supervisor's business, SIGTERM is handled once it serves."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
