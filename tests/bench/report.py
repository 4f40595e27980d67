"""The figures as a table, on the terminal and in docs/benchmarks.md between marks."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from tests.bench.measure import MEASURES, Scale

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
MARKS = {
    "figures": ("<!-- figures: written by make bench -->", "<!-- end of figures -->"),
    "growth": ("<!-- growth: written by tests.bench.growth -->", "<!-- end of growth -->"),
}
"""Between which lines of the page each table is."""

Figures = Mapping[str, Mapping[str, Sequence[float]]]
"""Measure → contender → one figure per round."""


def ratio(figures: Mapping[str, Sequence[float]], ours: str, theirs: str) -> float:
    """The median of each round's ratio, so that a slow moment of the machine touches both."""
    return median(a / b for a, b in zip(figures[ours], figures[theirs], strict=True))


def table(figures: Figures, scale: Scale, ours: str, theirs: str) -> str:
    """A Markdown table of medians."""
    lines = [f"| what | unit | {ours} | {theirs} | ratio |", "|---|---|---:|---:|---:|"]
    for name, rounds in figures.items():
        _, title, unit = MEASURES[name]
        shown = title.format(layer=f"{scale.layer_bytes >> 20} MiB")
        medians = " | ".join(f"{median(rounds[contender]):,.0f}" for contender in (ours, theirs))
        lines.append(f"| {shown} | {unit} | {medians} | {ratio(rounds, ours, theirs):.2f} |")
    return "\n".join(lines)


def machine() -> str:
    """What it ran on, in a line."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}"


def write_page(text: str, place: str = "figures") -> None:
    """Replace what stands between two marks."""
    begin, end = MARKS[place]
    before, _, rest = PAGE.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")
