"""Memory of the server under many uploads at once: `python -m tests.bench.memory [--uploads 32] [--mib 1024]`.

PSS of the tree (supervisor and two workers, what they share counted once), at rest and at its peak.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.support.many_uploads import peak_of
from tests.support.memory import tree_pss_bytes
from tests.support.registry_client import RegistryClient
from tests.support.server import Server

MIB = 1 << 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=32)
    parser.add_argument("--mib", type=int, default=1024, help="of each upload")
    parser.add_argument("--directory", help="where the data goes (default: the temporary directory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-", dir=options.directory) as work:
        server = Server(Path(work) / "data", Path(work) / "home")
        server.start()
        try:
            client = RegistryClient(server)
            client.create("bench/memory")
            assert server.process is not None
            print(f"at rest {tree_pss_bytes(server.process.pid) / MIB:.0f} MiB", flush=True)
            began = time.perf_counter()
            peak = peak_of(client, "bench/memory", options.uploads, options.mib)
            seconds = time.perf_counter() - began
            print(f"peak {peak / MIB:.0f} MiB with {options.uploads} uploads of {options.mib} MiB, {seconds:.0f} s")
        finally:
            server.close()


if __name__ == "__main__":
    main()
