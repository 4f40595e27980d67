"""Explanations: a table of situations and the words for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from entrepot.domain.policy.document import Kind
from entrepot.domain.policy.evaluate import Case, Policies, RegistryScope, Request, evaluate
from entrepot.domain.policy.explanation import explain
from entrepot.domain.policy.index import PolicySet
from entrepot.domain.policy.miss import misses
from entrepot.domain.policy.principal import Grant
from entrepot.domain.policy.template import Context
from tests.support.policy import ELSEWHERE, HERE, REPOSITORIES, SUBJECTS, policy_set

APP = f"{REPOSITORIES}/team/app"
ROLE = f"arn:aws:iam::{HERE}:role/deploy"
KEY = f"arn:aws:kms:us-east-1:{HERE}:key/1234"
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
SILENT = {"Effect": "Allow", "Action": "ecr:ListImages", "Resource": "*"}


def own(*statements: dict[str, Any]) -> PolicySet:
    return policy_set(Kind.IDENTITY, *statements)


def of_resource(principal: Any = "*", effect: str = "Allow", kind: Kind = Kind.REPOSITORY, **more: Any) -> PolicySet:
    action = "sts:AssumeRole" if kind is Kind.TRUST else "*"
    return policy_set(kind, {"Effect": effect, "Principal": principal, "Action": action, **more})


def everywhere(effect: str = "Allow", kind: Kind = Kind.REGISTRY) -> PolicySet:
    return of_resource("*", effect, kind, Resource="*")


@dataclass(frozen=True)
class Situation:
    """Who asks what of which policies, and what is said first and then."""

    who: str
    policies: Policies
    says: str
    lines: tuple[str, ...]
    """Each stands in one of the further lines."""
    action: str = "ecr:PutImage"
    resource: str = APP
    context: Context = field(default_factory=dict)
    grant: Grant = Grant.NONE

    def case(self) -> Case:
        request = Request(SUBJECTS[self.who], self.action, self.resource, HERE, self.context, self.grant)
        return Case(request, self.policies, evaluate(request, self.policies))


NO_ALLOW = "Denied: no policy says Deny, but "
SAYS_DENY = "Denied: a policy says Deny, which no Allow outweighs."
ANA, BUILD, CI = (
    f"arn:aws:iam::{HERE}:user/ana",
    f"arn:aws:iam::{HERE}:role/build",
    f"arn:aws:sts::{HERE}:assumed-role/build/ci",
)

EXPLICIT = {
    "identity": Situation(
        "ana",
        Policies(own(ALLOW, DENY | {"Sid": "No"})),
        SAYS_DENY,
        ('denied by identity-based policy IDENTITY, Statement[1] "No"', "applies too: identity-based policy IDENTITY"),
    ),
    "resource": Situation(
        "ana",
        Policies(own(ALLOW), resource=of_resource("*", "Deny")),
        SAYS_DENY,
        ("denied by resource-based policy REPOSITORY, Statement[0]", "IDENTITY, Statement[0], which allows it"),
    ),
    "registry": Situation(
        "ana", Policies(own(ALLOW), registry=everywhere("Deny")), SAYS_DENY, ("denied by registry policy REGISTRY",)
    ),
    "boundary": Situation(
        "ana", Policies(own(ALLOW), boundary=own(DENY)), SAYS_DENY, ("denied by permissions boundary IDENTITY",)
    ),
    "session": Situation(
        "ci", Policies(own(ALLOW), session=own(DENY)), SAYS_DENY, ("denied by session policy IDENTITY",)
    ),
    "endpoint": Situation(
        "ana",
        Policies(own(ALLOW), endpoint=everywhere("Deny", Kind.ENDPOINT)),
        SAYS_DENY,
        ("denied by VPC endpoint policy ENDPOINT",),
    ),
    "service control": Situation(
        "ana",
        Policies(own(ALLOW), service_control=(own(ALLOW, DENY),)),
        SAYS_DENY,
        ("denied by service control policy IDENTITY, Statement[1]",),
    ),
    "two Denies": Situation(
        "ana",
        Policies(own(DENY), boundary=own(DENY)),
        SAYS_DENY,
        ("denied by identity-based policy", "denied by permissions boundary"),
    ),
    "root": Situation(
        "root", Policies(resource=of_resource("*", "Deny")), SAYS_DENY, ("denied by resource-based policy",)
    ),
}

IMPLICIT = {
    "nothing at all": Situation(
        "ana",
        Policies(),
        f"{NO_ALLOW}no identity-based policy of the caller allows it, and nothing on the resource's side does.",
        ("looked at identity-based policies (no statements)",),
    ),
    "identity": Situation(
        "ana",
        Policies(own(SILENT), boundary=own(ALLOW), resource=of_resource({"AWS": ELSEWHERE})),
        f"{NO_ALLOW}no identity-based policy of the caller allows it, and nothing on the resource's side does.",
        (
            "looked at identity-based policies (1 statement), the permissions boundary (1 statement), the resource's",
            "applies too: permissions boundary IDENTITY, Statement[0], which allows it",
            "would allow it: resource-based policy REPOSITORY, Statement[0], but it means other principals",
        ),
    ),
    "the resource delegates": Situation(
        "ana",
        Policies(resource=of_resource({"AWS": HERE})),
        f"{NO_ALLOW}what the resource's side says is not enough without an identity-based policy, and none allows it.",
        ("which allows it to the account: identity-based policies of the account decide",),
    ),
    "a role's boundary": Situation(
        "ci",
        Policies(boundary=own(SILENT), resource=of_resource({"AWS": BUILD})),
        f"{NO_ALLOW}what the resource's side says is not enough without an identity-based policy, and none allows it.",
        ("which allows it to the role: within its boundary and the session policies",),
    ),
    "resource of another account": Situation(
        "bob",
        Policies(own(ALLOW)),
        f"{NO_ALLOW}the resource belongs to account {HERE}, which must allow it by a policy on its side, and does not.",
        ("applies too: identity-based policy IDENTITY, Statement[0], which allows it",),
    ),
    "identity in another account": Situation(
        "bob",
        Policies(own(SILENT), resource=of_resource()),
        f"{NO_ALLOW}of two accounts both must allow it: {HERE} does, and no identity-based policy of the caller does.",
        ("applies too: resource-based policy REPOSITORY, Statement[0], which allows it",),
    ),
    "root of another account": Situation(
        "foreign",
        Policies(),
        f"{NO_ALLOW}the resource belongs to account {HERE}, which must allow it by a policy on its side, and does not.",
        (),
    ),
    "trust policy": Situation(
        "ana",
        Policies(own(ALLOW), resource=of_resource({"AWS": ELSEWHERE}, kind=Kind.TRUST)),
        f"{NO_ALLOW}the resource's own policy must allow it in any case, and does not.",
        ("would allow it: resource-based policy TRUST, Statement[0], but it means other principals",),
        "sts:AssumeRole",
        ROLE,
    ),
    "key policy": Situation(
        "ana",
        Policies(own(ALLOW), resource=PolicySet()),
        f"{NO_ALLOW}the resource's own policy must allow it in any case, and does not.",
        (),
        "kms:Decrypt",
        KEY,
    ),
    "a service": Situation(
        "lambda", Policies(), f"{NO_ALLOW}the resource's policy must allow it, and does not.", ("looked at",)
    ),
    "boundary": Situation(
        "ana",
        Policies(own(ALLOW), boundary=own(SILENT)),
        f"{NO_ALLOW}the permissions boundary must allow it too, and does not.",
        ("applies too: identity-based policy IDENTITY, Statement[0], which allows it",),
    ),
    "session": Situation(
        "ci",
        Policies(own(ALLOW), session=own(SILENT)),
        f"{NO_ALLOW}the session policies must allow it too, and do not.",
        ("session policies (1 statement)",),
    ),
    "endpoint": Situation(
        "ana",
        Policies(own(ALLOW), endpoint=PolicySet()),
        f"{NO_ALLOW}the VPC endpoint policy must allow it too, and does not.",
        ("the VPC endpoint policy (no statements)",),
    ),
    "service control": Situation(
        "ana",
        Policies(own(ALLOW), service_control=(own(ALLOW), own(SILENT))),
        f"{NO_ALLOW}the service control policies must allow it too, at each level, and do not.",
        ("service control policies (2 statements)",),
    ),
    "registry policy out of scope": Situation(
        "bob",
        Policies(own(ALLOW), registry=everywhere(), registry_scope=RegistryScope.V1),
        f"{NO_ALLOW}the resource belongs to account {HERE}, which must allow it by a policy on its side, and does not.",
        ("the registry policy, scope V1 (1 statement)",),
    ),
}

NOT_DENIED = ", and no policy says Deny."
ALLOWED = {
    "the caller's side": Situation(
        "ana",
        Policies(own(ALLOW | {"Sid": "All"})),
        f"Allowed: an identity-based policy of the caller allows it{NOT_DENIED}",
        ('allowed by identity-based policy IDENTITY, Statement[0] "All"',),
    ),
    "within boundary and session": Situation(
        "ci",
        Policies(own(ALLOW), boundary=own(ALLOW), session=own(ALLOW)),
        f"Allowed: an identity-based policy of the caller allows it{NOT_DENIED}",
        ("allowed by identity-based policy", "within permissions boundary", "within session policy IDENTITY"),
    ),
    "the resource's side": Situation(
        "ana",
        Policies(own(SILENT), resource=of_resource({"AWS": ANA})),
        f"Allowed: the resource's side allows it, which is enough here{NOT_DENIED}",
        ("allowed by resource-based policy REPOSITORY, Statement[0]",),
    ),
    "the registry's policy": Situation(
        "ana",
        Policies(registry=everywhere()),
        f"Allowed: the resource's side allows it, which is enough here{NOT_DENIED}",
        ("allowed by registry policy REGISTRY, Statement[0]",),
    ),
    "either side": Situation(
        "ana",
        Policies(own(ALLOW), resource=of_resource()),
        f"Allowed: the resource's side allows it, which is enough here{NOT_DENIED}",
        ("applies too: identity-based policy IDENTITY, Statement[0], which allows it",),
    ),
    "both sides of two accounts": Situation(
        "bob",
        Policies(own(ALLOW), resource=of_resource({"AWS": ELSEWHERE})),
        f"Allowed: both sides allow it, the caller's and the resource's{NOT_DENIED}",
        ("allowed by resource-based policy", "allowed by identity-based policy"),
    ),
    "root": Situation("root", Policies(), f"Allowed: root needs no policy in its own account{NOT_DENIED}", ()),
    "root under service control": Situation(
        "root",
        Policies(service_control=(own(ALLOW),)),
        f"Allowed: root needs no policy in its own account{NOT_DENIED}",
        ("within service control policy",),
    ),
    "root of another account": Situation(
        "foreign",
        Policies(resource=of_resource({"AWS": ELSEWHERE})),
        f"Allowed: the resource's side allows it, which is enough here{NOT_DENIED}",
        ("allowed by resource-based policy",),
    ),
    "a trust policy": Situation(
        "ci",
        Policies(resource=of_resource({"AWS": CI}, kind=Kind.TRUST)),
        f"Allowed: the resource's side allows it, which is enough here{NOT_DENIED}",
        ("allowed by resource-based policy TRUST",),
        "sts:AssumeRole",
        ROLE,
    ),
    "a KMS grant": Situation(
        "ana",
        Policies(resource=PolicySet()),
        f"Allowed: a grant of the key allows it{NOT_DENIED}",
        (),
        "kms:Decrypt",
        KEY,
        grant=Grant.DIRECT,
    ),
}


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(situation, id=f"{name}: {key}")
        for name, table in (("explicit", EXPLICIT), ("implicit", IMPLICIT), ("allowed", ALLOWED))
        for key, situation in table.items()
    ],
)
def test_words(situation: Situation) -> None:
    case = situation.case()
    said, *more = explain(case, misses(case))
    assert said == situation.says
    for line in situation.lines:
        assert any(line in one for one in more), more
    assert len(more) == len(set(more))
