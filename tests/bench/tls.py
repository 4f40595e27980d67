"""One layer pushed and pulled over TLS, beside the same over plain HTTP: `python -m tests.bench.tls`.

One server with both listeners, the same clients (curl); rounds take turns. Authentication and encryption are on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.connection import RawConnection
from tests.support.certificate import Certificates, make_certificates
from tests.support.registry_client import RegistryClient, with_digest
from tests.support.server import PROGRAM, Server, free_port

MIB = 1 << 20
CLIENTS = 4
REPOSITORY = "bench/tls"


@dataclass
class TlsServer(Server):
    """A server with an `https` listener beside the plain one."""

    tls_port: int = field(default_factory=free_port)
    certificates: Certificates | None = None

    def command(self) -> Sequence[str]:
        assert self.certificates is not None
        listeners = [self.url, f"https://127.0.0.1:{self.tls_port}"]
        options = [word for url in listeners for word in ("--listen", url)]
        options += ["--tls-certificate", str(self.certificates.certificate), "--tls-key", str(self.certificates.key)]
        return [str(PROGRAM), "serve", "--data-dir", str(self.data_dir), "--workers", str(self.workers), *options]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the layer")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as work:
        certificates = make_certificates(Path(work), ["127.0.0.1"])
        server = TlsServer(Path(work) / "data", Path(work) / "home", certificates=certificates)
        server.start()
        try:
            _measure(server, Path(work) / "layer", options.mib, options.rounds)
        finally:
            server.close()


def _measure(server: TlsServer, layer: Path, mib: int, rounds: int) -> None:
    assert server.certificates is not None
    client = RegistryClient(server)
    client.create(REPOSITORY)
    schemes = {"http": server.url, "https": f"https://127.0.0.1:{server.tls_port}"}
    figures: dict[str, list[float]] = {f"{what} {name}": [] for what in ("push", "pull") for name in schemes}
    for number in range(rounds):
        for name in list(schemes)[:: -1 if number % 2 else 1]:
            layer.write_bytes(os.urandom(mib * MIB))
            pushed, digest = _push(server, schemes[name], client.headers, layer)
            figures[f"push {name}"].append(mib / pushed)
            figures[f"pull {name}"].append(CLIENTS * mib / _pull(server, schemes[name], client.headers, digest))
    for name, rates in figures.items():
        print(f"{name:10} median {median(rates):8.0f} MiB/s of {rounds} rounds")


def _push(server: TlsServer, base: str, headers: dict[str, str], layer: Path) -> tuple[float, str]:
    """Seconds of POST, chunked PATCH and empty PUT, and the digest."""
    digest = "sha256:" + subprocess.run(["sha256sum", layer], capture_output=True, text=True, check=True).stdout[:64]
    connection = RawConnection(server.port, headers)
    begin = time.perf_counter()
    location = connection.exchange("POST", f"/v2/{REPOSITORY}/blobs/uploads/")[1]
    patch = ["--request", "PATCH", "--upload-file", str(layer), "--header", "Transfer-Encoding: chunked"]
    patch += ["--header", "Expect:", "--header", "Content-Type: application/octet-stream"]
    _curl(server, headers, [*patch, base + location])
    status, _ = connection.exchange("PUT", with_digest(location, digest))
    seconds = time.perf_counter() - begin
    connection.close()
    if status != 201:
        raise RuntimeError(f"the upload ended with {status}")
    return seconds, digest


def _pull(server: TlsServer, base: str, headers: dict[str, str], digest: str) -> float:
    """Seconds that several clients at once take for the layer."""
    begin = time.perf_counter()
    _curl(server, headers, *[[f"{base}/v2/{REPOSITORY}/blobs/{digest}"]] * CLIENTS)
    return time.perf_counter() - begin


def _curl(server: TlsServer, headers: dict[str, str], *requests: Sequence[str]) -> None:
    """Run one curl for each request, all at once."""
    assert server.certificates is not None
    common = ["curl", "--silent", "--show-error", "--fail", "--cacert", str(server.certificates.ca), "--output"]
    common += ["/dev/null", *(word for name, value in headers.items() for word in ("--header", f"{name}: {value}"))]
    running = [subprocess.Popen([*common, *request]) for request in requests]
    codes = [each.wait() for each in running]
    if any(codes):
        raise RuntimeError("curl failed")


if __name__ == "__main__":
    main()
