"""CPU time of the workers per request and per GiB, steady even on a busy machine: `python -m tests.bench.cost`.

What the scheduler counted for the workers before and after a load, divided by what they answered. Load generators do
not count. Rates are shown too, but they are what the machine leaves to the workers.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contender import Entrepot
from tests.bench.measure import (
    CLIENTS,
    MIB,
    Load,
    Scale,
    image_pushes,
    manifest_get,
    manifest_head,
    prepare,
    pull_layer,
    push_layer,
    small_blob,
)

GIB = 1 << 30
IMAGES = 1_000


@dataclass
class Cost:
    """CPU seconds of the workers over one load, and its seconds by the clock."""

    cpu_seconds: float = 0.0
    seconds: float = 0.0


def worker_seconds(contender: Entrepot) -> float:
    """CPU seconds that the workers have used so far, all threads together."""
    paths = [path for pid in contender.server.worker_pids() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in paths) / 1e9


@contextmanager
def counted(contender: Entrepot) -> Iterator[Cost]:
    """The cost of what happens inside, known at the end."""
    cost, cpu, began = Cost(), worker_seconds(contender), time.perf_counter()
    yield cost
    cost.seconds = time.perf_counter() - began
    cost.cpu_seconds = worker_seconds(contender) - cpu


def main() -> None:
    """Measure and print."""
    options = _options()
    work = Path(tempfile.mkdtemp(prefix="entrepot-bench-", dir=options.directory))
    layer = work / "layer"
    with layer.open("wb") as file:
        file.truncate(options.layer_mib * MIB)
    load = Load(layer, Scale(options.layer_mib * MIB, options.seconds, IMAGES))
    load.renew()
    contender = Entrepot.start(work / "entrepot", options.encryption)
    try:
        prepare(contender, load)
        push_layer(contender, load)
        for _ in range(options.rounds):
            _round(contender, load, options.only.split(",") if options.only else [*REQUESTS, "image-push", "pull"])
    finally:
        contender.close()
        shutil.rmtree(work)


REQUESTS: dict[str, Callable[[Entrepot, Load], float]] = {
    "manifest-get": manifest_get,
    "manifest-head": manifest_head,
    "small-blob": small_blob,
}


def _round(contender: Entrepot, load: Load, names: list[str]) -> None:
    for name in names:
        with counted(contender) as cost:
            rate = ({"pull": pull_layer, "image-push": image_pushes} | REQUESTS)[name](contender, load)
        if name == "pull":
            per_gib = cost.cpu_seconds / (CLIENTS * load.scale.layer_bytes / GIB)
            print(f"{name:14} {per_gib:8.3f} CPU s/GiB {rate:10,.0f} MiB/s", flush=True)
        elif name == "image-push":
            print(f"{name:14} {cost.cpu_seconds / IMAGES * 1e6:8.1f} CPU µs    {rate:10,.0f} images/s", flush=True)
        else:
            each = cost.cpu_seconds / (rate * load.scale.seconds)
            print(f"{name:14} {each * 1e6:8.1f} CPU µs    {rate:10,.0f} requests/s", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=f"comma-separated: {', '.join(REQUESTS)}, image-push, pull")
    parser.add_argument("--encryption", default="AES256", help="AES256, KMS or KMS_DSSE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each load")
    parser.add_argument("--layer-mib", type=int, default=256)
    parser.add_argument("--directory", help="where the data goes (default: the temporary directory)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
