"""`entrepot admin whoami`: whose an access key is, and what decides what it may do. No secret is shown or opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import say, say_json
from entrepot.app.cli.work import work_of
from entrepot.app.config import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from entrepot.app.whoami import Identity
    from entrepot.domain.principal import Session

SETTINGS = ("config", "data_dir", "database_url", "aws_policies")

_WIDTH = 14
"""Characters of the names of the lines."""
_KINDS = {"Account": "root", "User": "user", "AssumedRole": "session of a role", "AWSService": "service"}

ProfileName = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="AWS profile that has the key.")]
KeyId = Annotated[str | None, typer.Option("--access-key-id", metavar="ID", help="The key.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@with_settings(SETTINGS)
def whoami(settings: Settings, profile: ProfileName = None, access_key_id: KeyId = None, json: Json = False) -> None:
    """Say whose an access key is, and which policies count for it.

    By default the key of AWS_ACCESS_KEY_ID, else of the profile in AWS_PROFILE, else of the profile that the server
    writes.
    """
    with work_of("whoami") as work:
        found: Identity = work.whoami(settings, work.find_key(settings, profile, access_key_id))
    if json:
        say_json(_to_json(found))
        return
    for name, text in _to_lines(found):
        say(f"{name.ljust(_WIDTH)}{text}")


def _to_lines(found: Identity) -> Iterator[tuple[str, str]]:
    yield "access key", f"{found.key.id} (from {found.key.source})"
    yield "state", _state(found)
    if found.source_arns:
        yield from _service_lines(found)
        return
    yield "account", f"{found.account.id} ({found.account.name})"
    yield "kind", _kind(found)
    yield "arn", found.principal.arn
    yield "unique id", found.principal.unique_id
    if found.session is not None:
        yield from _session_lines(found.session)
    if _kind(found) == "root":
        yield "policies", "root needs none in its own account"
        return
    yield "groups", _joined(found.groups)
    yield "policies", _joined(name for name, _ in found.standing.identity)
    yield "boundary", found.standing.boundary[0] if found.standing.boundary else "none"
    yield "tags", _joined(f"{key}={value}" for key, value in found.standing.tags.items())


def _service_lines(found: Identity) -> Iterator[tuple[str, str]]:
    yield "kind", _kind(found)
    yield "name", found.principal.arn
    yield from (("source", source) for source in found.source_arns)
    yield "policies", "those of repositories, roles and keys that name it"


def _session_lines(session: Session) -> Iterator[tuple[str, str]]:
    name = session.name or "of GetSessionToken"
    yield "session", f"{name}, from {_time(session.issued_at)} to {_time(session.expires_at)}"
    inline = ["one of its own"] if session.policy is not None else []
    yield "limited by", _joined([*session.policy_arns, *inline])
    yield "session tags", _joined(f"{key}={value}" for key, value in session.tags.items())
    yield "source", session.source_identity or "none"


def _kind(found: Identity) -> str:
    """What the principal is, in a word."""
    return _KINDS[found.principal.kind.value]


def _state(found: Identity) -> str:
    if not found.is_active:
        return "inactive"
    return "its session has ended" if found.is_over else "active"


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(texts) or "none"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _to_json(found: Identity) -> dict[str, Any]:
    return {
        "accessKeyId": found.key.id,
        "from": found.key.source,
        "active": found.is_active and not found.is_over,
        "account": {"id": found.account.id, "name": found.account.name},
        "kind": found.principal.kind.value,
        "arn": found.principal.arn,
        "identityArn": found.principal.identity_arn or None,
        "uniqueId": found.principal.unique_id,
        "session": _session_json(found.session) if found.session else None,
        "groups": list(found.groups),
        "policies": [name for name, _ in found.standing.identity],
        "boundary": found.standing.boundary[0] if found.standing.boundary else None,
        "tags": dict(found.standing.tags),
        "sourceArns": list(found.source_arns),
    }


def _session_json(session: Session) -> dict[str, Any]:
    return {
        "name": session.name,
        "issuedAt": _time(session.issued_at),
        "expiresAt": _time(session.expires_at),
        "policyArns": list(session.policy_arns),
        "hasPolicy": session.policy is not None,
        "tags": dict(session.tags),
        "sourceIdentity": session.source_identity,
    }
