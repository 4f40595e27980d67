"""Session records: sessions as JSON, the way they are kept beside a temporary key.

    {"issuedAt": 1764000000000000, "expiresAt": 1764003600000000, "name": "deploy", "policy": "{…}",
     "policyArns": ["arn:…"], "tags": {"team": "web"}, "transitiveTagKeys": ["team"], "sourceIdentity": "mia",
     "isChained": false, "vouched": {"issuer.example.com:sub": ["build-7"]}}

Times are microseconds UTC; members at their default are left out.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from entrepot.domain.principal import Session

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write_session(session: Session) -> str:
    """The JSON text of a session."""
    members: dict[str, Any] = {
        "issuedAt": (session.issued_at - _EPOCH) // _MICROSECOND,
        "expiresAt": (session.expires_at - _EPOCH) // _MICROSECOND,
        "name": session.name,
        "policy": session.policy,
        "policyArns": list(session.policy_arns),
        "tags": dict(session.tags),
        "transitiveTagKeys": list(session.transitive_tag_keys),
        "sourceIdentity": session.source_identity,
        "isChained": session.is_chained,
        "vouched": {key: list(values) for key, values in session.vouched.items()},
    }
    return json.dumps({name: value for name, value in members.items() if value}, ensure_ascii=False)


def read_session(text: str) -> Session:
    """The session of a text that `write_session` made."""
    members: dict[str, Any] = json.loads(text)
    return Session(
        issued_at=_EPOCH + timedelta(microseconds=members["issuedAt"]),
        expires_at=_EPOCH + timedelta(microseconds=members["expiresAt"]),
        name=members.get("name"),
        policy=members.get("policy"),
        policy_arns=tuple(members.get("policyArns", ())),
        tags=members.get("tags", {}),
        transitive_tag_keys=tuple(members.get("transitiveTagKeys", ())),
        source_identity=members.get("sourceIdentity"),
        is_chained=members.get("isChained", False),
        vouched={key: tuple(values) for key, values in members.get("vouched", {}).items()},
    )
