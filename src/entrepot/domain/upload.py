"""Upload sessions: where an upload stands.

Spec: OCI Distribution 1.1, "Pushing blobs"; ECR API, InitiateLayerUpload and UploadLayerPart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from entrepot.domain.registry import Registry
from entrepot.domain.repository import RepositoryName


class UploadKind(StrEnum):
    """The plane that started it; an upload can be continued on either, the rules of parts follow the kind."""

    OCI = "oci"
    ECR = "ecr"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload session between two requests."""

    id: str
    """A random UUID in lower case."""
    registry: Registry
    repository: RepositoryName
    kind: UploadKind
    offset: int
    """Bytes that are acknowledged."""
