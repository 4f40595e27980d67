"""Settings in tests come from the test alone."""

from __future__ import annotations

import pytest

from entrepot.app.config_load import rows


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in rows():
        monkeypatch.delenv(row.env, raising=False)
