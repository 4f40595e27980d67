"""Pages and code agree: generated pages are fresh, every setting and error is explained."""

from __future__ import annotations

import pytest

from entrepot.app.config import Settings
from entrepot.domain.error import RegistryError
from entrepot.transport.aws import error as aws
from entrepot.transport.oci import error as oci
from tools.docs.__main__ import PAGES
from tools.docs.error import leaves, row_of
from tools.docs.tree import DOCS, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_does(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert description.endswith(".")


@pytest.mark.parametrize("kind", leaves(), ids=lambda kind: kind.__name__)
def test_every_error_has_words_on_both_planes(kind: type[RegistryError]) -> None:
    assert row_of(aws.ROWS, kind) is not None
    assert row_of(oci.ROWS, kind) is not None
    assert kind.__doc__


def test_every_page_is_within_reach_of_the_readme() -> None:
    index = (ROOT / "README.md").read_text(encoding="utf-8") + "".join(
        page.read_text(encoding="utf-8") for page in (ROOT / "CONTRIBUTING.md", DOCS / "adr" / "README.md")
    )
    unlisted = [page for page in DOCS.rglob("*.md") if page.name not in index]
    assert unlisted == []
