"""Modules: a first line that says the job, a size that one job needs, a name that says what is inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.docs.tree import ROOT, SOURCE, module_job, modules

_PYTHON = [*modules(SOURCE), *modules(ROOT / "tools"), *modules(ROOT / "tests")]
_LINES_MOST = 350
_LINES_EVER = 600
_LENGTHY: dict[str, str] = {}
"""Files above 600 lines, each with its reason."""

_NAMELESS = {"utils", "util", "common", "helpers", "helper", "core", "misc", "base_classes"}


@pytest.mark.parametrize("path", _PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_first_line_says_the_job(path: Path) -> None:
    if path.name == "__init__.py" and not path.read_text(encoding="utf-8").strip():
        return
    job = module_job(path)
    assert job is not None, "the first line of a module is a docstring that says its one job"
    assert job.endswith((".", ":", '."')), f"the first line stands alone as a sentence: {job!r}"


def test_nine_files_in_ten_are_short() -> None:
    sizes = {path: _line_count(path) for path in _PYTHON}
    lengthy = sorted((path for path in sizes if sizes[path] >= _LINES_MOST), key=sizes.__getitem__, reverse=True)
    assert len(lengthy) <= len(sizes) // 10, [f"{path.relative_to(ROOT)}: {sizes[path]}" for path in lengthy]


def test_no_file_is_huge_without_a_reason() -> None:
    huge = {str(path.relative_to(ROOT)) for path in _PYTHON if _line_count(path) > _LINES_EVER}
    assert huge == set(_LENGTHY)


def test_no_module_is_a_drawer() -> None:
    assert [path for path in modules(SOURCE) if path.stem in _NAMELESS or path.parent.name in _NAMELESS] == []


def test_unit_tests_mirror_the_source() -> None:
    unit = ROOT / "tests" / "unit"
    strays = [
        str(path.relative_to(unit))
        for path in modules(unit)
        if path.name.startswith("test_") and not _has_twin(path.relative_to(unit))
    ]
    assert strays == [], "tests/unit/<room>/test_<module>.py stands for src/entrepot/<room>/<module>.py"


def _has_twin(path: Path) -> bool:
    """A module or package of that name; a test named as its own folder tests the package as a whole."""
    name = path.stem.removeprefix("test_")
    folder = SOURCE / path.parent
    return (folder / f"{name}.py").exists() or (folder / name).is_dir() or (folder.is_dir() and folder.name == name)


def _line_count(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")
