"""Root users may everything at home and nothing elsewhere."""

from __future__ import annotations

import pytest

from entrepot.auth.authorize import Authorizer, RequestFacts
from entrepot.domain.error import AccessDenied
from entrepot.domain.principal import Caller, root_of

CALLER = Caller(root_of("123456789012"), "AKIA")
FACTS = RequestFacts("127.0.0.1", is_secure=False, listener="http://127.0.0.1:5000")
MINE = "arn:aws:ecr:us-east-1:123456789012:repository/a:b"
FOREIGN = "arn:aws:ecr:us-east-1:210987654321:repository/a"


async def test_allowed() -> None:
    await Authorizer().check(CALLER, "ecr:PutImage", [MINE, "*"], FACTS)
    await Authorizer().check(CALLER, "sts:GetCallerIdentity", [], FACTS)


@pytest.mark.parametrize(
    "arn",
    [FOREIGN, "arn:aws:ecr:us-east-1::repository/a", "arn:aws:ecr:us-east-1:123456789012", "123456789012", ""],
)
async def test_denied(arn: str) -> None:
    with pytest.raises(AccessDenied) as denied:
        await Authorizer().check(CALLER, "ecr:PutImage", [MINE, arn], FACTS)

    assert (denied.value.action, denied.value.resource) == ("ecr:PutImage", arn)
    assert denied.value.principal_arn == "arn:aws:iam::123456789012:root"
