"""The command line: Invoke's namespace, and the console script on top of it."""

from __future__ import annotations

import gc

from invoke.collection import Collection

from buildmatrix import __version__
from buildmatrix.cli import (
    auditing,
    bisecting,
    building,
    clearing,
    completing,
    deploying,
    devices,
    emulating,
    estimating,
    handing,
    histories,
    housekeeping,
    measuring,
    offers,
    opening,
    profiling,
    results,
)
from buildmatrix.cli.program import BuildmatrixProgram

namespace = Collection()
for module in (
    building,
    opening,
    offers,
    auditing,
    handing,
    devices,
    deploying,
    measuring,
    emulating,
    results,
    histories,
    bisecting,
    profiling,
    estimating,
    clearing,
    housekeeping,
    completing,
):
    for task in module.TASKS:
        namespace.add_task(task)


program = BuildmatrixProgram(
    name="buildmatrix", binary="buildmatrix", namespace=namespace, version=__version__
)


def main() -> None:
    """Run the command line; ends by SystemExit where a command does not end well."""
    # A plan of ten thousand cells is a million objects that live to its end: looking for circles
    # in them every 700 took a fifth of its time.
    gc.set_threshold(100_000)
    program.run()
