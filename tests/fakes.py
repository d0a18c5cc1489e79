"""Stand-ins with a memory, for tests. They pass the same contract suites as the real things."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from typing import IO, TYPE_CHECKING

from buildmatrix.errors import LinkLost
from buildmatrix.protocols import CommandResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from buildmatrix.protocols import Event


class RecordingReporter:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


class LocalShell:
    """A Connection to this machine: real sh, tar and sha256sum, with `home` as the board's HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.scripts: list[str] = []

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        self.scripts.append(script)
        process = subprocess.Popen(
            ["sh", "-c", script],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        pipe, process.stdin = process.stdin, None  # the feeder owns it; communicate() must not
        feeder = threading.Thread(target=_feed, args=(pipe, stdin or ()))
        feeder.start()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise LinkLost(f"no answer within {timeout:g} s") from None
        finally:
            feeder.join()
        return CommandResult(max(process.returncode, -1), out, err)

    def close(self) -> None:
        pass


def _feed(pipe: IO[bytes] | None, chunks: Iterable[bytes]) -> None:
    """Write until the far side stops reading; a closed pipe is its right."""
    assert pipe is not None
    try:
        for chunk in chunks:
            pipe.write(chunk)
        pipe.close()
    except BrokenPipeError:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
