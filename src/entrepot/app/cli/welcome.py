"""What the server prints once it serves: where, since when, and lines to paste that work as they are."""

from __future__ import annotations

import shlex

from entrepot import __version__
from entrepot.app.deployment import Deployment

REPOSITORY = "hello/world"


def welcome(deployment: Deployment, profile: str | None, seconds: float) -> str:
    """The text; without a profile it says where the credentials are."""
    registry = deployment.registry
    addresses = ", ".join(listener.url for listener in deployment.listeners)
    return "\n".join(
        [
            f"entrepot {__version__} serves account {registry.account_id} in {registry.region} on {addresses}",
            f"ready {seconds:.2f} s after its start; everything it keeps is in {deployment.directory.path}",
            "",
            *(_paste(deployment, profile) if profile else _no_profile(deployment)),
            "",
        ]
    )


def _paste(deployment: Deployment, profile: str) -> list[str]:
    host = deployment.registry_url.endpoint(deployment.registry).partition("://")[2]
    image = f"{host}/{REPOSITORY}:1"
    return [
        f"The AWS profile {profile} leads here. To push a first image, paste:",
        "",
        f"  export AWS_PROFILE={profile}",
        f"  aws ecr create-repository --repository-name {REPOSITORY}",
        f"  aws ecr get-login-password | docker login --username AWS --password-stdin {host}",
        "  tar -ch -C /etc os-release | docker import - hello:1",
        f"  docker tag hello:1 {image}",
        f"  docker push {image}",
        f"  aws ecr describe-images --repository-name {REPOSITORY}",
    ]


def _no_profile(deployment: Deployment) -> list[str]:
    directory = shlex.quote(str(deployment.directory.path))
    return [
        "No AWS profile was written. The root access key shows with",
        f"  entrepot admin account root-key {deployment.registry.account_id} --show --data-dir {directory}",
        "and clients come here with AWS_ENDPOINT_URL_ECR, AWS_ENDPOINT_URL_IAM, AWS_ENDPOINT_URL_KMS and",
        "AWS_ENDPOINT_URL_STS all set to",
        f"  {deployment.api_url}",
    ]
