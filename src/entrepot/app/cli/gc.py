"""`entrepot gc`: remove what no image and no promise keeps, or say what would go."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, warn
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

SETTINGS = ("config", "data_dir", "database_url", "blob_dir", "blob_promise_seconds")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@with_settings(SETTINGS)
def gc(settings: Settings, dry_run: DryRun = False, json: Json = False) -> None:
    """Remove blobs that no image references and that nobody was promised. Safe beside a running server.

    The server does the same by itself, every `collection_period_seconds`.
    """
    with work_of("garbage") as work:
        if dry_run:
            _tell_survey(work.survey(settings), is_json=json)
            return
        with _progress() as on_progress:
            collected, swept = work.collect(settings, on_progress)
    _tell(collected, swept, is_json=json)


def _tell_survey(found: Any, *, is_json: bool) -> None:
    if is_json:
        say_json(asdict(found))
    else:
        say(f"would remove {found.blobs} blobs, {found.size_bytes:,} bytes, and {found.links} links to blobs")


def _tell(collected: Any, swept: Any, *, is_json: bool) -> None:
    if is_json:
        say_json({key: value for key, value in (asdict(collected) | asdict(swept)).items() if key != "is_over"})
        return
    say(f"removed {collected.blobs} blobs, {collected.size_bytes:,} bytes, and {collected.links} links to blobs")
    say(f"freed the bytes of {swept.objects} objects; new ones follow within 5 minutes, for those who still read them")
    if collected.is_held:
        warn("nothing more is removed while a backup is under way or maintenance is on: run it again later")


@contextmanager
def _progress() -> Iterator[Callable[[Any], None]]:
    """A line on standard error that counts, while somebody looks at it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    console = importlib.import_module("rich.console").Console(stderr=True)
    with console.status("collecting") as status:
        yield lambda done: status.update(f"removed {done.blobs} blobs, {done.size_bytes:,} bytes")
