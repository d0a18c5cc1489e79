"""The shared virtual board, and the limit that every command keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko
import pytest

from tests import limited
from tests.boards import board

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["board"]


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every command that a test sends over SSH. None is as long as dropbear's limit."""
    sent: list[str] = []

    def recorded(channel: paramiko.Channel, command: str) -> None:
        sent.append(command)
        limited.send(channel, command)

    monkeypatch.setattr(paramiko.Channel, "exec_command", recorded)
    yield sent
    assert not [command for command in sent if limited.too_long(command)]
