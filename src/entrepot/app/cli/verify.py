"""`entrepot verify`: whether everything that the registry promises is there, and what to push again where it is not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.app.cli.option import STORE_SETTINGS, with_settings
from entrepot.app.cli.output import fail, say, say_json, warn
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from entrepot.app.verify import Report

DAMAGED = 1
NOT_VERIFIED = 2

Digests = Annotated[bool, typer.Option("--digests", help="Read every byte of every blob and compare its digest.")]
Orphans = Annotated[bool, typer.Option("--orphans", help="List the store and report what no row names.")]
Repair = Annotated[bool, typer.Option("--repair", help="Move what is broken aside, so that pushing again mends it.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a verification was cut off.")]
Force = Annotated[bool, typer.Option("--force", help="Repair even if most blobs seem to be missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@with_settings(STORE_SETTINGS)
def verify(
    settings: Settings,
    digests: Digests = False,
    orphans: Orphans = False,
    repair: Repair = False,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Check that everything is there: exit code 0 if so, 1 if something is lost or wrong, 2 if it cannot be checked.

    Safe beside a running server.
    """
    work = importlib.import_module("entrepot.app.verify")
    wishes = work.Wishes(digests, orphans, repair, resume, force)
    try:
        with progress_bar() as on_progress:
            report = work.verify_all(settings, wishes, on_progress)
    except work.CommandError as error:
        fail(str(error), NOT_VERIFIED)
    tell(report, is_json=json)
    if not report.is_sound:
        raise SystemExit(DAMAGED)


def tell(report: Report, *, is_json: bool) -> None:
    """Print what was found."""
    if is_json:
        findings = [finding.to_json() for finding in report.findings]
        say_json({"sound": report.is_sound, "images": report.images, "blobs": report.blobs, "findings": findings})
        return
    for finding in report.findings:
        cured = f" ({finding.cured})" if finding.cured else ""
        kind = "broken" if finding.is_damage else "notice"
        say(f"{kind}  {finding.invariant}  {finding.table} {finding.key}: {finding.detail}{cured}")
    for line in push_again_lines(report):
        say(line)
    if report.is_sound:
        say(f"sound: {report.images} images, {report.blobs} blobs")
    else:
        damages = sum(finding.is_damage for finding in report.findings)
        warn(f"{damages} invariants are broken; docs/design/invariants.md explains each")


def push_again_lines(report: Report) -> Iterator[str]:
    """What to push again, each image once."""
    layers: dict[tuple[str, ...], set[str]] = {}
    for finding in report.findings:
        for image in finding.push_again:
            place = f"{image.account_id}/{image.region}/{image.repository}"
            for name in image.tags or ("",):
                key = (place, f":{name}" if name else "", image.digest)
                layers.setdefault(key, set()).update(image.layers)
    if layers:
        yield "push again:"
    for (place, name, digest), lost in layers.items():
        what = f"lost: {', '.join(sorted(lost))}" if lost else "after what it is made of"
        yield f"  {place}{name}@{digest}  {what}"


@contextmanager
def progress_bar() -> Iterator[Callable[[Any], None]]:
    """A bar on standard error while somebody looks at it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    rich = importlib.import_module("rich.progress")
    console = importlib.import_module("rich.console").Console(stderr=True)
    with rich.Progress(console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(progress: Any) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bar.add_task(progress.stage)
            bar.update(tasks[progress.stage], total=progress.total, completed=progress.done)

        yield show
