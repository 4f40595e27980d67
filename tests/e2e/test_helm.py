"""helm: charts pushed, pulled, and found by their newest version."""

from __future__ import annotations

from tests.e2e.clients.programs import helm_program
from tests.support.world import HOST, World


def test_charts(world: World) -> None:
    helm = helm_program()
    directory = world.scratch()
    world.create("charts/app")
    world.do(helm, "create", directory / "app")
    world.login(str(helm), "registry", "login")
    for version in ("0.1.0", "0.2.0", "0.2.1+build"):
        world.do(helm, "package", directory / "app", "--version", version, "--destination", directory)
        world.do(helm, "push", directory / f"app-{version}.tgz", f"oci://{HOST}/charts")
    assert set(world.digests("charts/app")) == {"0.1.0", "0.2.0", "0.2.1_build"}
    world.do(helm, "pull", f"oci://{HOST}/charts/app", "--version", "0.1.0", "--destination", world.scratch())
    assert "version: 0.2.1+build" in world.do(helm, "show", "chart", f"oci://{HOST}/charts/app")
    described = world.aws("describe-images", "--repository-name", "charts/app")["imageDetails"]
    assert {each["artifactMediaType"] for each in described} == {"application/vnd.cncf.helm.config.v1+json"}
    world.do(helm, "registry", "logout", HOST)
