"""`entrepot k8s print-config`: YAML that a kubelet takes, with what was asked for and no more."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from entrepot.app.cli.main import app


def _print(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, ["k8s", "print-config", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_ecrs_names_by_default() -> None:
    lines = _print()
    assert lines[4:] == [
        "apiVersion: kubelet.config.k8s.io/v1",
        "kind: CredentialProviderConfig",
        "providers:",
        "  - name: entrepot-credential-provider",
        "    apiVersion: credentialprovider.kubelet.k8s.io/v1",
        "    defaultCacheDuration: 0s",
        "    matchImages:",
        '      - "*.dkr.ecr.*.amazonaws.com"',
        '      - "*.dkr.ecr.*.amazonaws.com.cn"',
        '      - "*.dkr.ecr-fips.*.amazonaws.com"',
        '      - "*.dkr-ecr.*.on.aws"',
    ]


def test_flags_name_the_places() -> None:
    lines = _print("--config-file", "/etc/k/c.yaml", "--bin-dir", "/opt/bin")
    assert "#   --image-credential-provider-config=/etc/k/c.yaml" in lines
    assert "#   --image-credential-provider-bin-dir=/opt/bin" in lines


def test_images_and_environment_are_quoted() -> None:
    lines = _print("--image", "127.0.0.1:5000", "--endpoint-url", 'http://h:5000/"x', "--region", "eu-west-1")
    assert lines[lines.index("    matchImages:") + 1 : lines.index("    env:")] == ['      - "127.0.0.1:5000"']
    assert lines[lines.index("    env:") + 1 :] == [
        "      - name: AWS_ENDPOINT_URL_ECR",
        '        value: "http://h:5000/\\"x"',
        "      - name: AWS_ENDPOINT_URL_STS",
        '        value: "http://h:5000/\\"x"',
        "      - name: AWS_REGION",
        '        value: "eu-west-1"',
    ]


@pytest.mark.parametrize(
    ("arguments", "kind", "count"), [((), "optional", 2), (("--require-role",), "required", 1)], ids=["all", "some"]
)
def test_service_accounts(arguments: tuple[str, ...], kind: str, count: int) -> None:
    lines = _print("--audience", "sts.amazonaws.com", *arguments)
    attributes = lines[lines.index("    tokenAttributes:") + 1 :]
    assert attributes[:3] == [
        '      serviceAccountTokenAudience: "sts.amazonaws.com"',
        "      cacheType: ServiceAccount",
        f"      requireServiceAccount: {'true' if arguments else 'false'}",
    ]
    assert attributes[3] == f"      {kind}ServiceAccountAnnotationKeys:"
    assert len(attributes[4:]) == count
    assert attributes[4] == '        - "eks.amazonaws.com/ecr-role-arn"'


def test_further_variables() -> None:
    lines = _print("--env", "HTTPS_PROXY=http://proxy:3128/?a=b", "--env", "AWS_REGION=eu-west-1", "--region", "x")
    assert lines[lines.index("    env:") + 1 :] == [
        "      - name: AWS_REGION",
        '        value: "eu-west-1"',
        "      - name: HTTPS_PROXY",
        '        value: "http://proxy:3128/?a=b"',
    ]


@pytest.mark.parametrize(
    ("version", "api", "is_behind_gate"),
    [
        ("1.20", "v1alpha1", True),
        ("v1.23.17", "v1alpha1", True),
        ("1.24", "v1beta1", False),
        ("1.25.3", "v1beta1", False),
        ("1.26", "v1", False),
        ("v1.29.3-eks-1a2b3c", "v1", False),
    ],
)
def test_the_version_of_the_node(version: str, api: str, is_behind_gate: bool) -> None:
    lines = _print("--kubernetes", version)
    assert f"apiVersion: kubelet.config.k8s.io/{api}" in lines
    assert f"    apiVersion: credentialprovider.kubelet.k8s.io/{api}" in lines
    assert ("#   --feature-gates=KubeletCredentialProviders=true" in lines) is is_behind_gate


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--kubernetes", "1.19"), "has no credential providers"),
        (("--kubernetes", "2.0"), "is not a version of Kubernetes"),
        (("--env", "HTTPS_PROXY"), "is not NAME=VALUE"),
        (("--env", "=x"), "is not NAME=VALUE"),
        (("--env", "A B=x"), "is not NAME=VALUE"),
        (("--kubernetes", "new"), "is not a version of Kubernetes"),
        (("--kubernetes", "1.³"), "is not a version of Kubernetes"),
        (("--kubernetes", "1.29", "--audience", "a"), "need Kubernetes 1.34"),
    ],
)
def test_versions_that_cannot(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(app, ["k8s", "print-config", *arguments])
    assert result.exit_code == 1
    assert words in result.output
