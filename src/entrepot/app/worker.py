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
from aiohttp.web import Server

from entrepot.app import schedule
from entrepot.app.child import Reporter
from entrepot.app.deployment import Deployment
from entrepot.app.listener import BACKLOG, Listener, tls_context
from entrepot.app.stall import watch_loop
from entrepot.app.wiring import Application, open_application
from entrepot.transport.middleware import build_server

log = structlog.get_logger(__name__)

Sockets = list[tuple[Listener, socket.socket]]


def run(deployment: Deployment, sockets: Sockets, index: int, reporter: Reporter) -> int:
    """Serve until SIGTERM; 0 after a clean end, 1 when it could not start."""
    structlog.contextvars.bind_contextvars(worker=index)
    with asyncio.Runner(loop_factory=loop_factory(deployment)) as runner:
        try:
            runner.run(_serve(deployment, sockets, index, reporter))
        except Exception as error:
            log.exception("worker.failed")
            reporter.say("failed", str(error) or type(error).__name__)
            return 1
    return 0


def loop_factory(deployment: Deployment) -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop, unless blobs lie and leave as they are: only asyncio's own loop sends files by the kernel."""
    settings = deployment.settings
    has_tls = any(listener.is_secure for listener in deployment.listeners)
    sends_files = settings.storage_encryption == "none" and not has_tls
    return asyncio.new_event_loop if sends_files else uvloop.new_event_loop


async def _serve(deployment: Deployment, sockets: Sockets, index: int, reporter: Reporter) -> None:
    async with AsyncExitStack() as stack:
        application = await open_application(deployment)
        stack.push_async_callback(application.close)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        tasks = [asyncio.create_task(watch_loop()), *schedule.start(application.schedule, is_leader=index == 0)]
        stack.push_async_callback(_cancel, tasks)
        fronts = [await _listen(application, listener, one, deployment) for listener, one in sockets]
        reporter.say("ready")
        await stop.wait()
        await drain(fronts, deployment.settings.shutdown_grace_seconds)


async def _listen(
    application: Application, listener: Listener, one: socket.socket, deployment: Deployment
) -> tuple[asyncio.Server, Server]:
    front = build_server(application.handler(listener.url), idle_seconds=deployment.settings.idle_timeout_seconds)
    one.setblocking(False)
    acceptor = await asyncio.get_running_loop().create_server(
        front, sock=one, ssl=tls_context(listener), backlog=BACKLOG
    )
    return acceptor, front


async def drain(fronts: list[tuple[asyncio.Server, Server]], grace_seconds: float) -> None:
    """Close the sockets, let idle connections go, wait for requests under way, then cut the rest."""
    for acceptor, _ in fronts:
        acceptor.close()
    await asyncio.sleep(0)  # what was accepted just now begins
    for _, front in fronts:
        front.pre_shutdown()
    await asyncio.gather(*(front.shutdown(grace_seconds) for _, front in fronts))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
