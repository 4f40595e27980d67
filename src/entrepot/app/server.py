"""A server from start to end: lock, ports, preparation, imports, then the supervisor.

Everything is imported before the workers are forked and the garbage collector frozen, so that they share that
memory. What needs the database before there are workers happens in a child that exits (`app/prepare.py`), while the
supervisor imports what only workers need; it never opens the database itself.
"""

from __future__ import annotations

import gc
import importlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from entrepot.app import engine, prepare
from entrepot.app.aws_policy import AwsPolicyError, load_aws_policies
from entrepot.app.child import Child, fork
from entrepot.app.config import Settings
from entrepot.app.connect import state as connect_state
from entrepot.app.connect.state import ConnectState
from entrepot.app.data_directory import DataDirectory, DataDirectoryError, RunningServer
from entrepot.app.deployment import Deployment
from entrepot.app.listener import BoundListener, Listener, ListenerError, bind, tls_context
from entrepot.app.supervisor import ServerError, Supervisor
from entrepot.domain.registry_url import RegistryUrl

Welcome = Callable[[Deployment, str | None, float], None]
"""Is given the AWS profile that was written, and the seconds from the start of the process to now."""


def serve(settings: Settings, welcome: Welcome) -> None:
    """Run a server until it is told to stop.

    Raises:
        ServerError: it cannot start; the text is one line for the operator.
    """
    directory = DataDirectory.of(settings)
    try:
        directory.create()
        with directory.locked(), ExitStack() as stack:
            _serve_locked(settings, directory, welcome, stack)
    except (AwsPolicyError, DataDirectoryError, ListenerError) as error:
        raise ServerError(str(error)) from error


def _serve_locked(settings: Settings, directory: DataDirectory, welcome: Welcome, stack: ExitStack) -> None:
    connected = connect_state.load(directory.connect)
    listeners = (
        *settings.listeners,
        *connect_state.added_listeners(connected, directory.connect, settings.listeners),
    )
    bound = _bind_all(listeners, settings.workers, stack)
    deployment = Deployment(
        settings,
        directory,
        tuple(one.listener for one in bound),
        RegistryUrl(_registry_url(settings, connected, bound)),
        load_aws_policies(settings.aws_policies),
    )
    engine.load_drivers(settings, directory)
    preparation = fork(lambda reporter: prepare.run(deployment, reporter))
    run_worker = importlib.import_module("entrepot.app.worker").run
    said = _finish(preparation)
    gc.collect()
    gc.freeze()
    gc.enable()

    def on_ready() -> None:
        directory.announce(
            RunningServer(
                os.getpid(), [one.local_url for one in deployment.listeners], deployment.registry_url.template
            )
        )
        welcome(deployment, said.get("profile"), seconds_since_start())

    stack.callback(directory.withdraw)
    Supervisor(deployment, bound, run_worker).run(on_ready)


def _registry_url(settings: Settings, connected: ConnectState | None, bound: Sequence[BoundListener]) -> str:
    if settings.registry_url:
        return settings.registry_url
    return connected.registry_url if connected else bound[0].listener.local_url


def _bind_all(listeners: Sequence[Listener], workers: int, stack: ExitStack) -> list[BoundListener]:
    bound = []
    for listener in listeners:
        tls_context(listener)  # a bad certificate is said now, not by every worker
        one = bind(listener, workers)
        stack.callback(one.close)
        bound.append(one)
    return bound


def _finish(preparation: Child) -> dict[str, str]:
    said = dict(preparation.wait())
    if preparation.exit_code != 0:
        raise ServerError(said.get("failed") or f"preparation ended with {preparation.end_text()}")
    return said


def seconds_since_start() -> float:
    """Age of this process, the interpreter's start included. Resolution: a clock tick, 10 ms."""
    with open("/proc/self/stat", encoding="ascii") as file:  # noqa: PTH123 - no path of ours
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
