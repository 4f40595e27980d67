"""Does what AWS's ecr-credential-provider does, in short.

GetAuthorizationToken without registryIds, in the region of the host's name; the first element counts; kept for half of
its life, for the bare host of the image.

Spec: kubernetes/cloud-provider-aws, cmd/ecr-credential-provider.
"""

import base64
import json
import re
import sys
from datetime import UTC, datetime

import boto3

_HOST = re.compile(r"^\d{12}\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)$")


def main() -> None:
    request = json.load(sys.stdin)
    host = request["image"].partition("/")[0].partition(":")[0]
    found = _HOST.match(host)
    if found is None:
        sys.exit(f"not an ECR image: {request['image']}")
    data = boto3.client("ecr", found["region"]).get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    seconds = int((data["expiresAt"] - datetime.now(UTC)).total_seconds()) // 2
    answer = {
        "apiVersion": request["apiVersion"],
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": f"{seconds}s",
        "auth": {host: {"username": user, "password": password}},
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
