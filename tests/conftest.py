"""Shared fixtures: no output from the core, a scrubbed environment."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes no test fail: nothing here is judged by its time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("untimed"), max_examples=10)
settings.load_profile("untimed")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The files that take minutes, longest first: whole files go to workers in this order, so that no
# core is idle in the end (--dist loadfile --no-loadscope-reorder; xdist's own order begins with the
# files of most tests). A worker with two tests left takes the next file already.
LONG = (
    "integration/test_deploy_faults",
    "integration/test_virtual_kinds",
    "integration/test_virtual_pi",
    "integration/test_faults_room",
    "integration/test_rerun",
    "integration/test_faults",
    "integration/test_nightly",
    "integration/test_study",
    "integration/test_stacks",  # when more than the first stacks are there
    "integration/test_fleet",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long before all others; within a file nothing moves."""
    items.sort(key=lambda item: _place(item.path))


def pytest_collection_finish() -> None:
    """What is imported by now stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def _place(path: Path) -> int:
    name = f"{path.parent.name}/{path.stem}"
    return LONG.index(name) if name in LONG else len(LONG)


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
