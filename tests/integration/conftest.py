"""The shared virtual board, the small project of the tests of builds, and the limit that every
command keeps which a test sends itself; `cli` holds those of commands to it. Tests of built stacks
wait for these."""

from __future__ import annotations

import paramiko
import pytest

from tests import limited, rounds
from tests.boards import board
from tests.integration.builds import project

__all__ = ["board", "project"]


@pytest.fixture(autouse=True)
def _limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramiko.Channel, "exec_command", limited.short)


@pytest.fixture(scope="module", autouse=True)
def _built(request: pytest.FixtureRequest) -> None:
    """What the tests of this module use is built, or they fail with what went wrong."""
    if mark := request.node.get_closest_marker("built"):
        rounds.wait(*mark.args)
