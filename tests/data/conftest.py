"""A cache of its own for every test of this folder."""

from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, also for processes that the test starts."""
    folder = tmp_path_factory.mktemp("cache") / "made when needed"
    monkeypatch.setenv("GANZFELD_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    """No test of this folder shares its cache with another."""
