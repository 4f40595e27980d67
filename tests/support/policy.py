"""Policies for tests: the tables of decisions, people of two accounts, and documents made of few words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from entrepot.domain.policy import document
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.principal import ANONYMOUS, Subject, federated, root, service, session, user

HERE, ELSEWHERE = "111111111111", "222222222222"
REPOSITORIES = f"arn:aws:ecr:us-east-1:{HERE}:repository"
_TABLES = Path(__file__).parents[1] / "unit" / "domain" / "policy" / "decision"

SUBJECTS: dict[str, Subject] = {
    "ana": user(HERE, f"arn:aws:iam::{HERE}:user/ana", "AIDAANAANAANAANA"),
    "ci": session(
        HERE, f"arn:aws:sts::{HERE}:assumed-role/build/ci", f"arn:aws:iam::{HERE}:role/build", "AROABUILDBUILDBU"
    ),
    "root": root(HERE),
    "bob": user(ELSEWHERE, f"arn:aws:iam::{ELSEWHERE}:user/bob", "AIDABOBBOBBOBBOB"),
    "fox": user(ELSEWHERE, f"arn:aws:iam::{ELSEWHERE}:user/x/fox"),
    "cross": session(
        ELSEWHERE, f"arn:aws:sts::{ELSEWHERE}:assumed-role/pull/job", f"arn:aws:iam::{ELSEWHERE}:role/pull"
    ),
    "foreign": root(ELSEWHERE),
    "lambda": service("lambda.amazonaws.com"),
    "web": federated(f"arn:aws:iam::{HERE}:oidc-provider/token.example.com"),
    "nobody": ANONYMOUS,
}


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """The rows of a table: cells between bars; lines that begin with # are remarks."""
    for line in (_TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield tuple(cell.strip() for cell in line.split(" | "))


def text_of(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    """A document."""
    return json.dumps({"Version": version, "Statement": list(statements)}, ensure_ascii=False)


def policy_set(kind: document.Kind, *statements: dict[str, Any], version: str = "2012-10-17") -> PolicySet:
    """One policy, compiled, as a set."""
    return PolicySet([(kind.name, document.parse_policy(text_of(*statements, version=version), kind))])
