"""`entrepot keys`: new keys in the place of those that may have been seen."""

from __future__ import annotations

from typing import Annotated

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, warn
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

SETTINGS = ("config", "data_dir", "database_url")

keys = typer.Typer(help="Replace keys, beside a running server or without one.", no_args_is_help=True)

Signing = Annotated[bool, typer.Option("--signing", help="The keys that sign passwords and URLs, not the master key.")]


@keys.command("rotate")
@with_settings(SETTINGS)
def rotate(settings: Settings, signing: Signing = False) -> None:
    """Replace the master key; nothing that it protects is encrypted anew, and no password ends."""
    with work_of("key") as work:
        if signing:
            begins, until = work.rotate_signing_keys(settings)
        else:
            rotated = work.rotate_master_key(settings)
    if signing:
        say(f"new signing keys sign from {begins:%Y-%m-%d %H:%M:%S} UTC on")
        say(f"the ones before verify until {until:%Y-%m-%d %H:%M:%S} UTC, so nothing that was handed out ends early")
        return
    if not rotated.values:
        say("an earlier rotation was cut off; it is finished now, and no new key was made")
        return
    say(f"{rotated.values} keys are sealed with a new master key; a running server goes on")
    if rotated.is_in_settings:
        warn(work.ADVICE)
    else:
        say("backups made until now need the old key, which is master.key.old: keep it with them, and remove it here")
