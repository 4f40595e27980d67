"""Somebody who asks every worker of a server the same on both planes, over connections that stay open."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import boto3
import botocore.session

from entrepot.transport.aws.model import OWN_DATA
from tests.support.iam_rows import document
from tests.support.registry_client import Answer, RegistryClient, exchange
from tests.support.server import REGION, Server
from tests.support.signing import signed

Credentials = Mapping[str, str]
"""As AWS's answers name them: AccessKeyId, SecretAccessKey, and SessionToken of temporary ones."""

LOG_IN = document("ecr:GetAuthorizationToken")
"""A policy that lets log in, and nothing else."""

_WORDS = {
    "AccessDenied": "denied",
    "UnrecognizedClient": "revoked",
    "DisabledException": "disabled",
    "KMSInvalidStateException": "going",
}
_TARGET = "AmazonEC2ContainerRegistry_V20150921"


def client_of(server: Server, service: str, credentials: Credentials) -> Any:
    """boto3 with somebody's credentials; it knows our own service too."""
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(str(OWN_DATA))
    return boto3.Session(botocore_session=session).client(
        service,
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks for one image, by its tag on `/v2/` and by DescribeImages."""

    url: str
    repository: str
    credentials: Credentials
    authorization: str
    connections: tuple[http.client.HTTPConnection, ...]
    """One for each worker."""

    def hears(self) -> str:
        """What all workers say on both planes: `open`, `denied` or `revoked`; else all that they say."""
        said = [self._pull(one) for one in self.connections] + [self._describe(one) for one in self.connections]
        return said[0] if len(set(said)) == 1 else " ".join(said)

    def hears_of_role(self, arn: str) -> str:
        """What all workers say to AssumeRole."""
        form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": arn, "RoleSessionName": "me"}
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answers = [self._signed(one, "sts", headers, urlencode(form).encode()) for one in self.connections]
        return " ".join(sorted({"open" if one.status == 200 else _code(one) for one in answers}))

    def hears_of_key(self, arn: str) -> str:
        """What all workers say to Encrypt with a key of KMS."""
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Encrypt"}
        body = json.dumps({"KeyId": arn, "Plaintext": "b3JkZXIgNw=="}).encode()
        answers = [self._signed(one, "kms", headers, body) for one in self.connections]
        return " ".join(sorted({"open" if one.status == 200 else _code(one) for one in answers}))

    def _pull(self, connection: http.client.HTTPConnection) -> str:
        path, headers = f"/v2/{self.repository}/manifests/v1", {"Authorization": self.authorization}
        answer = exchange(connection, "GET", path, None, headers)
        if answer.status == 401:
            assert "www-authenticate" in answer.headers, "clients must be told to log in again"
        return {200: "open", 403: "denied", 401: "revoked"}.get(answer.status, str(answer.status))

    def _describe(self, connection: http.client.HTTPConnection) -> str:
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{_TARGET}.DescribeImages"}
        body = json.dumps({"repositoryName": self.repository}).encode()
        answer = self._signed(connection, "ecr", headers, body)
        return "open" if answer.status == 200 else _code(answer)

    def _signed(
        self, connection: http.client.HTTPConnection, service: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        given = self.credentials
        key = given["AccessKeyId"], given["SecretAccessKey"]
        now, token = datetime.now(UTC), given.get("SessionToken")
        request = signed("POST", f"{self.url}/", now, headers, body, key=key, token=token, scope=(REGION, service))
        return exchange(connection, "POST", "/", body, dict(request.headers))


def _code(answer: Answer) -> str:
    """The words of `Asker.hears` for an error of an AWS plane."""
    for code, word in _WORDS.items():
        if code.encode() in answer.body:
            return word
    return answer.body.decode()


def make_ana(iam: Any) -> Credentials:
    """A user `ana` who may log in and nothing more."""
    iam.create_user(UserName="ana")
    iam.put_user_policy(UserName="ana", PolicyName="log-in", PolicyDocument=LOG_IN)
    key: Credentials = iam.create_access_key(UserName="ana")["AccessKey"]
    return key


@contextmanager
def asking(root: RegistryClient, repository: str, credentials: Credentials) -> Iterator[Asker]:
    """Log in with credentials that may do so now, and connect to every worker."""
    ecr = client_of(root.server, "ecr", credentials)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    connections = tuple(root.connect(worker) for worker in root.server.worker_pids())
    try:
        yield Asker(root.server.url, repository, credentials, f"Basic {token}", connections)
    finally:
        for connection in connections:
            connection.close()
