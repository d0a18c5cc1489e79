"""Shared fixtures: no output from the core, a scrubbed environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# A busy machine makes no test fail: nothing here is judged by its time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def scrubbed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell may decide a test."""
    for name in [n for n in os.environ if n.startswith("BUILDMATRIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail when library code prints: it must emit events instead."""
    yield
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")
