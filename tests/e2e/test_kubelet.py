"""A real kubelet pulls from entrepot through the credential provider, set up by what `k8s print-config` prints.

Kubernetes 1.20, which can be built from Debian's source (tests/e2e/clients/build-kubelet); its protocol is v1alpha1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients.node import OURS, Node, push_pause
from tests.support.image_layout import ImageLayout
from tests.support.poll import wait_until
from tests.support.world import World

pytestmark = pytest.mark.kubelet

KUBELET = Path(__file__).parent / "clients" / "kubelet"
SECONDS = 180
"""It tries again after 10, 20 and 40 seconds."""


@dataclass
class Kubelet:
    """It runs on a node whose user may not pull yet."""

    node: Node
    log: Path

    def start_pod(self, name: str, image: str) -> None:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "hostNetwork": True,
                "restartPolicy": "Never",
                "containers": [{"name": "c", "image": image, "imagePullPolicy": "Always"}],
            },
        }
        (self.node.directory / "manifests" / f"{name}.yaml").write_text(json.dumps(pod))

    def state(self, name: str) -> Any:
        """Of the pod's container: {"waiting": …}, {"running": …} or {"terminated": …}; empty until it is known."""
        done = self.node.world.run("curl", "-s", "http://127.0.0.1:10255/pods")
        pods = json.loads(done.stdout or "{}").get("items") or []
        statuses = [
            pod["status"].get("containerStatuses") for pod in pods if pod["metadata"]["name"] == f"{name}-node1"
        ]
        return statuses[0][0]["state"] if statuses and statuses[0] else {}

    def wait_for_refusal(self, name: str) -> str:
        """Wait until it backs off; what the registry said."""
        messages: list[str] = []

        def refused() -> bool:
            waiting = self.state(name).get("waiting", {})
            if waiting.get("reason") == "ErrImagePull":
                messages.append(waiting["message"])
            return bool(waiting.get("reason") == "ImagePullBackOff")

        wait_until(refused, seconds=SECONDS, what="ImagePullBackOff")
        return messages[-1]

    def wait_for_end(self, name: str) -> str:
        """Wait until the container ended well; what it printed."""
        wait_until(lambda: "terminated" in self.state(name), seconds=SECONDS, what=f"the end of {name}")
        assert self.state(name)["terminated"]["exitCode"] == 0
        (log,) = (self.node.directory / "pods").glob(f"default_{name}-node1_*/c/*.log")
        return "".join(line.split(" ", 3)[3] for line in log.read_text().splitlines(keepends=True))


@pytest.fixture(scope="module", params=["ours", "awss"])
def kubelet(world: World, images: ImageLayout, request: pytest.FixtureRequest) -> Iterator[Kubelet]:
    """With our provider, and with one that does what AWS's does."""
    push_pause(world, images)
    node = Node(world, f"node-kubelet-{request.param}")
    node.install("--kubernetes", "1.20", program=OURS if request.param == "ours" else node.aws_provider())
    log = node.directory / "kubelet.log"
    command = (KUBELET, node.directory, os.environ["ENTREPOT_TEST_KUBELET"], world.environment["CONTAINERD_ADDRESS"])
    process = world.namespace.start([*command, *node.flags], env={}, log=log)
    wait_until(
        lambda: world.run("curl", "-sf", "http://127.0.0.1:10248/healthz").stdout == "ok",
        seconds=SECONDS,
        what="a healthy kubelet",
    )
    yield Kubelet(node, log)
    world.namespace.terminate(process)
    world.do("umount", "/var/log/pods")


def test_a_pod_waits_for_the_rights_of_its_node_and_runs(kubelet: Kubelet, images: ImageLayout) -> None:
    world = kubelet.node.world
    repository = f"kubelet/{kubelet.node.user}"
    address = world.create(repository)
    world.push(images, "python-app", f"{address}:1")
    world.push(images, "busybox", f"{address}:2")

    kubelet.start_pod("before", f"{address}:1")
    assert "401 Unauthorized" in kubelet.wait_for_refusal("before")
    assert "error execing credential provider plugin entrepot-credential-provider" in kubelet.log.read_text()

    kubelet.node.let_pull()
    assert kubelet.wait_for_end("before").strip() == "python-app 2.19.1 2.10"

    kubelet.node.let_pull(can_pull=False)
    kubelet.start_pod("after", f"{address}:2")
    assert "403 Forbidden" in kubelet.wait_for_refusal("after")
