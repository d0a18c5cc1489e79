"""The board's side: POSIX sh, put there once, and how it is called.

All scripts that a call may use are one file, `agent/<sha256>` below the prefix. A call is one short
command that verifies the file, reads it and runs a line that uses its functions; long lists travel
on stdin. A board that has not this file gets it on the stdin of a second call, which runs the
same line: so the first call of a version costs one round trip more. The scripts need coreutils or
busybox applets and /proc, no root, and keep everything under one folder:

    agent/<sha256>              the scripts; a prune removes those of other versions
    objects/ab/<sha256>[.x]     content, read-only; .x is executable (hard links share mode bits)
    bundles/<digest>/           a tree of hard links into objects/
    cells/<cell>                link to ../bundles/<digest>; <cell>.previous for the way back
    history                     a line for each switch: epoch, cell, digest
    runs/current                link to the one run this board holds
    runs/<run>/                 see bench.sh, lease.sh and condition.sh
    tmp/<owner>/                work of one process; rescued or removed once that process is dead
"""

from __future__ import annotations

import re

from buildmatrix.agent.calls import LONGEST, PREFIX, Mode, ask, call, command, converse
from buildmatrix.agent.program import Program, program, source
from buildmatrix.agent.refusals import failure

__all__ = [
    "CELL",
    "DIGEST",
    "LONGEST",
    "Mode",
    "PATH",
    "PREFIX",
    "Program",
    "ask",
    "call",
    "command",
    "converse",
    "failure",
    "program",
    "source",
]

_SAFE = r"[A-Za-z0-9_+@=,~.-]+"
CELL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+@=,.-]{0,127}(?<!\.previous)")
DIGEST = re.compile(r"[0-9a-f]{64}")
PATH = re.compile(rf"(?!-|/)(?!(?:.*/)?\.\.?(?:/|$)){_SAFE}(?:/{_SAFE})*")
