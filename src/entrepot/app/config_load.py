"""Settings are loaded here: names in every form, what is wrong said in the operator's words.

`docs/settings.md` is generated from `rows()`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from entrepot.app.config import ENV_PREFIX, Settings

TEST_PREFIX = f"{ENV_PREFIX}TEST_"
"""Variables of the project's own tests."""


_WORDS = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "byte_size": "must be a number of bytes, alone or with a unit as in 256MiB",
}
"""What is wrong, by pydantic's name of it, where pydantic's own sentence is for programmers."""


class SettingsError(Exception):
    """Settings cannot be used; one line per problem, each naming its setting."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One row of the table of settings."""

    name: str
    """Key in entrepot.toml."""
    env: str
    flag: str | None
    """None for secrets: flags show in the list of processes."""
    default: str
    meaning: str
    is_list: bool
    is_switch: bool

    @property
    def every_name(self) -> str:
        """`region (--region, ENTREPOT_REGION)`, for messages."""
        return f"{self.name} ({', '.join(name for name in (self.flag, self.env) if name)})"


def rows() -> list[SettingRow]:
    """The table of settings, in the order of the documentation."""
    return [_row(name) for name in Settings.model_fields]


def load(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read and check the settings; `flags` holds what the command line set, by name.

    Raises:
        SettingsError: one line per wrong, unknown or contradictory setting.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path = given.get("config") or os.environ.get(f"{ENV_PREFIX}CONFIG")
    if path and not Path(path).expanduser().is_file():
        raise SettingsError([f"{_row('config').every_name}: there is no file {path}"])
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError([_problem(dict(found)) for found in error.errors()]) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path}: not valid TOML: {error}"]) from error
    if path and "config" in tomllib.loads(Path(path).expanduser().read_text("utf-8")):
        raise SettingsError([f"{path}: config can not be set in the file that it names"])
    return settings


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """One warning for each `ENTREPOT_*` variable that no setting has, with the nearest name."""
    known = {row.env for row in rows()}
    named = (name for name in environ if name.startswith(ENV_PREFIX) and not name.startswith(TEST_PREFIX))
    strange = sorted(name for name in named if name not in known)
    return [f"{name} is not a setting and does nothing{_nearest(name, known)}" for name in strange]


def shown_secrets(flags: Mapping[str, Any]) -> list[str]:
    """One warning for each flag with a password in it: the list of processes shows it to everybody on the machine."""
    row = _row("database_url")
    has_password = re.match(r"[^:/]+://[^/@]*:[^/]*@|.*[?&]password=", str(flags.get(row.name) or ""))
    return [f"{row.flag} shows its password in the list of processes; set {row.env} instead"] if has_password else []


def _row(name: str) -> SettingRow:
    field = Settings.model_fields[name]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    is_secret = "SecretStr" in str(field.annotation)
    default = extra.get("default_text") or ("none" if field.default is None else f"`{_toml(field.default)}`")
    return SettingRow(
        name=name,
        env=ENV_PREFIX + name.upper(),
        flag=None if is_secret else "--" + name.replace("_", "-"),
        default=str(default),
        meaning=field.description or "",
        is_list="items" in extra,
        is_switch=field.annotation is bool,
    )


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(found: dict[str, Any]) -> str:
    """One validation error of pydantic as a line that names the setting."""
    place = [str(part) for part in found["loc"]]
    text = _WORDS.get(found["type"], str(found["msg"]).removeprefix("Value error, "))
    if not place:
        return re.sub("`([a-z0-9_]+)`", lambda name: _row(name[1]).every_name, text)
    if found["type"] == "extra_forbidden":
        return f"{place[0]} is not a setting{_nearest(place[0], Settings.model_fields)}"
    shown = "" if _is_secret(place[0]) else f" (it is {found['input']!r})"
    return f"{_row(place[0]).every_name}: {text[:1].lower()}{text[1:]}{shown}"


def _is_secret(name: str) -> bool:
    extra = Settings.model_fields[name].json_schema_extra
    return _row(name).flag is None or (isinstance(extra, dict) and bool(extra.get("secret")))


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
