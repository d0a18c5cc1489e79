"""Virtual boards for tests; the image is built once and kept between runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import virtual
from buildmatrix.upstreams import debian_mirror
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress

DEFAULT_STATE = Path(__file__).parent.parent / ".buildmatrix" / "test"
STATE = Path(os.environ.get("BUILDMATRIX_TEST_STATE", DEFAULT_STATE))


def boot(name: str, kind: str = "pi3", link: str = "") -> BoardAddress:
    """Switch on a board of this test run; two runs at once do not meet."""
    return virtual.up(
        STATE,
        name=own(name),
        kind=kind,
        link=link,
        mirror=debian_mirror(),
        reporter=RecordingReporter(),
    )


def remove(name: str) -> bool:
    return virtual.down(STATE, name=own(name))


def own(name: str) -> str:
    return f"{name}-{os.getpid()}"


@pytest.fixture(scope="session")
def board() -> Iterator[BoardAddress]:
    """One board for all tests that do not harm it."""
    yield boot("shared")
    remove("shared")
