"""A build pushes with the token of its CI system, as docs/ci.md says, and nobody else's token gets it anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.issuer_site import REQUEST_TOKEN, IssuerSite, issuer_site
from tests.support.page import shell_script
from tests.support.server import ACCOUNT, PROGRAM
from tests.support.world import HOST, OUTSIDE_ADDRESS, World, aws_program

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
MAIN = "repo:webshop/backend:ref:refs/heads/main"
DOCKER = "/usr/bin/docker"


@dataclass
class Ci:
    """A CI system and the world that it pushes to."""

    world: World
    site: IssuerSite

    def job(self, script: str, run: str = "7", **claims: str) -> subprocess.CompletedProcess[str]:
        """Run a script as a job whose token has these claims, with nobody's key and a home of its own."""
        home = self.world.scratch()
        (home / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        self.site.claims = claims
        environment = {
            "HOME": str(home),
            "PATH": f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "REGISTRY": HOST,
            "GITHUB_SHA": f"sha-{run}",
            "GITHUB_RUN_ID": run,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{GITHUB}/job-token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
            "CURL_CA_BUNDLE": str(self.site.ca),
        }
        keys = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE"
        return self.world.run("bash", "-c", f"{keys}\ncd {home}\n{script}", env=environment)

    def assume(self, token: str, role: str = "ci-backend") -> tuple[int, str]:
        """`aws sts assume-role-with-web-identity`: exit code, and what it printed."""
        named = ("--role-arn", f"arn:aws:iam::{ACCOUNT}:role/{role}", "--role-session-name", "attack")
        call = (aws_program(), "sts", "assume-role-with-web-identity", *named, "--web-identity-token", token)
        done = self.world.run(*call)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def ci(world: World) -> Iterator[Ci]:
    """The walk-through is done up to the job."""
    world.namespace.add_host(GITHUB, OUTSIDE_ADDRESS)
    listener = world.namespace.listen(OUTSIDE_ADDRESS, 443)
    with issuer_site(world.scratch(), listener, GITHUB) as site:
        opened = Ci(world, site)
        paths = f"{aws_program().parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        script = shell_script("ci.md", "Trust the issuer", "A role for the build")
        world.do("bash", "-c", f"cd {world.scratch()}\n{script}", env={"PATH": paths})
        assert opened.assume(opened.site.token(sub=MAIN))[0] != 0, "its certificate is signed by nobody known"
        data = ("--data-dir", world.directory / "data")
        world.do(PROGRAM, "admin", "oidc", "set-ca", *data, PROVIDER, opened.site.ca)
        yield opened


def test_a_job_pushes_as_the_page_says(ci: Ci) -> None:
    done = ci.job(shell_script("ci.md", "The job"), sub=MAIN)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/ci-backend/build-7" in done.stdout
    assert set(ci.world.digests("webshop/backend")) == {"sha-7"}
    again = ci.job(shell_script("ci.md", "The job"), "8", sub=MAIN)
    assert again.returncode == 0, again.stderr
    assert ci.site.asked.count("/keys") <= 2, "each worker asked once"


@pytest.mark.parametrize("subject", ["repo:webshop/backend:pull_request", "repo:evil/fork:ref:refs/heads/main"])
def test_another_branch_or_repository_gets_nothing(ci: Ci, subject: str) -> None:
    done = ci.job(shell_script("ci.md", "The job"), "66", sub=subject)

    assert done.returncode != 0
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stderr
    assert "sha-66" not in ci.world.digests("webshop/backend")


def test_the_role_pushes_to_its_repository_only(ci: Ci) -> None:
    ci.world.create("webshop/secret")
    elsewhere = shell_script("ci.md", "The job").replace("webshop/backend", "webshop/secret")
    done = ci.job(elsewhere, sub=MAIN)

    assert done.returncode != 0
    assert "is not authorized to perform: ecr:" in done.stdout + done.stderr
    assert ci.world.digests("webshop/secret") == {}


def test_the_credential_helper_takes_the_token_of_the_job(ci: Ci) -> None:
    lines = shell_script("ci.md", "The job").replace("docker push", "docker push --quiet").splitlines()
    helper = 'mkdir .docker; echo "{\\"credHelpers\\": {\\"$REGISTRY\\": \\"entrepot\\"}}" > .docker/config.json'
    script = "\n".join(helper if "get-login-password" in line else line for line in lines)
    done = ci.job(script, "9", sub=MAIN)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "sha-9" in ci.world.digests("webshop/backend")


def test_boto3_reads_the_same_variables(ci: Ci) -> None:
    lines = shell_script("ci.md", "The job").splitlines()
    ask = "import boto3; print(boto3.client('sts', region_name='us-east-1').get_caller_identity()['Arn'])"
    program = f'{sys.executable} -c "{ask}"'
    kept = [line for line in lines if not line.startswith(("docker", "aws"))]
    done = ci.job("\n".join([*kept, program]), sub=MAIN)

    assert done.stdout.strip().endswith("assumed-role/ci-backend/build-7"), done.stderr


def test_credentials_end_with_the_provider_and_the_role(ci: Ci) -> None:
    iam = (aws_program(), "iam")
    trust = ci.world.do(*iam, "get-role", "--role-name", "ci-backend", "--query", "Role.AssumeRolePolicyDocument")
    ci.world.do(*iam, "create-role", "--role-name", "short", "--assume-role-policy-document", trust)
    token = ci.site.token(sub=MAIN)
    code, printed = ci.assume(token, "short")
    assert code == 0, printed
    keys = json.loads(printed)["Credentials"]
    session = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    whoami = (aws_program(), "sts", "get-caller-identity")
    assert ci.world.run(*whoami, env=session).returncode == 0
    ci.world.do(*iam, "delete-role", "--role-name", "short")
    for _ in range(4):  # every worker
        refused = ci.world.run(*whoami, env=session)
        assert "InvalidClientTokenId" in refused.stderr, refused.stderr
        assert ci.assume(token, "short")[0] != 0
