"""A link that goes dead without a word; run by test_silent_link in a network of its own.

silent_link.py FOLDER SECONDS LONG idle|sending|frozen: print how long it took to be noticed. The
command may take LONG seconds. Frozen is the server alone: its kernel still answers for it, as a
jump host or an emulator's network does for a board that is gone.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path

from buildmatrix.errors import LinkLost
from buildmatrix.ssh import alive, connect
from tests.sshd import Servers


def loopback(state: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


def main(folder: str, seconds: str, long: str, kind: str) -> None:
    alive.SILENT = int(seconds)
    loopback("up")
    servers = Servers(Path(folder))
    server = servers.start()
    began = 0.0
    scripts = {
        "idle": f"sleep {long}",
        "sending": "exec cat > /dev/null",
        "frozen": f"sleep 1; kill -STOP $PPID; sleep {long}",
    }

    def dead() -> None:
        nonlocal began
        began = time.monotonic()
        if kind != "frozen":
            loopback("down")

    try:
        with connect(server.target(servers.identity), timeout=30, known_hosts=None) as ssh:
            threading.Timer(1.0, dead).start()
            endless = itertools.repeat(bytes(65536)) if kind == "sending" else None
            try:
                ssh.run(scripts[kind], timeout=float(long), stdin=endless)
            except LinkLost:
                sys.stdout.write(f"{time.monotonic() - began:.1f}")
    finally:
        servers.stop(server)


if __name__ == "__main__":
    main(*sys.argv[1:])
