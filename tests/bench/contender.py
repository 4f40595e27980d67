"""The two registries that are measured: entrepot as it comes, and Debian's docker-registry as it comes."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.poll import wait_until
from tests.support.registry_client import ecr_client
from tests.support.server import Server, free_port

REPOSITORY = "bench/image"
DISTRIBUTION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: '127.0.0.1:{port}'}}
"""


class Contender(Protocol):
    """A running registry."""

    name: str

    @property
    def port(self) -> int:
        """Of 127.0.0.1, plain HTTP."""

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries to be let in."""

    def close(self) -> None:
        """End it."""


@dataclass
class Entrepot:
    """With authentication and encryption at rest, two workers, SQLite."""

    server: Server
    headers: dict[str, str]
    name: str = "entrepot"

    @classmethod
    def start(cls, work: Path, encryption_type: str = "AES256") -> Entrepot:
        """Start it and make the repository."""
        server = Server(work / "data", work / "home", environment={"ENTREPOT_LOG_LEVEL": "error"})
        server.start()
        ecr = ecr_client(server)
        ecr.create_repository(repositoryName=REPOSITORY, encryptionConfiguration={"encryptionType": encryption_type})
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return cls(server, {"Authorization": f"Basic {token}"})

    @property
    def port(self) -> int:
        return self.server.port

    def close(self) -> None:
        self.server.close()


@dataclass
class Distribution:
    """Without authentication or encryption: it has none unless it is told to."""

    process: subprocess.Popen[bytes]
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    name: str = "docker-registry"

    @classmethod
    def start(cls, work: Path) -> Distribution:
        """Start it."""
        program, port = shutil.which("docker-registry"), free_port()
        if program is None:
            raise SystemExit("docker-registry is missing (Debian: apt-get install docker-registry)")
        work.mkdir()
        config = work / "config.yml"
        config.write_text(DISTRIBUTION.format(root=work / "data", port=port))
        with (work / "log").open("wb") as log:
            started = cls(subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log), port)
        wait_until(started._answers, what="docker-registry")
        return started

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
