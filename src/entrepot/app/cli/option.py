"""Command line options made from the table of settings, so that no setting is written down twice."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import typer

from entrepot.app import config_load
from entrepot.app.cli.output import fail, warn
from entrepot.app.config import Settings

BAD_SETTINGS = 2
"""Exit code for wrong settings, as for a wrong command line."""

STORE_SETTINGS = (
    "config",
    "data_dir",
    "database_url",
    "blob_dir",
    "blob_url",
    "s3_endpoint_url",
    "s3_region",
    "s3_addressing",
    "s3_credentials",
)
"""What says where facts and bytes are, for commands that work on both."""


def with_settings(names: Sequence[str] | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of these settings, of all by default, before its own parameters.

    The command gets checked `Settings` as its first argument.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        rows = [row for row in config_load.rows() if row.flag and (names is None or row.name in names)]
        taken = {row.name for row in rows}

        def run(**given: Any) -> None:
            values = {name: given.pop(name) for name in taken}
            flags = {name: value for name, value in values.items() if value not in (None, [])}  # those that were given
            command(read_settings(flags), **given)

        parameters = [_parameter(row, row.flag) for row in rows if row.flag] + own
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # typer reads it
            [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
        )
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def read_settings(flags: dict[str, Any]) -> Settings:
    """Settings, or the end with one line per problem."""
    for line in (*config_load.unknown_variables(os.environ), *config_load.shown_secrets(flags)):
        warn(line)
    try:
        return config_load.load(flags)
    except config_load.SettingsError as error:
        fail(error.problems, BAD_SETTINGS)


def _parameter(row: config_load.SettingRow, flag: str) -> inspect.Parameter:
    default = typer.Option(
        None,
        f"{flag}/--no-{flag[2:]}" if row.is_switch else flag,
        help=f"{row.meaning} Default: {row.default}.",
        envvar=None,
        show_default=False,
        metavar=_metavar(row),
    )
    kind: Any = bool | None if row.is_switch else list[str] | None if row.is_list else str | None
    return inspect.Parameter(row.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _metavar(row: config_load.SettingRow) -> str | None:
    return None if row.is_switch else row.name.rpartition("_")[2].upper()
