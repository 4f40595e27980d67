"""An S3 server for one test run: SeaweedFS from PyPI, started by the first test that needs it, stopped with the run.

All processes of a run (pytest-xdist) share it through a directory that the environment names. Every test has a prefix
of its own in one bucket.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import urllib3
from botocore.credentials import Credentials

from entrepot.store.blob.s3.client import Bucket, S3Client, elements
from entrepot.store.blob.s3.spool import Spool
from entrepot.store.blob.s3.store import S3BlobStore
from tests.support.poll import wait_until
from tests.support.run_directory import leftovers, make_run_directory
from tests.support.server import free_port

RUN_DIRECTORY = "ENTREPOT_TEST_S3"
PREFIX = "entrepot-s3-"
PROGRAM = Path(sys.executable).with_name("weed")
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKIAENTREPOTTESTS300", "entrepot-test-s3-secret-access-key-0123456789"
BUCKET = "blobs"
START_SECONDS = 90.0
_STARTED: list[subprocess.Popen[bytes]] = []
"""Kept, so that Python does not complain of a server that goes on when the test that started it has ended."""
IDENTITIES = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        for directory in leftovers(PREFIX):
            _remove(directory)
        os.environ[RUN_DIRECTORY] = str(make_run_directory(PREFIX))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _remove(Path(os.environ.pop(RUN_DIRECTORY)))


@dataclass(frozen=True, slots=True)
class S3Server:
    """The server and a place in its bucket."""

    endpoint: str
    prefix: str = ""

    def at(self, prefix: str) -> S3Server:
        """The same server, another place."""
        return replace(self, prefix=prefix)

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.endpoint, BUCKET, self.prefix, "us-east-1", is_virtual=False)

    def client(self, endpoint: str | None = None, *, read_seconds: float = 20.0) -> S3Client:
        """A client of our own kind; `endpoint` may lead through a proxy."""
        bucket = replace(self.bucket, endpoint=endpoint or self.endpoint)
        return S3Client(bucket, Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), read_seconds=read_seconds)

    def store(self, spool: Path, endpoint: str | None = None, *, read_seconds: float = 20.0) -> S3BlobStore:
        """A store as another machine would open it; `spool` is the directory of its local files."""
        return S3BlobStore(self.client(endpoint, read_seconds=read_seconds), Spool(spool, 0))

    def object_keys(self) -> list[str]:
        """Every object below the prefix, without it. Only tests list."""
        answer = self.client().call("GET", "", {"list-type": "2", "prefix": self.prefix})
        return sorted((element.text or "").removeprefix(self.prefix) for element in elements(answer.data, "Key"))

    def multiparts(self) -> list[str]:
        """The keys that have a multipart upload under way, without the prefix."""
        answer = self.client().call("GET", "", {"uploads": "", "prefix": self.prefix})
        found = [element for upload in elements(answer.data, "Upload") for element in upload]
        keys = [element.text or "" for element in found if element.tag.rpartition("}")[2] == "Key"]
        return sorted(key.removeprefix(self.prefix) for key in keys)


@pytest.fixture(scope="session")
def s3_server() -> S3Server:
    """The server of this test run."""
    directory = Path(os.environ[RUN_DIRECTORY])
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "endpoint").exists():
            (directory / "endpoint").write_text(_start(directory))
    return S3Server((directory / "endpoint").read_text())


@pytest.fixture
def s3(s3_server: S3Server) -> S3Server:
    """A prefix of the test's own."""
    return s3_server.at(f"{uuid.uuid4().hex}/")


def _start(directory: Path) -> str:
    identities = directory / "identities.json"
    identities.write_text(json.dumps(IDENTITIES))
    (directory / "data").mkdir()
    port = free_port()
    ports = {f"{part}.port{kind}": free_port() for part in ("master", "volume", "filer") for kind in ("", ".grpc")}
    options = {
        "dir": directory / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.volumeSizeLimitMB": 256,
        "volume.max": 100,
        "s3.port": port,
        "s3.port.grpc": free_port(),
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": identities,
        **ports,
    }
    command = [str(PROGRAM), "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]
    environment = os.environ | {"WEED_S3_SSE_KEK": "5a" * 32}  # the key behind its own encryption, SSE-S3
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (directory / "server.pid").write_text(str(process.pid))
    _STARTED.append(process)
    endpoint = f"http://127.0.0.1:{port}"

    def has_bucket() -> bool:
        assert process.poll() is None, (directory / "log").read_text()[-2000:]
        try:
            urllib3.request("GET", endpoint, timeout=2, retries=False)
            S3Server(endpoint).client().call("PUT", "", accepts=(409,), within=5.0)
        except Exception:  # noqa: BLE001 - it is starting
            return False
        return True

    wait_until(has_bucket, what="an S3 server with a bucket", seconds=START_SECONDS)
    return endpoint


def _remove(directory: Path) -> None:
    pid = directory / "server.pid"
    if pid.exists() and psutil.pid_exists(int(pid.read_text())):
        os.kill(int(pid.read_text()), signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
