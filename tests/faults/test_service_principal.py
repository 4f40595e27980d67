"""Service principals against those who hold a credential and want more: on every worker, both planes, both engines."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.command import json_of, run_command
from tests.support.iam_rows import document
from tests.support.registry_client import Answer, RegistryClient, exchange
from tests.support.server import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY, Server
from tests.support.signing import signed
from tests.support.two_workers import Credentials, client_of

ROOT = {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}
OTHER = "210987654321"
LAMBDA, CODEBUILD, ECS = "lambda.amazonaws.com", "codebuild.amazonaws.com", "ecs-tasks.amazonaws.com"
OWN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
FOREIGN = f"arn:aws:lambda:{REGION}:{OTHER}:function:"
READ = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
WANTED = {"repositoryName": "faults", "imageIds": [{"imageTag": "v1"}], "registryId": ACCOUNT}


def create(server: Server, name: str, *patterns: str) -> Credentials:
    """A credential of a service, as boto3 names its parts."""
    words = [word for pattern in patterns for word in ("--source-arn", pattern)]
    made = json_of(run_command(server, "admin", "service-principal", "create", name, *words, "--json"))
    return {"AccessKeyId": made["accessKeyId"], "SecretAccessKey": made["secretAccessKey"]}


def delete(server: Server, key: Credentials) -> None:
    json_of(run_command(server, "admin", "service-principal", "delete", key["AccessKeyId"], "--json"))


def asking_for(client: Any, arn: str | None, account: str | None = None) -> Any:
    """A client of boto3 whose requests name a source, as services of a platform do."""
    headers = {"x-amz-source-arn": arn, "x-amz-source-account": account}

    def name(request: Any, **_: Any) -> None:
        for header, value in headers.items():
            if value is not None:
                request.headers[header] = value

    client.meta.events.register("before-sign.*.*", name)
    return client


def code_of(call: Any, **parameters: Any) -> str:
    """`open`, or the code of the error."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "open"


def allow(ecr: Any, service: str, **condition: Any) -> None:
    """Let a service read the repository, under a condition."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": READ, "Condition": condition}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    ecr.set_repository_policy(repositoryName="faults", policyText=text, force=True)


@pytest.fixture
def pushed(client: RegistryClient) -> RegistryClient:
    """With an image, which Lambda may pull for functions of the account that owns it."""
    client.push_image("faults", "v1", [b"layer"])
    allow(client.ecr, LAMBDA, ArnLike={"aws:SourceArn": f"{OWN}*"}, StringEquals={"aws:SourceAccount": ACCOUNT})
    return client


class Worker:
    """Requests to one worker, on a connection that stays open."""

    def __init__(self, url: str, connection: http.client.HTTPConnection) -> None:
        self._url, self._connection = url, connection

    def signed(self, key: Credentials, source: Mapping[str, str], unsigned: Mapping[str, str] = {}) -> Answer:
        """BatchGetImage with some headers that are signed and some that are not."""
        target = "AmazonEC2ContainerRegistry_V20150921.BatchGetImage"
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target, **source}
        body = json.dumps(WANTED).encode()
        pair = key["AccessKeyId"], key["SecretAccessKey"]
        request = signed("POST", f"{self._url}/", datetime.now(UTC), headers, body, key=pair)
        return exchange(self._connection, "POST", "/", body, {**request.headers, **unsigned})

    def pull(self, authorization: str, headers: Mapping[str, str] = {}) -> int:
        """The status of a manifest's GET."""
        path, sent = "/v2/faults/manifests/v1", {"Authorization": f"Basic {authorization}", **headers}
        return exchange(self._connection, "GET", path, None, sent).status


@pytest.fixture
def workers(pushed: RegistryClient) -> Iterator[list[Worker]]:
    with contextlib.ExitStack() as stack:
        connections = [pushed.connect(pid) for pid in pushed.server.worker_pids()]
        for one in connections:
            stack.callback(one.close)
        yield [Worker(pushed.server.url, one) for one in connections]


def test_one_pulls_for_its_own_sources_and_no_other(pushed: RegistryClient, workers: list[Worker]) -> None:
    key = create(pushed.server, LAMBDA, f"arn:aws:lambda:{REGION}:*:function:*")
    for worker in workers * 2:  # what a worker remembers of one source is not said of another
        assert worker.signed(key, {"x-amz-source-arn": f"{OWN}a"}).status == 200
        assert b"AccessDenied" in worker.signed(key, {"x-amz-source-arn": f"{FOREIGN}a"}).body
        assert worker.signed(key, {"x-amz-source-arn": f"{OWN}b", "x-amz-source-account": ACCOUNT}).status == 200
    tokens = {}
    for source in (OWN, FOREIGN):
        ecr = asking_for(client_of(pushed.server, "ecr", key), f"{source}a")
        answer = ecr.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"][0]
        tokens[source] = answer["authorizationToken"]
    for worker in workers * 2:
        assert worker.pull(tokens[OWN]) == 200
        assert worker.pull(tokens[FOREIGN]) == 403
        assert worker.pull(tokens[FOREIGN], {"x-amz-source-arn": f"{OWN}a", "x-amz-source-account": ACCOUNT}) == 403


FORGED: tuple[tuple[str | None, str | None], ...] = (
    (f"{OWN}a", None),
    (f"{OWN}a", ACCOUNT),
    (f"{FOREIGN}a", ACCOUNT),
    (None, None),
    (None, ACCOUNT),
    ("", None),
    (f"{OWN}*", None),
    (f"{FOREIGN}?*", None),
    ("*", None),
    (f"arn:aws:lambda:{REGION}:{ACCOUNT}:{OTHER}:function:a", None),
    (f"arn:aws:lambda:{REGION}:{OTHER}:x:{OWN}a", ACCOUNT),
    (f"arn:aws:lambda:{REGION}:{OTHER}:function:\u00e4", None),
    (f"{FOREIGN}{'a' * 2048}", None),
    (f"{FOREIGN}{'a' * 6000}", None),
)
"""Source ARNs and accounts that a credential for another account's functions does not vouch for."""


def test_forged_sources(pushed: RegistryClient) -> None:
    """Who holds a credential for another account's functions says that he asks for ours."""
    key = create(pushed.server, LAMBDA, f"{FOREIGN}*")
    for arn, account in FORGED:
        ecr, sts = (asking_for(client_of(pushed.server, name, key), arn, account) for name in ("ecr", "sts"))
        codes = {
            code_of(ecr.batch_get_image, **WANTED),
            code_of(ecr.get_authorization_token),
            code_of(sts.get_caller_identity),
        }
        assert codes == {"AccessDeniedException", "AccessDenied"}, (arn, account)


def test_a_source_must_be_signed(pushed: RegistryClient, workers: list[Worker]) -> None:
    every = create(pushed.server, LAMBDA, f"arn:aws:lambda:{REGION}:*:function:*")
    one = create(pushed.server, LAMBDA, f"{FOREIGN}a")
    header = {"x-amz-source-arn": f"{OWN}a"}
    for worker in workers:
        assert b"InvalidSignature" in worker.signed(every, {}, header).body
        assert b"InvalidSignature" in worker.signed(every, {"x-amz-source-arn": f"{FOREIGN}a"}, header).body
        assert b"InvalidSignature" in worker.signed(one, {}, {"x-amz-source-account": ACCOUNT}).body
        # Signed, but one of two: nobody can say which of them counts.
        assert worker.signed(every, {"x-amz-source-arn": f"{FOREIGN}a,{OWN}a"}).status == 400


def test_a_users_header_says_nothing(pushed: RegistryClient, workers: list[Worker]) -> None:
    """A header that users sign sets no condition key, not even for a policy that lets everybody in with it."""
    iam = client_of(pushed.server, "iam", ROOT)
    iam.create_user(UserName="ana")
    ana = iam.create_access_key(UserName="ana")["AccessKey"]
    forged = {"x-amz-source-arn": f"{OWN}a", "x-amz-source-account": ACCOUNT}
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": READ,
        "Condition": {"ArnLike": {"aws:SourceArn": f"{OWN}*"}},
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    pushed.ecr.set_repository_policy(repositoryName="faults", policyText=text)
    key = create(pushed.server, LAMBDA, f"{OWN}*")
    for worker in workers:
        assert b"AccessDenied" in worker.signed(ana, forged).body
        assert worker.signed(key, forged).status == 200
        assert worker.signed(ROOT, {"x-amz-source-arn": "nonsense"}).status == 200


def test_revoked_at_once(pushed: RegistryClient, workers: list[Worker]) -> None:
    key, kept = (create(pushed.server, LAMBDA, f"{OWN}a") for _ in range(2))
    token, other = (
        client_of(pushed.server, "ecr", one).get_authorization_token()["authorizationData"][0]["authorizationToken"]
        for one in (key, kept)
    )
    for worker in workers * 2:
        assert (worker.pull(token), worker.signed(key, {}).status) == (200, 200)
    delete(pushed.server, key)
    for worker in workers:
        assert worker.pull(token) == 401
        assert b"UnrecognizedClient" in worker.signed(key, {}).body
        assert (worker.pull(other), worker.signed(kept, {}).status) == (200, 200)


def test_codebuild_by_account(pushed: RegistryClient, workers: list[Worker]) -> None:
    """As AWS's page for CodeBuild has it: the project by ARN, the account beside it; docker's side of it."""
    project = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/web"
    condition = {"aws:SourceArn": project, "aws:SourceAccount": ACCOUNT}
    allow(pushed.ecr, CODEBUILD, StringEquals=condition)
    key = create(pushed.server, CODEBUILD, f"arn:aws:codebuild:{REGION}:*:project/*")
    for source, status in ((project, 200), (f"{project}2", 403), (project.replace(ACCOUNT, OTHER), 403)):
        ecr = asking_for(client_of(pushed.server, "ecr", key), source)
        data = ecr.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"][0]
        assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
        assert {worker.pull(data["authorizationToken"]) for worker in workers} == {status}, source


def test_roles_that_trust_a_service(pushed: RegistryClient) -> None:
    iam, server = client_of(pushed.server, "iam", ROOT), pushed.server
    json_of(run_command(server, "admin", "account", "create", OTHER, "--json"))
    shown = json_of(run_command(server, "admin", "account", "root-key", OTHER, "--show", "--json"))
    foreign = {"AccessKeyId": shown["accessKeyId"], "SecretAccessKey": shown["secretAccessKey"]}
    trusting = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": ECS}, "Action": "sts:AssumeRole"}],
    }
    tasks = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/main/*"
    limited = json.loads(json.dumps(trusting))
    limited["Statement"][0]["Condition"] = {
        "ArnLike": {"aws:SourceArn": tasks},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    iam.create_role(RoleName="execution", AssumeRolePolicyDocument=json.dumps(limited))
    iam.put_role_policy(RoleName="execution", PolicyName="pull", PolicyDocument=document("ecr:*"))
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(trusting).replace(ECS, LAMBDA))
    theirs = client_of(server, "iam", foreign)
    theirs.create_role(RoleName="execution", AssumeRolePolicyDocument=json.dumps(trusting))
    key = create(server, ECS, f"arn:aws:ecs:{REGION}:*:task/*")

    def assume(source: str, role: str = "execution", account: str = ACCOUNT) -> Any:
        sts = asking_for(client_of(server, "sts", key), source)
        return lambda: sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="task")

    task = tasks.replace("*", "0123")
    answer = assume(task)()
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/execution/task"
    assert client_of(server, "ecr", answer["Credentials"]).batch_get_image(**WANTED)["images"]
    assert code_of(assume(task.replace("main", "other"))) == "AccessDenied"
    assert code_of(assume(task.replace(ACCOUNT, OTHER))) == "AccessDenied"
    assert code_of(assume(task, "mine")) == "AccessDenied"
    assert code_of(assume(task, "missing")) == "AccessDenied"
    # Its trust policy names no source, but nobody can pass a role to a service across accounts.
    assert code_of(assume(task, account=OTHER)) == "AccessDenied"
    assert code_of(assume(task.replace(ACCOUNT, OTHER), account=OTHER)) == "open"


def test_what_no_service_may_do(pushed: RegistryClient) -> None:
    key = create(pushed.server, LAMBDA, f"{OWN}a")
    role = f"arn:aws:iam::{ACCOUNT}:role/x"
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("iam", "list_users", {}),
        ("iam", "get_user", {}),
        ("iam", "create_user", {"UserName": "x"}),
        ("iam", "create_access_key", {}),
        ("iam", "get_policy", {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        ("iam", "list_account_aliases", {}),
        ("sts", "get_session_token", {}),
        ("sts", "get_access_key_info", {"AccessKeyId": ACCESS_KEY_ID}),
        ("sts", "assume_role", {"RoleArn": role, "RoleSessionName": "me"}),
        ("ecr", "describe_repositories", {}),
        ("ecr", "describe_repositories", {"repositoryNames": ["faults"]}),
        ("ecr", "create_repository", {"repositoryName": "mine"}),
        ("ecr", "get_registry_policy", {}),
        ("ecr", "delete_repository_policy", {"repositoryName": "faults"}),
        ("ecr", "put_account_setting", {"name": "REGISTRY_POLICY_SCOPE", "value": "V1"}),
        ("ecr", "initiate_layer_upload", {"repositoryName": "faults"}),
        ("kms", "generate_random", {"NumberOfBytes": 8}),
    ]
    for service, name, parameters in calls:
        call = getattr(client_of(pushed.server, service, key), name)
        assert code_of(call, **parameters).startswith("AccessDenied"), f"{service} {name}"
    identity = client_of(pushed.server, "sts", key).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (LAMBDA, key["AccessKeyId"], "aws")
    assert code_of(client_of(pushed.server, "sts", ROOT).get_access_key_info, AccessKeyId=key["AccessKeyId"]) != "open"
