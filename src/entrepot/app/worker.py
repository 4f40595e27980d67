"""A worker: one process with one event loop that serves its sockets until SIGTERM.

Everything is opened after the fork. Draining: accept no more, finish the requests under way within the grace.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog
import uvloop

from entrepot.app import memory, schedule
from entrepot.app.acceptor import Turn
from entrepot.app.child import Reporter
from entrepot.app.deployment import Deployment
from entrepot.app.endpoint_listener import EndpointListeners
from entrepot.app.front import Front
from entrepot.app.listener import Listener, tls_context
from entrepot.app.stall import watch_loop
from entrepot.app.wiring import open_application

log = structlog.get_logger(__name__)

JOB_GRACE_SECONDS = 5.0
"""What jobs get at most to finish when the server is told to stop; then they are given back."""

Sockets = list[tuple[Listener, socket.socket]]


def run(deployment: Deployment, sockets: Sockets, index: int, turn: Turn | None, reporter: Reporter) -> int:
    """Serve until SIGTERM; 0 after a clean end, 1 when it could not start."""
    structlog.contextvars.bind_contextvars(worker=index)
    memory.keep_freed()
    with asyncio.Runner(loop_factory=loop_factory(deployment)) as runner:
        try:
            runner.run(_serve(deployment, sockets, index, turn, reporter))
        except Exception as error:
            log.exception("worker.failed")
            reporter.say("failed", str(error) or type(error).__name__)
            return 1
    return 0


def loop_factory(deployment: Deployment) -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop, unless blobs lie and leave as they are: only asyncio's own loop sends files by the kernel."""
    settings = deployment.settings
    has_tls = any(listener.is_secure for listener in deployment.listeners)
    sends_files = settings.storage_encryption == "none" and settings.blob_url is None and not has_tls
    return asyncio.new_event_loop if sends_files else uvloop.new_event_loop


async def _serve(deployment: Deployment, sockets: Sockets, index: int, turn: Turn | None, reporter: Reporter) -> None:
    async with AsyncExitStack() as stack:
        application = await open_application(deployment)
        stack.push_async_callback(application.close)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        tasks = [asyncio.create_task(watch_loop()), *schedule.start(application.schedule)]
        stack.push_async_callback(_cancel, tasks)
        stack.push_async_callback(application.jobs.drain, 0)
        front = Front(turn)
        for listener, one in sockets:
            handler, idle_seconds = application.handler(listener.url), deployment.settings.idle_timeout_seconds
            await front.listen(handler, one, tls_context(listener), idle_seconds, application.open_lane(listener.url))
        endpoints = EndpointListeners(deployment, application, front, reporter)
        await endpoints.look()  # asks for their sockets before the supervisor hears that this worker is ready
        tasks.append(asyncio.create_task(endpoints.run()))
        reporter.say("ready")
        application.jobs.start(makes_periods=index == 0)
        await stop.wait()
        grace = deployment.settings.shutdown_grace_seconds
        await asyncio.gather(front.drain(grace), application.jobs.drain(min(grace, JOB_GRACE_SECONDS)))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
