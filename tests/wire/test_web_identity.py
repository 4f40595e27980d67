"""AssumeRoleWithWebIdentity: a token of a trusted issuer becomes a session, and every attack that must fail does."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from entrepot.auth.failed_login import FailedLogins
from tests.support.aws import FORM, MODELS, AwsWorld, Reply, parse
from tests.support.registry import HOME, OTHER_ACCOUNT
from tests.support.signing import message
from tests.support.web_identity import AUDIENCE, ISSUER, TestIssuer, unsigned

ROLE = f"arn:aws:iam::{HOME.account_id}:role/deploy"
PROVIDER = f"arn:aws:iam::{HOME.account_id}:oidc-provider/{ISSUER}"
SUBJECT = "repo:rapidcart/backend:ref:refs/heads/main"


def trust(action: str | list[str] = "sts:AssumeRoleWithWebIdentity", **condition: Any) -> str:
    equals = {f"{ISSUER}:sub": SUBJECT, f"{ISSUER}:aud": AUDIENCE}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": action,
        "Condition": condition or {"StringEquals": equals},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass
class Federation:
    """An account that trusts an issuer, and a role that trusts a subject of it."""

    aws: AwsWorld
    issuer: TestIssuer

    def token(self, **parameters: Any) -> str:
        return self.issuer.token(self.aws.registry.clock.now(), **parameters)

    async def assume(self, token: str, **parameters: Any) -> Reply:
        """Call without a signature, as SDKs do."""
        given = {"RoleArn": ROLE, "RoleSessionName": "build-7", "WebIdentityToken": token} | parameters
        form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", **given}
        request = message("POST", "http://127.0.0.1:5000/", {"Content-Type": FORM}, urlencode(form).encode())
        model = MODELS["sts"].operation_model("AssumeRoleWithWebIdentity")
        return parse(model, await self.aws.gateway.handle(request), "query")


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer()


@pytest.fixture
async def federation(aws: AwsWorld, issuer: TestIssuer) -> Federation:
    iam = aws.client.iam
    await iam("CreateOpenIDConnectProvider", Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE])
    await aws.registry.services.iam_provider.set_keys(HOME.account_id, ISSUER, issuer.key_set().decode())
    assert (await iam("CreateRole", RoleName="deploy", AssumeRolePolicyDocument=trust())).status == 200
    allow = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    assert (await iam("PutRolePolicy", RoleName="deploy", PolicyName="all", PolicyDocument=document)).status == 200
    return Federation(aws, issuer)


async def test_a_token_becomes_a_session(federation: Federation) -> None:
    reply = await federation.assume(federation.token(), DurationSeconds="900")

    assert reply["SubjectFromWebIdentityToken"] == SUBJECT
    assert (reply["Audience"], reply["Provider"]) == (AUDIENCE, PROVIDER)
    assert reply["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{HOME.account_id}:assumed-role/deploy/build-7"
    keys = reply["Credentials"]
    holder = replace(
        federation.aws.client, key=(keys["AccessKeyId"], keys["SecretAccessKey"]), token=keys["SessionToken"]
    )
    assert (await holder.ecr("CreateRepository", repositoryName="app")).status == 200
    assert (await holder.sts("GetCallerIdentity"))["Arn"].endswith("/build-7")
    assert (await holder.iam("ListUsers")).status == 403


async def test_tokens_that_are_not_believed(federation: Federation) -> None:
    now = federation.aws.registry.clock.now()
    forged = TestIssuer().token(now)
    wrong = [
        (forged, "InvalidIdentityToken"),
        (unsigned(now), "InvalidIdentityToken"),
        (unsigned(now, "HS256", "AAAA"), "InvalidIdentityToken"),
        (federation.token(aud="somebody-else"), "InvalidIdentityToken"),
        (federation.token(iss="https://evil.example"), "InvalidIdentityToken"),
        (federation.token(iss="https://a\x00b"), "InvalidIdentityToken"),
        (federation.token(kid="three"), "InvalidIdentityToken"),
        (federation.token(exp=int((now - timedelta(minutes=2)).timestamp())), "ExpiredTokenException"),
        ("nonsense", "InvalidIdentityToken"),
    ]
    for token, code in wrong:
        reply = await federation.assume(token)
        assert (reply.status, reply.code) == (400, code), token


async def test_another_subject_is_not_trusted(federation: Federation) -> None:
    reply = await federation.assume(federation.token(sub="repo:evil/fork:ref:refs/heads/main"))

    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert reply.message == "Not authorized to perform sts:AssumeRoleWithWebIdentity"


async def test_roles_that_are_not_there_and_roles_that_do_not_trust_are_alike(federation: Federation) -> None:
    await federation.aws.client.iam(
        "CreateRole", RoleName="other", AssumeRolePolicyDocument=trust().replace(ISSUER, "b.example")
    )
    answers = [
        await federation.assume(federation.token(), RoleArn=f"{ROLE[:-6]}{name}") for name in ("other", "nobody")
    ]

    assert {(reply.status, reply.code, reply.message) for reply in answers} == {
        (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    }


async def test_a_provider_counts_in_its_account_only(federation: Federation) -> None:
    foreign = f"arn:aws:iam::{OTHER_ACCOUNT}:role/deploy"
    reply = await federation.assume(federation.token(), RoleArn=foreign)

    assert (reply.status, reply.code) == (400, "InvalidIdentityToken")
    assert reply.message == f"No OpenIDConnect provider found in your account for https://{ISSUER}"


async def test_a_provider_that_was_deleted_vouches_for_nobody(federation: Federation) -> None:
    await federation.aws.client.iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER)
    assert (await federation.assume(federation.token())).code == "InvalidIdentityToken"


async def test_an_issuer_that_is_away(federation: Federation) -> None:
    await federation.aws.registry.services.iam_provider.set_keys(HOME.account_id, ISSUER, None)
    reply = await federation.assume(federation.token())
    assert (reply.status, reply.code) == (400, "IDPCommunicationError")
    assert reply.message == (
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity "
        "documentation for requirements"
    ), "who sent the token learns nothing of the network"


async def test_tags_and_source_identity_of_the_token(federation: Federation) -> None:
    claims: dict[str, Any] = {
        "https://aws.amazon.com/tags": {"principal_tags": {"team": ["web"]}, "transitive_tag_keys": ["team"]},
        "https://aws.amazon.com/source_identity": "mia",
    }
    denied = await federation.assume(federation.token(**claims))
    assert (denied.status, denied.code) == (403, "AccessDenied")

    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
    await federation.aws.client.iam("UpdateAssumeRolePolicy", RoleName="deploy", PolicyDocument=trust(actions))
    reply = await federation.assume(federation.token(**claims))
    assert reply["SourceIdentity"] == "mia"


@pytest.mark.parametrize(
    "claims",
    [
        {"https://aws.amazon.com/tags": {"principal_tags": {"": ["web"]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["x" * 257]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {"aws:team": ["web"]}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {str(number): ["x"] for number in range(51)}}},
        {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["web"]}, "transitive_tag_keys": ["stage"]}},
        {"https://aws.amazon.com/source_identity": "m"},
        {"https://aws.amazon.com/source_identity": "mia and others"},
    ],
)
async def test_what_a_token_says_keeps_the_rules_of_requests(federation: Federation, claims: dict[str, Any]) -> None:
    actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
    await federation.aws.client.iam("UpdateAssumeRolePolicy", RoleName="deploy", PolicyDocument=trust(actions))
    reply = await federation.assume(federation.token(**claims))
    assert (reply.status, reply.code) in ((400, "ValidationError"), (400, "InvalidParameterValue"))


async def test_only_what_an_issuer_did_not_sign_counts_as_a_failed_login(federation: Federation) -> None:
    """A build that asks for the wrong audience must not shut out the others behind its address."""
    limit, clock = 5, federation.aws.registry.clock
    federation.aws.gateway._failed_logins = FailedLogins(limit, clock.now)
    for _ in range(limit):
        assert (await federation.assume(federation.token(aud="somebody-else"))).code == "InvalidIdentityToken"
    assert (await federation.assume(federation.token())).status == 200
    forged = TestIssuer().token(clock.now())
    for _ in range(limit):
        assert (await federation.assume(forged)).code == "InvalidIdentityToken"
    assert (await federation.assume(federation.token())).code == "Throttling"


async def test_it_lasts_no_longer_than_the_role_lets_it(federation: Federation) -> None:
    reply = await federation.assume(federation.token(), DurationSeconds="7200")
    assert (reply.status, reply.code) == (400, "ValidationError")


async def test_other_operations_still_need_a_signature(federation: Federation, aws: AwsWorld) -> None:
    for action in ("AssumeRole", "GetCallerIdentity", "GetSessionToken", "Nonsense", ""):
        form = urlencode({"Action": action, "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "ab"}).encode()
        request = message("POST", "http://127.0.0.1:5000/", {"Content-Type": FORM}, form)
        reply = parse(None, await aws.gateway.handle(request), "query")
        assert (reply.status, reply.code) == (403, "MissingAuthenticationToken")


async def test_a_signed_call_does_not_stand_for_a_token(federation: Federation, aws: AwsWorld) -> None:
    given = {"RoleArn": ROLE, "RoleSessionName": "build-7", "WebIdentityToken": federation.token()}
    reply = await aws.client.sts("AssumeRoleWithWebIdentity", **given)
    assert (reply.status, reply.code) == (403, "AccessDenied")


async def test_bad_input(federation: Federation) -> None:
    token = federation.token()
    for wrong in ({"RoleArn": "nonsense" * 3}, {"RoleSessionName": "a b"}, {"DurationSeconds": "1"}, {"Policy": "{"}):
        reply = await federation.assume(token, **wrong)
        assert reply.status == 400, wrong
        assert reply.code in {"ValidationError", "MalformedPolicyDocument"}
    large = await federation.assume("x" * 70_000)
    assert large.status in (400, 413)


def work_of(federation: Federation, reply: Reply) -> Any:
    """A client with the credentials that were given."""
    keys = reply["Credentials"]
    secret = keys["AccessKeyId"], keys["SecretAccessKey"]
    return replace(federation.aws.client, key=secret, token=keys["SessionToken"])


async def test_policies_know_in_the_session_who_was_vouched_for(federation: Federation) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "ecr:CreateRepository",
        "Resource": "*",
        "Condition": {"StringLike": {f"{ISSUER}:sub": "repo:rapidcart/backend:*"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    await federation.aws.client.iam("PutRolePolicy", RoleName="deploy", PolicyName="all", PolicyDocument=document)
    loose = trust(StringLike={f"{ISSUER}:sub": "repo:rapidcart/*"})
    await federation.aws.client.iam("UpdateAssumeRolePolicy", RoleName="deploy", PolicyDocument=loose)
    backend = work_of(federation, await federation.assume(federation.token()))
    other = federation.token(sub="repo:rapidcart/frontend:ref:refs/heads/main")
    frontend = work_of(federation, await federation.assume(other))

    assert (await backend.ecr("CreateRepository", repositoryName="app")).status == 200
    assert (await frontend.ecr("CreateRepository", repositoryName="other")).code == "AccessDeniedException"


async def believe(federation: Federation, issuer: str, document: str) -> None:
    """Trust the same keys under another name, and the role what the document says."""
    iam = federation.aws.client.iam
    await iam("CreateOpenIDConnectProvider", Url=f"https://{issuer}", ClientIDList=[AUDIENCE])
    await federation.aws.registry.services.iam_provider.set_keys(
        HOME.account_id, issuer, federation.issuer.key_set().decode()
    )
    await iam("UpdateAssumeRolePolicy", RoleName="deploy", PolicyDocument=document)


async def test_an_issuer_with_a_port(federation: Federation) -> None:
    issuer = "issuer.example.com:8443/ci"
    await believe(federation, issuer, trust().replace(ISSUER, issuer))

    assert (await federation.assume(federation.token(iss=f"https://{issuer}"))).status == 200
    denied = await federation.assume(federation.token(iss=f"https://{issuer}", sub="repo:evil/fork:main"))
    assert (denied.status, denied.code) == (403, "AccessDenied")


async def test_claims_of_github_decide_about_the_role_and_not_in_it(federation: Federation) -> None:
    github = "token.actions.githubusercontent.com"
    wanted = {f"{github}:repository": "rapidcart/backend", f"{github}:environment": "prod"}
    await believe(federation, github, trust(StringEquals=wanted).replace(ISSUER, github))

    async def assume(**claims: str) -> Reply:
        return await federation.assume(federation.token(iss=f"https://{github}", **claims))

    session = await assume(repository="rapidcart/backend", environment="prod")
    assert session.status == 200
    for claims in ({"repository": "rapidcart/backend"}, {"repository": "evil/fork", "environment": "prod"}):
        assert (await assume(**claims)).code == "AccessDenied"
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Null": {f"{github}:repository": "true"}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    await federation.aws.client.iam("PutRolePolicy", RoleName="deploy", PolicyName="more", PolicyDocument=document)
    worker = work_of(federation, session)
    assert (await worker.ecr("CreateRepository", repositoryName="app")).code == "AccessDeniedException"
