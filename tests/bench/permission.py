"""CPU time of a manifest GET by a user with 200 policies, and by a robot token, beside root's without any policy.

Run as `python -m tests.bench.permission`. All ask the same server for the same manifest, in rounds that take turns;
what the scheduler counted for the workers decides, not the clock. The user's policies have 10 statements each; half
have a condition on the address, which must be looked at in every request, as must the robot's.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from entrepot.domain.iam import Entity, EntityKind
from entrepot.store.metadata.iam_entity import find_entity
from entrepot.store.metadata.identity import raise_access_epoch
from tests.bench.contender import REPOSITORY, Entrepot
from tests.bench.cost import counted
from tests.bench.measure import Load, Scale, manifest_get, prepare
from tests.bench.policy import PULL
from tests.support.database import SqliteAddress
from tests.support.iam_rows import attach, document, put_policy
from tests.support.policy import text_of
from tests.support.robot import ROLE, trust
from tests.support.server import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY
from tests.support.two_workers import client_of
from tests.support.wire import basic

POLICIES, STATEMENTS = 200, 10
ROOT = {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}


def main() -> None:
    """Measure and print."""
    options = _options()
    work = Path(tempfile.mkdtemp(prefix="entrepot-bench-", dir=options.directory))
    load = Load(work / "unused", Scale(0, options.seconds, 0))
    root = Entrepot.start(work / "entrepot")
    try:
        prepare(root, load)
        askers = {"root, no policies": root, "user, 200 policies": _user(root), "robot token": _robot(root)}
        for asker in askers.values():
            manifest_get(asker, load)  # policies are compiled by whoever comes first
        costs: dict[str, list[float]] = {name: [] for name in askers}
        for _ in range(options.rounds):
            for name, asker in askers.items():
                costs[name].append(_microseconds(asker, load))
        _print(costs)
    finally:
        root.close()
        shutil.rmtree(work)


def _microseconds(asker: Entrepot, load: Load) -> float:
    with counted(asker) as cost:
        rate = manifest_get(asker, load)
    return cost.cpu_seconds / (rate * load.scale.seconds) * 1e6


def _print(costs: dict[str, list[float]]) -> None:
    for name, each in costs.items():
        print(f"{name:20} {min(each):8.2f} least {statistics.median(each):8.2f} median  CPU µs a GET")
    (_, root), *others = costs.items()
    for name, each in others:
        ratios = [one / of_root for of_root, one in zip(root, each, strict=True)]
        print(f"{name + ' / root':28} {statistics.median(ratios):8.3f} median of {len(ratios)} rounds")


def _user(root: Entrepot) -> Entrepot:
    """A user who may pull by one of many statements, logged in."""
    iam = client_of(root.server, "iam", ROOT)
    iam.create_user(UserName="ana")
    iam.put_user_policy(UserName="ana", PolicyName="log-in", PolicyDocument=document("ecr:GetAuthorizationToken"))
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    with SqliteAddress(root.server.data_dir / "metadata.sqlite").engine().begin() as connection:
        _attach_all(connection)
    ecr = client_of(root.server, "ecr", key)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return replace(root, headers={"Authorization": f"Basic {token}"})


def _robot(root: Entrepot) -> Entrepot:
    """A robot token with a scope of addresses, of a role with one policy."""
    iam, own = (client_of(root.server, service, ROOT) for service in ("iam", "entrepot"))
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    iam.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=document("ecr:*"))
    given = {"repositories": [REPOSITORY], "actions": ["PULL"], "addresses": ["127.0.0.0/8"]}
    made = own.create_robot_token(name="bench", roleArn=role, **given)
    return replace(root, headers={"Authorization": basic(made["password"])})


def _attach_all(connection: Connection) -> None:
    """More than IAM's quotas let a user have, so that they are written as rows."""
    user = find_entity(connection, ACCOUNT, EntityKind.USER, "ana")
    assert isinstance(user, Entity)
    for number in range(POLICIES):
        text = text_of(*[_statement(number, place) for place in range(STATEMENTS)])
        attach(connection, user, put_policy(connection, f"policy{number:03}", text))
    raise_access_epoch(connection, ACCOUNT)


def _statement(number: int, place: int) -> dict[str, Any]:
    """Only the very last names the repository that is pulled."""
    is_last = (number, place) == (POLICIES - 1, STATEMENTS - 1)
    name = REPOSITORY if is_last else f"team-{number}/service-{place}/*"
    by_address = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    by_region = {"StringEquals": {"aws:RequestedRegion": REGION}}
    return {
        "Effect": "Allow",
        "Action": PULL,
        "Resource": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}",
        "Condition": by_address if place % 2 else by_region,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2, help="of each load")
    parser.add_argument("--directory", help="where the data goes (default: the temporary directory)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
