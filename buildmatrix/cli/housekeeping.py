"""doctor, init, schema: the machine's fitness, and schemas for editors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.common import (
    command,
    mirror,
    print_json,
    print_table,
    program,
    say,
    state_of,
)
from buildmatrix.errors import BuildmatrixError

NEXT = """
next:
{cd}  {run} doctor   # what this machine has, and what is missing for what
  {run} build    # cross-built in a container, audited, bundled
  {run} device up --kind pi3-counted --name pi   # a virtual Raspberry Pi 3 that counts
  {run} deploy --host pi
  {run} bench --host pi --collect"""

if TYPE_CHECKING:
    from buildmatrix.documents.building import CheckRow, Checks


@command()
def doctor(_c: Any, matrix: str = "matrix.yaml", json: bool = False, state: str = "") -> None:
    """Say whether this machine is fit: engine, disk, memory, mirror, programs."""
    from buildmatrix.doctor import checks

    url = os.environ.get("DOCKER_HOST") or None
    checked = checks(state_of(matrix, state), engine_url=url, mirror=mirror)
    rows: list[CheckRow] = [
        {"name": one.name, "ok": one.ok, "found": one.found, "hint": one.hint} for one in checked
    ]
    document: Checks = {"version": 1, "checks": rows}
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import tables

        print_table(tables.checks(document))
    bad = [check.name for check in checked if check.ok is False]
    if bad:
        raise BuildmatrixError(f"not fit: {', '.join(bad)}", hint="see the hints above")


@command({"out": "folder to write the schemas into"})
def schema(_c: Any, out: str = "") -> None:
    """Print the JSON Schemas of matrix, recipe, toolchain and model files, for editors."""
    from buildmatrix.cli.schemas import texts

    for name, text in texts().items():
        if out:
            (Path(out) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(out) / name).write_text(text)
            say(f"written: {Path(out) / name}")
        else:
            say(text)


@command(
    {
        "name": "folder to make; a point is here",
        "example": "which start: library (your own C library), study (shipped stacks)",
    },
    positional=["name"],
)
def init(_c: Any, name: str, example: str = "library") -> None:
    """Write a project that builds: a matrix, a recipe of a small C library, its benchmark."""
    from buildmatrix.cli.schemas import FILES, texts
    from buildmatrix.pipeline import starting

    folder = Path(name)
    written = starting.write(folder, example, {n: t for n, t in texts().items() if n in FILES})
    for path in written:
        say(f"written: {folder / path}")
    say(NEXT.format(cd="" if name == "." else f"  cd {name}\n", run=program()))


TASKS = (doctor, init, schema)
