"""The command line as a user has it: another process, real exit codes, output apart.

None of its commands to a board is as long as dropbear's limit, or it ends in a traceback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests import limited
from tests.documents import of_command, valid

if TYPE_CHECKING:
    from pathlib import Path


# Whoever starts the tests in the background has them ignore Ctrl-C, and a child would inherit that.
HEARS_CTRL_C = ("env", "--default-signal=INT")


def start(*arguments: str, cwd: Path, state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HEARS_CTRL_C, sys.executable, limited.__file__, *arguments],
        cwd=cwd,
        env={**os.environ, "BUILDMATRIX_STATE": str(state)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, cwd: Path, state: Path, code: int = 0) -> tuple[str, str]:
    """Standard output and error of a command that must end with `code`."""
    with start(*arguments, cwd=cwd, state=state) as process:
        out, err = process.communicate(timeout=3600)
    assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
    return out, err


def document(*arguments: str, cwd: Path, state: Path, code: int = 0) -> Any:
    """The JSON document of a command; standard output holds nothing else."""
    found = json.loads(run(*arguments, "--json", cwd=cwd, state=state, code=code)[0])
    assert found["version"] == 1
    valid(of_command(arguments), found)
    return found
