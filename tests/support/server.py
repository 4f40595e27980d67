"""A real server process: `entrepot serve` from the installed package, started, watched, killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import psutil

from tests.support.poll import wait_until

PROGRAM = Path(sys.executable).with_name("entrepot")
ACCOUNT, REGION = "123456789012", "us-east-1"
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKIAENTREPOTTESTROOT", "entrepot-test-secret-access-key-0123456789"
ROOT_ENVIRONMENT = {
    "ENTREPOT_ACCOUNT_ID": ACCOUNT,
    "ENTREPOT_REGION": REGION,
    "ENTREPOT_ROOT_ACCESS_KEY_ID": ACCESS_KEY_ID,
    "ENTREPOT_ROOT_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
}
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """One server on 127.0.0.1 over plain HTTP; `home` keeps the profile that it writes."""

    data_dir: Path
    home: Path
    workers: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    entry: Sequence[str] = ()
    """Words before every command of this server, such as those that lead into a mount namespace."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Its output, of all starts together."""
        return self.home / "server.log"

    def command(self) -> Sequence[str]:
        """How it is started."""
        options = ["--data-dir", self.data_dir, "--port", self.port, "--workers", self.workers]
        return [*self.entry, str(PROGRAM), "serve", *(str(option) for option in options)]

    def start(self) -> None:
        """Start it and wait until it serves requests."""
        self.home.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ENTREPOT_"))}
        env = kept | {"HOME": str(self.home)} | ROOT_ENVIRONMENT | dict(self.environment)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, what=f"an answer from {self.url}/healthz")

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def longest_stall_seconds(self) -> float:
        """The longest time that a worker's event loop was held up, from the log; 0 for none worth a line."""
        lines = [line for line in self.log.read_text().splitlines() if '"loop.stalled"' in line]
        return max((json.loads(line)["seconds"] for line in lines), default=0.0)

    def processes(self) -> list[psutil.Process]:
        """The supervisor, then its descendants."""
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def worker_pids(self) -> list[int]:
        """The processes that serve requests."""
        return [process.pid for process in self.processes()[1:]]

    def kill(self) -> None:
        """Kill every process at once, as a power cut would end them."""
        assert self.process is not None
        for process in self.processes():
            process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        self.process = None

    def stop(self) -> int:
        """Ask it to end; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.process = None
        return code

    def close(self) -> None:
        """End whatever still runs; for teardown."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
