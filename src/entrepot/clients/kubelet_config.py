"""The kubelet's configuration of our credential provider: a CredentialProviderConfig and the two flags that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from entrepot.clients.client_error import ClientError
from entrepot.clients.kubelet_provider import GROUP, ROLE_ANNOTATIONS

PROVIDER = "entrepot-credential-provider"
AWS_IMAGES = (
    "*.dkr.ecr.*.amazonaws.com",
    "*.dkr.ecr.*.amazonaws.com.cn",
    "*.dkr.ecr-fips.*.amazonaws.com",
    "*.dkr-ecr.*.on.aws",
)
_DEFAULT_DURATION = "0s"  # each answer of ours says its own


@dataclass(frozen=True, slots=True, order=True)
class Kubernetes:
    """A minor version of Kubernetes 1, and how its kubelet speaks to providers."""

    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.29`, `v1.29.3` or `1.29.3-eks-1a2b`.

        Raises:
            ClientError: it is none, or has no credential providers.
        """
        major, _, rest = text.strip().removeprefix("v").partition(".")
        minor = rest.partition(".")[0]
        if major != "1" or not (minor.isascii() and minor.isdigit()):
            raise ClientError(f"{text!r} is not a version of Kubernetes, such as 1.34")
        if int(minor) < _FIRST:
            raise ClientError(f"Kubernetes {text} has no credential providers; they came with 1.{_FIRST}")
        return cls(int(minor))

    @property
    def api_version(self) -> str:
        """Of requests and of the configuration; later kubelets do not read the earlier ones."""
        return next(name for first, name in _APIS if self.minor >= first)

    @property
    def is_behind_gate(self) -> bool:
        """Whether providers are off unless asked for."""
        return self.api_version == "v1alpha1"

    @property
    def has_service_accounts(self) -> bool:
        """Whether a configuration may ask for tokens of service accounts."""
        return self.minor >= _SERVICE_ACCOUNTS


_FIRST = 20
_APIS = ((26, "v1"), (24, "v1beta1"), (_FIRST, "v1alpha1"))
_SERVICE_ACCOUNTS = 34
NEWEST = Kubernetes(_SERVICE_ACCOUNTS)


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """What goes into it.

    Raises:
        ClientError: the node's Kubernetes knows no tokens of service accounts.
    """

    kubernetes: Kubernetes = NEWEST
    images: Sequence[str] = AWS_IMAGES
    environment: Mapping[str, str] = field(default_factory=dict)
    audience: str | None = None
    """Audience of service account tokens; None: the node's credentials pull."""
    requires_role: bool = False
    """Whether pods without the annotation are left to other ways of pulling."""
    config_file: str = "/etc/kubernetes/entrepot-credential-provider.yaml"
    bin_dir: str = "/usr/local/lib/kubelet-credential-providers"

    def __post_init__(self) -> None:
        if self.audience and not self.kubernetes.has_service_accounts:
            raise ClientError(f"tokens of service accounts need Kubernetes 1.{_SERVICE_ACCOUNTS}")

    def text(self) -> str:
        """YAML, headed by what to do with it."""
        return "\n".join([*self._head(), *self._provider(), *self._environment(), *self._service_accounts(), ""])

    def _head(self) -> list[str]:
        return [
            f"# Save as {self.config_file}, have {PROVIDER} in {self.bin_dir},",
            "# and start the kubelet with",
            f"#   --image-credential-provider-config={self.config_file}",
            f"#   --image-credential-provider-bin-dir={self.bin_dir}",
            *(["#   --feature-gates=KubeletCredentialProviders=true"] if self.kubernetes.is_behind_gate else []),
            f"apiVersion: kubelet.config.k8s.io/{self.kubernetes.api_version}",
            "kind: CredentialProviderConfig",
            "providers:",
        ]

    def _provider(self) -> list[str]:
        return [
            f"  - name: {PROVIDER}",
            f"    apiVersion: {GROUP}/{self.kubernetes.api_version}",
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
