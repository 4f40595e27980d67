"""The kubelet's configuration of our credential provider: a CredentialProviderConfig and the two flags that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from entrepot.clients.kubelet_provider import GROUP, ROLE_ANNOTATIONS

PROVIDER = "entrepot-credential-provider"
AWS_IMAGES = (
    "*.dkr.ecr.*.amazonaws.com",
    "*.dkr.ecr.*.amazonaws.com.cn",
    "*.dkr.ecr-fips.*.amazonaws.com",
    "*.dkr-ecr.*.on.aws",
)
_DEFAULT_DURATION = "0s"  # each answer of ours says its own


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """What goes into it."""

    images: Sequence[str] = AWS_IMAGES
    environment: Mapping[str, str] = field(default_factory=dict)
    audience: str | None = None
    """Audience of service account tokens; None: the node's credentials pull."""
    requires_role: bool = False
    """Whether pods without the annotation are left to other ways of pulling."""
    config_file: str = "/etc/kubernetes/entrepot-credential-provider.yaml"
    bin_dir: str = "/usr/local/lib/kubelet-credential-providers"

    def text(self) -> str:
        """YAML, headed by what to do with it."""
        return "\n".join([*self._head(), *self._provider(), *self._environment(), *self._service_accounts(), ""])

    def _head(self) -> list[str]:
        return [
            f"# Save as {self.config_file}, have {PROVIDER} in {self.bin_dir},",
            "# and start the kubelet with",
            f"#   --image-credential-provider-config={self.config_file}",
            f"#   --image-credential-provider-bin-dir={self.bin_dir}",
            "apiVersion: kubelet.config.k8s.io/v1",
            "kind: CredentialProviderConfig",
            "providers:",
        ]

    def _provider(self) -> list[str]:
        return [
            f"  - name: {PROVIDER}",
            f"    apiVersion: {GROUP}/v1",
            f"    defaultCacheDuration: {_DEFAULT_DURATION}",
            "    matchImages:",
            *(f"      - {json.dumps(image)}" for image in self.images),
        ]

    def _environment(self) -> list[str]:
        if not self.environment:
            return []
        pairs = [
            line
            for name, value in self.environment.items()
            for line in (f"      - name: {name}", f"        value: {json.dumps(value)}")
        ]
        return ["    env:", *pairs]

    def _service_accounts(self) -> list[str]:
        if self.audience is None:
            return []
        kind = "required" if self.requires_role else "optional"
        names = ROLE_ANNOTATIONS[:1] if self.requires_role else ROLE_ANNOTATIONS
        return [
            "    tokenAttributes:",
            f"      serviceAccountTokenAudience: {json.dumps(self.audience)}",
            "      cacheType: ServiceAccount",
            f"      requireServiceAccount: {json.dumps(self.requires_role)}",
            f"      {kind}ServiceAccountAnnotationKeys:",
            *(f"        - {json.dumps(name)}" for name in names),
        ]
