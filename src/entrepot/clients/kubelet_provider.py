"""`entrepot-credential-provider`: the kubelet's exec credential provider for registries of entrepot and ECR.

Reads    {"apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest",
          "image": "127.0.0.1:5000/team/app:1", "serviceAccountToken": "eyJ…",
          "serviceAccountAnnotations": {"eks.amazonaws.com/ecr-role-arn": "arn:aws:iam::123456789012:role/pull"}}
answers  {"apiVersion": …, "kind": "CredentialProviderResponse", "cacheKeyType": "Registry", "cacheDuration": "21600s",
          "auth": {"127.0.0.1:5000": {"username": "AWS", "password": …}}}

With a token and a role the registry token is that role's; else the node's own credentials count.

Spec: Kubernetes, "Kubelet CredentialProvider (v1)"; v1beta1 and v1alpha1 have the same members but for the two of
service accounts. cloud-provider-aws, ecr-credential-provider: annotation, cacheKeyType, half of the token's life.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from botocore.credentials import ReadOnlyCredentials

from entrepot.clients.aws_chain import Chain, said_in_one_line
from entrepot.clients.client_error import ClientError
from entrepot.clients.registry_host import RegistryHost
from entrepot.clients.registry_token import TokenSource, token_with_keys
from entrepot.clients.standard_input import read_request
from entrepot.clients.token_cache import RegistryToken

GROUP = "credentialprovider.kubelet.k8s.io"
VERSIONS = ("v1", "v1beta1", "v1alpha1")
ROLE_ANNOTATIONS = ("eks.amazonaws.com/ecr-role-arn", "eks.amazonaws.com/role-arn")
"""The first is that of AWS's own provider; the second names the role of a pod that has just one for everything."""
_SESSION_NAME = "entrepot-credential-provider"


@dataclass(frozen=True, slots=True)
class Request:
    """What the kubelet asks; a role only together with a token."""

    api_version: str
    host: RegistryHost
    token: str | None = None
    role_arn: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a CredentialProviderRequest.

        Raises:
            ClientError: it is none, or of a version that we do not speak, or names no registry.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ClientError("the request is not JSON") from error
        if not isinstance(value, dict) or value.get("kind") != "CredentialProviderRequest":
            raise ClientError("the request is not a CredentialProviderRequest")
        version = value.get("apiVersion")
        if version not in [f"{GROUP}/{name}" for name in VERSIONS]:  # a list: what is asked for may be anything
            raise ClientError(f"apiVersion {version!r} is not spoken: {GROUP}/{', '.join(VERSIONS)}")
        image, token = value.get("image"), value.get("serviceAccountToken") or None
        if not isinstance(image, str) or not isinstance(token, str | None):
            raise ClientError("image and serviceAccountToken must be strings")
        return cls(version, RegistryHost.of_image(image), token, _role_of(value) if token else None)


def respond(request: Request, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """The CredentialProviderResponse.

    Raises:
        ClientError: no credentials, or STS or ECR refuse.
    """
    chain = Chain.open()
    if request.token and request.role_arn:
        token = _token_of_role(chain, request.host, request.token, request.role_arn)
    else:
        token = TokenSource(chain, request.host, region=None, endpoint_url=None).fetch()
    return {
        "apiVersion": request.api_version,
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": f"{max(0, int(token.expires_at - now()) // 2)}s",
        "auth": {request.host.name: {"username": token.username, "password": token.password}},
    }


def _token_of_role(chain: Chain, host: RegistryHost, token: str, role_arn: str) -> RegistryToken:
    region = host.region or chain.region()
    sts = chain.client("sts", region, is_signed=False)
    with said_in_one_line():
        answer = sts.assume_role_with_web_identity(
            RoleArn=role_arn, RoleSessionName=_SESSION_NAME, WebIdentityToken=token
        )
    try:
        keys = answer["Credentials"]
        role = ReadOnlyCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    except LookupError as error:
        raise ClientError("the answer to AssumeRoleWithWebIdentity holds no credentials") from error
    return token_with_keys(chain, host, region, role)


def _role_of(value: dict[str, Any]) -> str | None:
    annotations = value.get("serviceAccountAnnotations") or {}
    if not isinstance(annotations, dict):
        raise ClientError("serviceAccountAnnotations must be an object")
    found = next((annotations[name] for name in ROLE_ANNOTATIONS if annotations.get(name)), None)
    if not isinstance(found, str | None):
        raise ClientError("annotations must be strings")
    return found


def run() -> int:
    """One call of the kubelet's: a request on standard input, the answer on standard output, errors for its log."""
    try:
        answer = respond(Request.parse(read_request()))
    except ClientError as error:
        sys.stderr.write(f"entrepot-credential-provider: {error}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def main() -> None:
    """The program `entrepot-credential-provider`."""
    sys.exit(run())
