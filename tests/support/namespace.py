"""A private corner of the machine in which the real names of AWS lead to the server under test.

Mounts, network and processes are namespaces of their own: port 443 is free, /etc/hosts and the CA bundle are ours,
and when the holder dies, however it dies, the kernel ends every process and mount inside. The holder waits on a pipe
of the test process, so a killed test run leaves nothing behind either.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SERVER_ADDRESS = "192.0.2.10"
"""Outside 127.0.0.0/8 (RFC 5737), because docker trusts every 127.x registry without its certificate."""

CLONE_NEWNET = 0x40000000

HOSTS, LOCALHOST = Path("/etc/hosts"), "127.0.0.1 localhost\n"
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
BUNDLE_VARIABLES = (
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
)

_UNSHARE = (
    "unshare",
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "--propagation=private",
)

_HOLD = """
set -e
ip link set lo up
ip addr add "$1" dev lo
shift
while [ $# -gt 0 ]; do
  [ -e "$2" ] || mkdir -p "$2"
  mount --bind "$1" "$2"
  shift 2
done
echo ready
while read -r _; do :; done
"""
"""Runs as process 1: bash also collects the children of daemons that went away."""


def aws_names(accounts: Sequence[str], regions: Sequence[str]) -> list[str]:
    """The names of ECR, STS and IAM for these accounts and regions, as certificate and hosts file have them."""
    names = ["public.ecr.aws", "ecr-public.aws.com", "api.ecr-public.us-east-1.amazonaws.com", "sts.amazonaws.com"]
    names.append("iam.amazonaws.com")
    for region in regions:
        names += [f"api.ecr.{region}.amazonaws.com", f"ecr.{region}.api.aws"]
        names += [f"{service}.{region}.amazonaws.com" for service in ("kms", "sts")]
        for account in accounts:
            names += [f"{account}.dkr.ecr.{region}.amazonaws.com", f"{account}.dkr-ecr.{region}.on.aws"]
    return names


def names_lead_here(work: Path, names: Sequence[str], ca: Path) -> dict[Path, Path]:
    """Mounts with which `names` lead to the server and the CA is trusted; `work` keeps the files."""
    hosts, bundle = work / "hosts", work / "bundle.crt"
    hosts.write_text(LOCALHOST + "".join(f"{SERVER_ADDRESS} {name}\n" for name in names))
    bundle.write_bytes(SYSTEM_BUNDLE.read_bytes() + ca.read_bytes())
    return {hosts: HOSTS, bundle: SYSTEM_BUNDLE}


@dataclass
class Namespace:
    """Running namespaces; commands are run inside with `run` and `start`."""

    holder: subprocess.Popen[str]
    init_pid: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def open(cls, mounts: Mapping[Path, Path]) -> Namespace:
        """Make the namespaces, in which files and directories (keys) lie over those of the machine (values)."""
        binds = [str(path) for pair in mounts.items() for path in pair]
        holder = subprocess.Popen(
            [*_UNSHARE, "bash", "-c", _HOLD, "hold", SERVER_ADDRESS, *binds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        if holder.stdout.readline().strip() != "ready":
            holder.kill()
            raise RuntimeError("no namespaces of our own: root with CAP_SYS_ADMIN is needed")
        return cls(holder, psutil.Process(holder.pid).children()[0].pid)

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """The command that runs `command` inside, in the current directory."""
        enter = ["nsenter", f"--target={self.init_pid}", "--mount", "--net", "--pid", f"--wdns={Path.cwd()}", "--"]
        return enter + [str(word) for word in command]

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment without proxies and AWS settings, plus the CA bundle and `extra`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        return {**kept, **dict.fromkeys(BUNDLE_VARIABLES, str(SYSTEM_BUNDLE)), **extra}

    def start(self, command: Sequence[str | Path], *, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start a process inside that goes on; its output goes to `log`."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                self.command(command), env=self.environment(env), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.started.append(process)
        return process

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening socket inside, for a server of the test process."""

        def inside() -> socket.socket:
            with Path(f"/proc/{self.init_pid}/ns/net").open("rb") as network:
                if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_server((address, port))

        with ThreadPoolExecutor(1) as pool:  # only the thread goes in, and ends there
            return pool.submit(inside).result()

    def add_host(self, name: str, address: str) -> None:
        """Lead a name to an address of its own inside."""
        self.run(["ip", "addr", "replace", f"{address}/32", "dev", "lo"]).check_returncode()
        self.run(["tee", "-a", HOSTS], stdin=f"{address} {name}\n").check_returncode()

    @staticmethod
    def terminate(process: subprocess.Popen[bytes], *, seconds: float = 30) -> None:
        """Ask what `start` started to end, and wait; what it started in turn is its own business."""
        for inside in psutil.Process(process.pid).children():
            inside.terminate()
        process.wait(timeout=seconds)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] = {},
        stdin: str = "",
        timeout: float = 180,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end; never raises for its exit code."""
        return subprocess.run(
            self.command(command),
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def close(self) -> None:
        """End every process inside and wait until they are gone."""
        assert self.holder.stdin is not None
        assert self.holder.stdout is not None
        self.holder.stdin.close()
        self.holder.wait(timeout=30)
        self.holder.stdout.close()
        for process in self.started:
            process.wait(timeout=30)
