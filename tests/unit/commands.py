"""The command line in a process of its own, without an interpreter's start for every call.

A server has imported everything once and every call is a fork of it: exit code, streams and working
folder are real. What starting costs, and that it works, is tested with real starts.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.documents import valid_output
from tests.forked import become

ROOT = Path(__file__).parent.parent.parent
IMPORTED = ("buildmatrix.cli", "buildmatrix.pipeline.documents", "buildmatrix.pipeline.workshop")


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`buildmatrix` with these arguments and settings: its exit code and what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        asked = {
            "arguments": arguments,
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
            "environment": environment,
        }
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        if "--json" in arguments and code != 2:  # 2: the command line itself was refused
            valid_output(arguments, out.read_text())
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


@functools.cache
def _server() -> subprocess.Popen[str]:
    """It ends with this process, which closes its input."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.commands"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def serve() -> None:
    """Run what is asked for, a line of JSON each, and answer with the exit codes."""
    for module in IMPORTED:
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asked = json.loads(line)
            become(
                asked["arguments"],
                cwd=Path(asked["cwd"]),
                out=Path(asked["out"]),
                err=Path(asked["err"]),
                environment=asked["environment"],
            )
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
