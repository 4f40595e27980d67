"""The forms of ids, secrets and tokens."""

from __future__ import annotations

import base64
import re

import pytest

from entrepot.domain.iam import EntityKind
from entrepot.service.context import Context
from entrepot.service.credential import (
    TEMPORARY_PREFIX,
    new_key_id,
    new_secret,
    new_session_token,
    new_unique_id,
)

CONTEXT = Context()


def test_key_ids_and_secrets() -> None:
    assert re.fullmatch("AKIA[A-Z2-7]{16}", new_key_id(CONTEXT))
    assert re.fullmatch("ASIA[A-Z2-7]{16}", new_key_id(CONTEXT, TEMPORARY_PREFIX))
    assert len(new_secret(CONTEXT)) == 40
    assert len(base64.b64decode(new_secret(CONTEXT))) == 30


@pytest.mark.parametrize("kind", EntityKind)
def test_unique_ids_begin_with_what_they_are_of(kind: EntityKind) -> None:
    assert re.fullmatch(f"{kind.id_prefix}[A-Z2-7]{{17}}", new_unique_id(CONTEXT, kind))


def test_tokens_are_as_long_as_is_asked_for_and_never_short() -> None:
    assert [len(new_session_token(CONTEXT, length)) for length in (0, 356, 357, 4096)] == [356, 356, 357, 4096]


def test_nothing_is_made_twice() -> None:
    for make in (new_key_id, new_secret, new_session_token, lambda context: new_unique_id(context, EntityKind.ROLE)):
        assert len({make(CONTEXT) for _ in range(100)}) == 100
