"""`entrepot keys`: new keys in the place of those that may have been seen, and what a KMS key protects."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json, say_table, warn
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings
from entrepot.domain.key_usage import KeyUsage, ProtectedRepository

SETTINGS = ("config", "data_dir", "database_url")
HOME_SETTINGS = (*SETTINGS, "account_id", "region")

keys = typer.Typer(help="Replace keys, and see what they protect.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="ARN, or id or alias in the account of the settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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


@keys.command("usage")
@with_settings(HOME_SETTINGS)
def usage(settings: Settings, key: Key, is_json: Json = False) -> None:
    """List what a KMS key protects: all that is lost when it is deleted."""
    with work_of("key") as work:
        found: KeyUsage = work.key_usage(settings, key)
    if is_json:
        say_json(_to_json(found))
        return
    heads = ["REPOSITORY", "ACCOUNT", "REGION", "ENCRYPTION", "IMAGES", "BLOBS", "BYTES"]
    say_table(heads, [_to_cells(one) for one in found.repositories])
    held = f"{found.blobs} blobs, {found.size_bytes} bytes"
    say(f"{found.key_arn} protects {len(found.repositories)} repositories: {held}")


def _to_cells(one: ProtectedRepository) -> list[str]:
    place = one.registry
    counts = (one.images, one.blobs, one.size_bytes)
    return [one.name, place.account_id, place.region, one.encryption_type, *map(str, counts)]


def _to_json(found: KeyUsage) -> dict[str, Any]:
    repositories = [
        {
            "name": one.name,
            "account": one.registry.account_id,
            "region": one.registry.region,
            "encryption_type": one.encryption_type,
            "images": one.images,
            "blobs": one.blobs,
            "bytes": one.size_bytes,
        }
        for one in found.repositories
    ]
    return {"key": found.key_arn, "blobs": found.blobs, "bytes": found.size_bytes, "repositories": repositories}
