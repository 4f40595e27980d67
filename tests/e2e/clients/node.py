"""A Kubernetes node as docs/kubernetes.md sets it up: the provider in its folder, and what print-config printed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.clients.identities import iam, new_user
from tests.support.image_layout import ImageLayout
from tests.support.namespace import SYSTEM_BUNDLE
from tests.support.server import PROGRAM
from tests.support.world import HOST, World, aws_program

CRI = Path(__file__).with_name("cri")
DEBIAN_PYTHON = "/usr/bin/python3"
"""Has Debian's grpcio."""
PULL_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
OURS = PROGRAM.with_name("entrepot-credential-provider")
_AWSS = Path(__file__).with_name("ecr_credential_provider.py")


@dataclass
class Node:
    """Its user may pull, or not; its containerd is that of the world."""

    world: World
    user: str
    directory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.directory = self.world.scratch()
        keys = new_user(self.world, self.user)
        lines = "\n".join(f"{name.lower()} = {value}" for name, value in keys.items())
        (self.directory / "credentials").write_text(f"[default]\n{lines}\n")

    @property
    def bin_dir(self) -> Path:
        return self.directory / "bin"

    @property
    def config_file(self) -> Path:
        return self.directory / "provider.yaml"

    def install(self, *options: str, program: Path = OURS) -> None:
        """Link the provider, and save what `entrepot k8s print-config` prints."""
        self.bin_dir.mkdir()
        (self.bin_dir / "entrepot-credential-provider").symlink_to(program)
        places: tuple[str | Path, ...] = (
            "--config-file",
            self.config_file,
            "--bin-dir",
            self.bin_dir,
            "--ca-bundle",
            SYSTEM_BUNDLE,
        )
        keys = f"AWS_SHARED_CREDENTIALS_FILE={self.directory / 'credentials'}"
        print_config = (PROGRAM, "k8s", "print-config", *places, "--env", keys, *options)
        self.config_file.write_text(self.world.do(*print_config))

    @property
    def flags(self) -> list[str]:
        """Those that the printed configuration names."""
        lines = self.config_file.read_text().splitlines()
        return [line.removeprefix("#   ") for line in lines if line.startswith("#   --")]

    def aws_provider(self) -> Path:
        """What AWS's own provider does, as a program: a kubelet gives it no arguments."""
        program = self.directory / "ecr-credential-provider"
        program.write_text(f"#!/bin/sh\nexec {sys.executable} {_AWSS}\n")
        program.chmod(0o755)
        return program

    def let_pull(self, *, can_pull: bool = True) -> None:
        """Give its user AWS's policy for nodes, or take it away."""
        verb = "attach" if can_pull else "detach"
        iam(self.world, f"{verb}-user-policy", "--user-name", self.user, "--policy-arn", PULL_ONLY)

    def ask(self, image: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run the provider as the kubelet does: with the variables of the configuration, and no others."""
        (provider,) = yaml.safe_load(self.config_file.read_text())["providers"]
        assert any(fnmatch(image.partition("/")[0], pattern) for pattern in provider["matchImages"])
        variables = [f"{one['name']}={one['value']}" for one in provider["env"]]
        request = {"apiVersion": provider["apiVersion"], "kind": "CredentialProviderRequest", "image": image, **more}
        program = self.bin_dir / provider["name"]
        return self.world.run("env", "-i", *variables, program, stdin=json.dumps(request))

    def pull(self, image: str, answer: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """PullImage of containerd's CRI with what the provider gave for the image."""
        login = answer["auth"][image.partition("/")[0]]
        return self.cri("pull", image, "--auth", f"{login['username']}:{login['password']}")

    def cri(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.world.run(DEBIAN_PYTHON, CRI, *arguments)


def push_pause(world: World, images: ImageLayout) -> None:
    """The sandbox image is in containerd, as nodes have it, so that it needs no credentials."""
    world.login("skopeo", "login")
    made = world.run(aws_program(), "ecr", "create-repository", "--repository-name", "pause")
    assert made.returncode == 0 or "RepositoryAlreadyExistsException" in made.stderr
    world.push(images, "pause", f"{HOST}/pause:pause")
    world.do(DEBIAN_PYTHON, CRI, "pull", f"{HOST}/pause:pause", "--auth", f"AWS:{world.password()}")
