"""What the import contracts cannot say: a domain of the standard library only, no import hidden in a function."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.docs.tree import SOURCE, modules

_LAZY = {"app", "clients"}
"""Rooms that may import in a function: programs that do not need a library should not wait for it."""


@pytest.mark.parametrize("path", modules(SOURCE / "domain"), ids=lambda path: path.name)
def test_domain_imports_the_standard_library_and_itself(path: Path) -> None:
    imported = {name for name, _ in _imports(path)}
    foreign = {
        name
        for name in imported
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("entrepot.domain")
    }
    assert foreign == set()


@pytest.mark.parametrize("path", modules(SOURCE), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_import_hides_in_a_function(path: Path) -> None:
    if path.relative_to(SOURCE).parts[0] in _LAZY:
        return
    assert [name for name, is_nested in _imports(path) if is_nested] == []


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every absolute import of a module, and whether it stands in a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    nested = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in nested) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "", id(node) in nested)
