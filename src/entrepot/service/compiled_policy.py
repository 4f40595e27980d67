"""Compiled policies: each text once, and sets of them as decisions take them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.saved import SavedPolicy, with_unique_ids
from entrepot.domain.policy.statement import Policy


@lru_cache(maxsize=4096)
def compile_policy(text: str, kind: Kind) -> Policy:
    """The same text means the same; an epoch that moves on leaves most texts as they were."""
    return parse_policy(text, kind)


def identity_set(texts: Iterable[tuple[str, str]]) -> PolicySet:
    """Identity policies by name and text, as one set."""
    return PolicySet((name, compile_policy(text, Kind.IDENTITY)) for name, text in texts)


def saved_set(name: str, saved: SavedPolicy, kind: Kind) -> PolicySet:
    """A saved policy that names its principals by unique id."""
    policy = with_unique_ids(compile_policy(saved.document, kind), saved.principals)
    return PolicySet([(name, policy)])
