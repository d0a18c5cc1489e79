"""A board that loses its power says no word: it is noticed all the same, and soon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import ssh
from buildmatrix.ssh import alive
from tests.dropbear import dropbear
from tests.sshd import servers

if TYPE_CHECKING:
    from tests.sshd import Servers

__all__ = ["dropbear", "servers"]

ROOT = Path(__file__).parent.parent.parent
SECONDS = 4
LONG = 60  # that the command may take: by then it would be noticed anyway


@pytest.mark.parametrize("kind", ["idle", "sending", "frozen"])
def test_a_silent_link_is_lost_in_time(tmp_path: Path, kind: str) -> None:
    """In a network of its own, where taking the loopback down harms nobody; in a process table of
    its own, because the server's children have a dead link too."""
    alone = ["unshare", "--net", "--pid", "--fork", "--kill-child"]
    argv = [*alone, sys.executable, "-m", "tests.contract.silent_link"]
    done = subprocess.run(
        [*argv, str(tmp_path), str(SECONDS), str(LONG), kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert SECONDS / 2 < float(done.stdout) < LONG / 2


@pytest.mark.parametrize("kind", ["sshd", "dropbear"])
def test_a_command_that_says_nothing_is_waited_for(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its server answers in its place."""
    monkeypatch.setattr(alive, "SILENT", SECONDS)
    if kind == "sshd":
        here: Servers = request.getfixturevalue("servers")
        target = here.start().target(here.identity)
    else:
        target = request.getfixturevalue("dropbear").target
    with ssh.connect(target, timeout=30, known_hosts=None) as connection:
        assert connection.run(f"sleep {2 * SECONDS}; echo there", timeout=LONG).stdout == b"there\n"
