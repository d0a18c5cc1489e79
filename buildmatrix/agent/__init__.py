"""The board's side: POSIX sh that is sent along with every call, and how it is called.

Nothing is installed on the board. A call is the scripts named, then one line that uses their
functions; long lists travel on stdin, because Linux limits one argument to 128 KiB. The scripts
need coreutils or busybox applets and /proc, no root, and keep everything under one folder:

    objects/ab/<sha256>[.x]     content, read-only; .x is executable (hard links share mode bits)
    bundles/<digest>/           a tree of hard links into objects/
    cells/<cell>                link to ../bundles/<digest>; <cell>.previous for the way back
    history                     a line for each switch: epoch, cell, digest
    runs/current                link to the one run this board holds
    runs/<run>/                 see bench.sh, lease.sh and condition.sh
    tmp/<owner>/                work of one process; rescued or removed once that process is dead
"""

from __future__ import annotations

import functools
import re
import shlex
from importlib import resources
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.protocols import CommandResult, Connection

PREFIX = ".buildmatrix"  # relative to $HOME on the board

_SAFE = r"[A-Za-z0-9_+@=,~.-]+"
CELL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+@=,.-]{0,127}(?<!\.previous)")
DIGEST = re.compile(r"[0-9a-f]{64}")
PATH = re.compile(rf"(?!-|/)(?!(?:.*/)?\.\.?(?:/|$)){_SAFE}(?:/{_SAFE})*")
FOLDER = re.compile(rf"/?(?!-|/)(?!(?:.*/)?\.\.(?:/|$)){_SAFE}(?:/{_SAFE})*/?")


def source(*names: str) -> str:
    """The text of agent scripts, in order."""
    folder = resources.files("buildmatrix") / "agent"
    return "\n".join((folder / f"{name}.sh").read_text(encoding="utf-8") for name in names)


@functools.cache
def plain(*names: str) -> str:
    """The same without comments and indentation: what goes over the wire at every call.

    Scripts that have a word over several lines, or a here-document, may not be read by it.
    """
    lines = (line.strip() for line in source(*names).splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def script(names: tuple[str, ...], line: str, *, prefix: str) -> str:
    """A call as one sh program: `line` runs inside the prefix, after the scripts named."""
    if not FOLDER.fullmatch(prefix):
        raise UsageError(
            f"'{prefix}' cannot be the folder on the board",
            hint="use letters, digits, '-', '_', '.' and '/', without '..'",
        )
    enter = (
        f"unset CDPATH; cd && mkdir -p {shlex.quote(prefix)} && cd {shlex.quote(prefix)} || exit"
    )
    return "\n".join((enter, source("owner", *names), line, ""))


def call(
    connection: Connection, program: str, *, timeout: float, stdin: Iterable[bytes] | None = None
) -> CommandResult:
    """Run a program that must succeed. Raises DeviceError with the board's own words."""
    result = connection.run(program, timeout=timeout, stdin=stdin)
    if result.status != 0:
        raise failure(result)
    return result


def failure(result: CommandResult) -> DeviceError:
    """What a failed call means for the user: a full disk, a missing tool, or the board's words."""
    words = result.stderr.decode(errors="replace").strip()
    ended = "was killed" if result.status < 0 else f"failed with status {result.status}"
    hints = {
        "No space left": "free space on the board, or remove old bundles with deploy --prune",
        "Read-only file system": "remount the board's file system writable, or check its card",
        "Permission denied": "check who owns the folder on the board",
        "not found": "install the missing tool on the board: sh, tar, gzip, sha256sum, coreutils",
    }
    hint = next((text for sign, text in hints.items() if sign in words), "run the command again")
    return DeviceError(f"a command on the board {ended}", details=words, hint=hint)
