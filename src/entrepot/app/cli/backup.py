"""`entrepot backup` and `entrepot restore`: a copy of everything while the server runs, and a registry made of one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.app.cli.option import STORE_SETTINGS, with_settings
from entrepot.app.cli.output import fail, say, warn
from entrepot.app.cli.verify import DAMAGED, progress_bar, tell
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from entrepot.app.backup import Done


Target = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the backup; a later one brings what is new.")]
Source = Annotated[Path, typer.Argument(metavar="DIR", help="Directory that `entrepot backup` made.")]
WithKey = Annotated[bool, typer.Option("--with-key", help="Put the master key into the backup too.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Master key of the registry.")]
Digests = Annotated[bool, typer.Option("--digests", help="Read every byte in the verification at the end.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@with_settings(STORE_SETTINGS)
def backup(settings: Settings, target: Target, with_key: WithKey = False) -> None:
    """Back everything up while the server runs. The master key stays out unless asked for."""
    work = importlib.import_module("entrepot.app.backup")
    try:
        with progress_bar() as on_step:
            done = work.backup(settings, target.absolute(), on_step, with_key=with_key)
    except (work.CommandError, OSError) as error:
        fail(str(error))
    _tell(done, target)


@with_settings(STORE_SETTINGS)
def restore(
    settings: Settings, source: Source, key_file: KeyFile = None, digests: Digests = False, json: Json = False
) -> None:
    """Make a registry of a backup, in a new data directory and an empty database, and verify it."""
    work = importlib.import_module("entrepot.app.restore")
    try:
        with progress_bar() as on_step:
            report = work.restore(settings, source.absolute(), key_file, on_step, digests=digests)
    except (work.CommandError, OSError) as error:
        fail(str(error), 2)
    tell(report, is_json=json)
    if not report.is_sound:
        raise SystemExit(DAMAGED)


def _tell(done: Done, target: Path) -> None:
    record: Any = done.record
    brought = done.brought
    say(f"backup of {record.begun_at} in {target}: {record.blobs} blobs, {record.blob_bytes} bytes")
    say(
        f"  {brought.linked} linked, {brought.copied} copied, {brought.present} there before, {done.removed} no longer"
        " needed"
    )
    if brought.linked:
        say("  linked blobs are on the same disk as the registry: copy the directory elsewhere")
    if record.blobs_elsewhere:
        warn(f"{record.blobs_elsewhere} blobs are in the bucket and NOT in this backup: keep versions of the bucket")
    if record.has_master_key:
        warn(f"{target / 'master.key'} opens everything in this backup: whoever reads it reads all images and secrets")
    else:
        warn("the master key is NOT in this backup, and nothing in it can be read without: keep `master.key` elsewhere")
