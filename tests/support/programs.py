"""Programs that a test needs from the machine: where one is missing the test is skipped, which CI counts as failed."""

from __future__ import annotations

import os
import shutil

import pytest

NAMESPACES = ("unshare", "nsenter", "ip")
CLIENTS = (
    *NAMESPACES,
    "debootstrap",
    "zstd",
    "curl",
    "dockerd",
    "docker",
    "containerd",
    "ctr",
    "podman",
    "buildah",
    "skopeo",
    "npm",
    "docker-credential-ecr-login",
)


def require(*programs: str) -> None:
    """Skip unless this is root and all of `programs` are on the PATH."""
    if os.geteuid() != 0:
        pytest.skip("namespaces and daemons take root")
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; .ci/packages names the Debian packages")
