"""CPU time of decisions over 200 policies of 10 statements each: `python -m tests.bench.policy`.

Nothing but the engine runs, so what is measured is the processor's time of this process, the fastest of several rounds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from entrepot.domain.policy.document import Kind, parse_policy
from entrepot.domain.policy.evaluate import Policies, Request, evaluate
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.statement import Policy
from tests.support.policy import HERE, REPOSITORIES, SUBJECTS, policy_set, text_of

POLICIES, STATEMENTS = 200, 10
ROUNDS = 5
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]


def main() -> None:
    """Print one line for each case."""
    typical = [_policy(number, _team) for number in range(POLICIES)]
    worst = [_policy(number, _hard) for number in range(POLICIES)]
    text = text_of(*[_team(0, place) for place in range(STATEMENTS)])
    everybody = policy_set(Kind.IDENTITY, {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"})
    of_repository = policy_set(Kind.REPOSITORY, {"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": PULL})
    named = [(str(number), policy) for number, policy in enumerate(typical)]
    many = PolicySet(named)
    hard = PolicySet((str(number), policy) for number, policy in enumerate(worst))
    pull = f"{REPOSITORIES}/team-77/service-3/api"

    _report("read one policy of 10 statements", lambda: parse_policy(text, Kind.IDENTITY), 50)
    _report("join 200 policies", lambda: PolicySet(named), 5)
    _report("first question of an action", lambda: evaluate(_request(pull), Policies(PolicySet(named))), 5)
    _report("allowed by one of 2,000 statements", lambda: evaluate(_request(pull), Policies(many)), 5_000)
    _report("allowed by none", lambda: evaluate(_request(f"{REPOSITORIES}/x"), Policies(many)), 5_000)
    _report(
        "the same with boundary, session and repository policy",
        lambda: evaluate(_request(pull), Policies(many, everybody, everybody, of_repository)),
        5_000,
    )
    _report("2,000 statements that all apply to everything", lambda: evaluate(_request(pull), Policies(hard)), 20)


def _policy(number: int, statement: Callable[[int, int], dict[str, Any]]) -> Policy:
    document = {"Version": "2012-10-17", "Statement": [statement(number, place) for place in range(STATEMENTS)]}
    return parse_policy(json.dumps(document), Kind.IDENTITY)


def _team(number: int, place: int) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": PULL,
        "Resource": f"{REPOSITORIES}/team-{number}/service-{place}/*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
    }


def _hard(number: int, place: int) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "NotAction": "iam:*",
        "Resource": "arn:aws:ecr:*:*:repository/*/service-?/*",
        "Condition": {"StringLike": {"aws:username": "${aws:username}*"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    }


def _request(arn: str) -> Request:
    context = {"aws:requestedregion": ("us-east-1",), "aws:username": ("ana",), "aws:sourceip": ("10.1.2.3",)}
    return Request(SUBJECTS["ana"], "ecr:BatchGetImage", arn, HERE, context)


def _report(name: str, do: Callable[[], object], times: int) -> None:
    do()
    best = min(_seconds(do, times) for _ in range(ROUNDS))
    print(f"{name:55} {best * 1e6:10.2f} us")


def _seconds(do: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        do()
    return (time.process_time() - start) / times


if __name__ == "__main__":
    main()
