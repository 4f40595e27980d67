"""Media types: which manifests there are and what each can hold.

Spec: OCI Image 1.1, "Media types"; Docker Image Manifest V2, Schema 2.
"""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

IMAGE_MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_MANIFEST_LIST})
MANIFESTS = IMAGE_MANIFESTS | INDEXES

NON_DISTRIBUTABLE = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
"""Layers that a registry may lack: clients fetch them elsewhere."""


def essence(text: str) -> str:
    """The type without its parameters, in lower case: `A/B; q=1` becomes `a/b`."""
    return text.partition(";")[0].strip().lower()


def accepts(accept: list[str], media_type: str) -> bool:
    """Whether one of the Accept entries takes `media_type`; no entries take everything.

    Spec: RFC 9110, section 12.5.1 (quality 0 refuses).
    """
    if not accept:
        return True
    wanted = {media_type, media_type.partition("/")[0] + "/*", "*/*", "*"}  # Java's HttpURLConnection sends a lone *
    for entry in accept:
        kind, *parameters = entry.split(";")
        refused = any(p.strip().lower() in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters)
        if kind.strip().lower() in wanted and not refused:
            return True
    return False
