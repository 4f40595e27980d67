"""Measure entrepot beside Debian's docker-registry: `make bench`, or with --quick in a minute.

Rounds alternate between the two, so that both see the same machine; figures are medians, ratios the median of the
rounds' ratios. entrepot authenticates every request and encrypts what it stores; docker-registry does neither.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from tests.bench.contender import Contender, Distribution, Entrepot
from tests.bench.measure import MEASURES, MIB, Load, Scale, prepare
from tests.bench.report import machine, table, write_page

FULL, QUICK = Scale(512 * MIB, 5, 800), Scale(64 * MIB, 1, 40)


def main() -> None:
    """Measure and print."""
    options = _options()
    scale, rounds = (QUICK, 2) if options.quick else (FULL, options.rounds)
    names = options.only.split(",") if options.only else list(MEASURES)
    work = Path(tempfile.mkdtemp(prefix="entrepot-bench-", dir=options.directory))
    try:
        figures = _measure(work, scale, rounds, names)
    finally:
        shutil.rmtree(work)
    text = f"Medians of {rounds} rounds on {machine()}.\n\n{table(figures, scale, Entrepot.name, Distribution.name)}\n"
    print(text)
    if options.write:
        write_page(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short: shows that everything works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help=f"comma-separated: {', '.join(MEASURES)}")
    parser.add_argument("--directory", help="where both keep their data (default: the temporary directory)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args()


def _measure(work: Path, scale: Scale, rounds: int, names: list[str]) -> dict[str, dict[str, list[float]]]:
    layer = work / "layer"
    with layer.open("wb") as file:
        for _ in range(scale.layer_bytes // MIB):
            file.write(os.urandom(MIB))
    load = Load(layer, scale)
    contenders: list[Contender] = []
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    try:
        contenders.append(Entrepot.start(work / "entrepot"))
        contenders.append(Distribution.start(work / "docker-registry"))
        for contender in contenders:
            prepare(contender, load)
        for number in range(rounds):
            load.renew()
            for name in names:
                for contender in contenders if number % 2 else reversed(contenders):
                    figure = MEASURES[name][0](contender, load)
                    figures[name].setdefault(contender.name, []).append(figure)
                    print(f"round {number + 1} {name:14} {contender.name:16} {figure:12,.1f}", flush=True)
    finally:
        for contender in contenders:
            contender.close()
    return figures


if __name__ == "__main__":
    main()
