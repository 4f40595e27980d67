"""The AWS profile that leads clients here: two sections of the config file, one of the credentials file.

Everything else in the files stays byte for byte. The profile's `services` section sets the endpoints of just the
services that we speak, so that nothing else of AWS is redirected.

    [profile entrepot]                      ~/.aws/config
    region = us-east-1
    services = entrepot
    cli_pager =

    [services entrepot]
    ec2 =
      endpoint_url = http://127.0.0.1:5000
    ecr =
      endpoint_url = http://127.0.0.1:5000
    entrepot =
      endpoint_url = http://127.0.0.1:5000
    iam =
      endpoint_url = http://127.0.0.1:5000
    kms =
      endpoint_url = http://127.0.0.1:5000
    sts =
      endpoint_url = http://127.0.0.1:5000

    [entrepot]                              ~/.aws/credentials
    aws_access_key_id = AKIA…
    aws_secret_access_key = …

Spec: AWS SDKs and Tools reference guide, "Shared config and credentials files", "Service-specific endpoints".
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.app.data_directory import write_private

SERVICES = ("ec2", "ecr", "entrepot", "iam", "kms", "sts")


class ProfileError(Exception):
    """The profile cannot be read or written; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the profile says."""

    name: str
    region: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    ca_bundle: Path | None = None
    """CA of the endpoint, where the system's do not vouch for it."""


@dataclass(frozen=True, slots=True)
class ProfileFiles:
    """Where the SDKs look."""

    config: Path
    credentials: Path

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> ProfileFiles:
        """The files that the environment names, else those of the home directory.

        Raises:
            ProfileError: there is no home directory.
        """
        try:
            home = Path("~/.aws").expanduser()
            return cls(
                Path(environ.get("AWS_CONFIG_FILE") or home / "config").expanduser(),
                Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser(),
            )
        except RuntimeError as error:
            raise ProfileError("there is no home directory for the AWS profile") from error


def write_profile(profile: Profile, environ: Mapping[str, str] = os.environ) -> None:
    """Write the profile; files that say it already are not touched.

    Raises:
        ProfileError: the name cannot stand in such a file, or one cannot be read or written.
    """
    _check_name(profile.name)
    files = ProfileFiles.find(environ)
    endpoint = [line for service in SERVICES for line in (f"{service} =", f"  endpoint_url = {profile.endpoint_url}")]
    settings = [f"region = {profile.region}", f"services = {profile.name}", "cli_pager ="]
    if profile.ca_bundle is not None:
        settings.append(f"ca_bundle = {profile.ca_bundle}")
    secrets = [
        f"aws_access_key_id = {profile.access_key_id}",
        f"aws_secret_access_key = {profile.secret_access_key}",
    ]
    section = "default" if profile.name == "default" else f"profile {profile.name}"
    _change(files.config, {section: settings, f"services {profile.name}": endpoint})
    _change(files.credentials, {profile.name: secrets})


def find_key_id(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The access key id of a profile; the credentials file wins, as with the SDKs.

    Raises:
        ProfileError: a file cannot be read, or none of them says.
    """
    files = ProfileFiles.find(environ)
    section = "default" if name == "default" else f"profile {name}"
    for path, title in ((files.credentials, name), (files.config, section)):
        found = _read(path).get(title, "aws_access_key_id", fallback="")
        if found:
            return found
    raise ProfileError(f"the AWS profile {name} has no aws_access_key_id in {files.credentials} or {files.config}")


def _check_name(name: str) -> None:
    """Refuse what would end the heading of a section, and so break the file for every program that reads it."""
    if not name.strip() or not name.isprintable() or set(name) & set("[]"):
        raise ProfileError(f"{name!a} cannot be the name of an AWS profile: it must be printable, without brackets")


def _read(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, "utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ProfileError(f"cannot read the AWS profile from {path}: {str(error).splitlines()[0]}") from error
    return parser


def with_section(text: str, name: str, lines: list[str]) -> str:
    """The text of an INI file with one section replaced, or added at its end."""
    kept = text.splitlines(keepends=True)
    begin = next((i for i, line in enumerate(kept) if _section_of(line) == name), None)
    fresh = [f"[{name}]\n", *(f"{line}\n" for line in lines)]
    if begin is None:
        return "".join([text, "" if not text or text.endswith("\n") else "\n", "\n" if text.strip() else "", *fresh])
    end = next((i for i in range(begin + 1, len(kept)) if _section_of(kept[i]) is not None), len(kept))
    while end > begin + 1 and (not kept[end - 1].strip() or kept[end - 1].lstrip().startswith(("#", ";"))):
        end -= 1  # blank lines and remarks before the next section are its own
    return "".join([*kept[:begin], *fresh, *kept[end:]])


def _section_of(line: str) -> str | None:
    bare = line.strip()
    return " ".join(bare[1 : bare.index("]")].split()) if bare.startswith("[") and "]" in bare else None


def _change(path: Path, sections: dict[str, list[str]]) -> None:
    try:
        real = path.resolve()  # through a link, so that it stays one
        before = real.read_text("utf-8") if real.exists() else ""
        after = before
        for name, lines in sections.items():
            after = with_section(after, name, lines)
        if after != before:
            real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(real, after.encode())
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"cannot write the AWS profile to {path}: {error}") from error
