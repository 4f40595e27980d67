"""Clients without a daemon (podman, buildah, skopeo): push, pull, run, build, list, mount, delete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.image_layout import ImageLayout
from tests.support.world import World


@pytest.fixture(scope="module")
def source(world: World, images: ImageLayout) -> str:
    """A repository with images to pull, and the three clients logged in: they share one file."""
    address = world.create("tools/source")
    world.login("podman", "login")
    for name in ("busybox", "layers", "zstd", "multi", "python-app"):
        world.push(images, name, f"{address}:{name}")
    return address


def _containerfile(world: World, source: str) -> Path:
    directory = world.scratch()
    (directory / "Dockerfile").write_text(f"FROM {source}:busybox\nRUN echo built > /built\nCMD cat /built\n")
    return directory


@pytest.mark.parametrize(("name", "printed"), [("python-app", "python-app 2.19.1 2.10"), ("zstd", "zstd")])
def test_podman_pulls_and_runs(world: World, source: str, name: str, printed: str) -> None:
    world.do("podman", "pull", "--quiet", f"{source}:{name}")
    assert world.do("podman", "run", "--rm", "--network", "none", f"{source}:{name}").strip() == printed


def test_podman_builds_and_pushes(world: World, source: str) -> None:
    address = world.create("tools/podman")
    world.do("podman", "build", "--quiet", "--network", "host", "--tag", f"{address}:1", _containerfile(world, source))
    digest = world.scratch() / "digest"
    world.do("podman", "push", "--quiet", "--digestfile", digest, f"{address}:1")
    assert world.digests("tools/podman") == {"1": digest.read_text()}
    assert world.do("podman", "search", "--list-tags", address).split() == ["NAME", "TAG", address, "1"]


def test_podman_pushes_an_index(world: World, source: str, images: ImageLayout) -> None:
    address = world.create("tools/index")
    world.do("podman", "manifest", "create", "tools-index")
    world.do("podman", "manifest", "add", "--all", "tools-index", f"docker://{source}:multi")
    world.do("podman", "manifest", "push", "--all", "tools-index", f"docker://{address}:multi")
    described = world.aws("describe-images", "--repository-name", "tools/index")["imageDetails"]
    children = {child["digest"] for child in images.manifest(images.tags()["multi"]["digest"])["manifests"]}
    assert children < {detail["imageDigest"] for detail in described}


def test_buildah_builds_and_pushes(world: World, source: str) -> None:
    address = world.create("tools/buildah")
    containerfile = _containerfile(world, source)
    world.do("buildah", "bud", "--quiet", "--isolation", "chroot", "--tag", f"{address}:1", containerfile)
    world.do("buildah", "push", "--quiet", f"{address}:1")
    assert set(world.digests("tools/buildah")) == {"1"}
    world.do("buildah", "pull", "--quiet", "--policy", "always", f"{address}:1")


def test_skopeo_copies_between_repositories_and_deletes(world: World, source: str, images: ImageLayout) -> None:
    address = world.create("tools/skopeo")
    world.do("skopeo", "copy", "--quiet", f"docker://{source}:layers", f"docker://{address}:copy")
    digest = images.tags()["layers"]["digest"]
    assert world.digests("tools/skopeo") == {"copy": digest}
    assert digest in world.do("skopeo", "inspect", f"docker://{address}:copy")
    assert '"copy"' in world.do("skopeo", "list-tags", f"docker://{address}")
    world.do("skopeo", "delete", f"docker://{address}:copy")
    assert world.digests("tools/skopeo") == {}


def test_skopeo_converts_to_docker_schema_2(world: World, source: str, images: ImageLayout) -> None:
    address = world.create("tools/v2s2")
    world.do("skopeo", "copy", "--quiet", "--format", "v2s2", f"oci:{images.root}:layers", f"docker://{address}:v2s2")
    (detail,) = world.aws("describe-images", "--repository-name", "tools/v2s2")["imageDetails"]
    assert detail["imageManifestMediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert detail["artifactMediaType"] == "application/vnd.docker.container.image.v1+json"
