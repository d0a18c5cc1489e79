"""Accounts that log in and run no command: no shell, files alone. Each is named as what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.boards import greeting
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.ssh import connect
from tests.sshd import Servers, servers

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["servers"]


@pytest.mark.parametrize(
    ("forced", "helps"),
    [
        ("/usr/sbin/nologin", "that account has no shell (nologin)"),
        ("internal-sftp", "may only pass files: see ForceCommand internal-sftp"),
        ("/bin/false", "its login shell may be none (/bin/false"),
        ("/usr/lib/openssh/sftp-server", "may only pass files (sftp-server"),
    ],
)
def test_an_account_that_runs_no_command_is_told(
    servers: Servers, tmp_path: Path, forced: str, helps: str
) -> None:
    server = servers.start(f"SetEnv HOME={tmp_path}", f"ForceCommand {forced}")
    with connect(server.target(servers.identity), timeout=60, known_hosts=None) as connection:
        with pytest.raises(DeviceError, match="before it ran the command") as caught:
            greeting.question(connection, bare=True)
        assert not isinstance(caught.value, LinkLost), "trying again helps nobody"
        assert helps in caught.value.hint
        assert "log in as" in caught.value.hint
