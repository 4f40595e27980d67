"""What the ECS agent does with an image: the token of one registry by boto3, then a push and a pull by docker's SDK.

Arguments are the account, an address with a tag to pull, and another one to push it to. Printed is JSON: who the
environment's credentials belong to, the answer to GetAuthorizationToken, the pulled image, and what was refused.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import boto3
import docker
from docker.errors import APIError


def main(account: str, source: str, target: str) -> None:
    """Do it all."""
    client = docker.from_env()
    answer = boto3.client("ecr").get_authorization_token(registryIds=[account])
    data = answer["authorizationData"][0]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    login = {"username": user, "password": password, "serveraddress": data["proxyEndpoint"]}
    said: dict[str, Any] = {
        "arn": boto3.client("sts").get_caller_identity()["Arn"],
        "answer": [sorted(answer), *(sorted(one) for one in answer["authorizationData"])],
        "proxyEndpoint": data["proxyEndpoint"],
        "user": user,
    }
    try:
        image = client.images.pull(source, auth_config=login)
        said["pulled"] = image.attrs["RepoDigests"]
        image.tag(target)
        lines = client.images.push(target, auth_config=login, stream=True, decode=True)
        said["pushed"] = [line.get("error") or line["aux"]["Digest"] for line in lines if {"error", "aux"} & set(line)]
    except APIError as error:
        said["denied"] = str(error.explanation)
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
