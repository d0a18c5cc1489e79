"""The shared virtual board, the small project of the tests of builds, and the limit that every
command keeps which a test sends itself; `cli` holds those of commands to it."""

from __future__ import annotations

import paramiko
import pytest

from tests import limited
from tests.boards import board
from tests.integration.builds import project

__all__ = ["board", "project"]


@pytest.fixture(autouse=True)
def _limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramiko.Channel, "exec_command", limited.short)
