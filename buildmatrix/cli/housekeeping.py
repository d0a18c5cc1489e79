"""doctor, schema: the machine's fitness, and schemas for editors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli import tables
from buildmatrix.cli.common import command, mirror, print_json, print_table, say, state_of
from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from buildmatrix.documents.building import CheckRow, Checks


@command()
def doctor(_c: Any, matrix: str = "matrix.yaml", json: bool = False, state: str = "") -> None:
    """Say whether this machine is fit: engine, disk, memory, mirror, programs."""
    from buildmatrix.doctor import checks

    url = os.environ.get("DOCKER_HOST") or None
    found = checks(state_of(matrix, state), engine_url=url, mirror=mirror)
    rows: list[CheckRow] = [
        {"name": one.name, "ok": one.ok, "found": one.found, "hint": one.hint} for one in found
    ]
    document: Checks = {"version": 1, "checks": rows}
    if json:
        print_json(document)
    else:
        print_table(tables.checks(document))
    bad = [check.name for check in found if check.ok is False]
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


TASKS = (doctor, schema)
