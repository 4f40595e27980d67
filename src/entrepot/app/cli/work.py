"""The module that does a command's work, loaded when the command runs; its errors end the command with their line."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from entrepot.app.cli.output import fail

if TYPE_CHECKING:
    from types import ModuleType


@contextmanager
def work_of(name: str) -> Iterator[ModuleType]:
    """A module of `app/` that raises CommandError where something cannot be done."""
    workbench = importlib.import_module("entrepot.app.workbench")
    try:
        yield importlib.import_module(f"entrepot.app.{name}")
    except workbench.CommandError as error:
        fail(str(error), error.code)


@contextmanager
def client_of(name: str) -> Iterator[ModuleType]:
    """A module of `clients/`, which raises ClientError where something cannot be done."""
    errors = importlib.import_module("entrepot.clients.client_error")
    try:
        yield importlib.import_module(f"entrepot.clients.{name}")
    except errors.ClientError as error:
        fail(str(error))
