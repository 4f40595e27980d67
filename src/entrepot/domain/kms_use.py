"""The use that ECR makes of KMS keys: which key was chosen for a repository, and in whose name it is used.

Spec: ECR user guide, "Encryption at rest"; KMS developer guide, "kms:ViaService".
"""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.domain.registry import Registry


@dataclass(frozen=True, slots=True)
class ChosenKey:
    """The KMS key that is to protect a repository."""

    arn: str
    account_id: str | None
    """The account here that has it; None: a KMS elsewhere keeps it."""


def ecr_service(registry: Registry) -> str:
    """ECR as KMS knows it, in the region of a registry: in grants and as `kms:ViaService`."""
    return f"ecr.{registry.region}.{registry.dns_suffix}"
