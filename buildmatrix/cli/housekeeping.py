"""doctor, init, schema: the machine's fitness, and schemas for editors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import (
    engine_place,
    mirror,
    print_json,
    print_table,
    program,
    say,
    state_of,
)
from buildmatrix.errors import BuildmatrixError, UsageError

NEXT = """
next:
{cd}  {run} doctor   # what this machine has, and what is missing for what
  {run} build    # cross-built in a container, audited, bundled
  {run} device up --kind {kind} --name pi   # a virtual Raspberry Pi that counts
  {run} deploy --host pi
  {run} bench --host pi --collect"""

if TYPE_CHECKING:
    from buildmatrix.documents.building import CheckRow, Checks
    from buildmatrix.network import InputSpec


@command()
def doctor(_c: Any, matrix: str = "matrix.yaml", json: bool = False, state: str = "") -> None:
    """Say whether this machine is fit: engine, disk, memory, mirror, programs."""
    from buildmatrix.doctor import checks

    checked = checks(state_of(matrix, state), engine_place=engine_place(), mirror=mirror)
    rows: list[CheckRow] = [
        {"name": one.name, "ok": one.ok, "found": one.found, "hint": one.hint} for one in checked
    ]
    document: Checks = {"version": 1, "checks": rows}
    if json:
        print_json(document)
    else:
        from buildmatrix.cli import housekeeping_view

        print_table(housekeeping_view.checks(document))
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
        "from_": "a file of ONNX, TensorFlow Lite or Caffe: a project that measures it",
        "input": "with --from, where the file leaves the size of its image open: 3x224x224",
        "output": "with --from: which of several outputs",
        "ci": "github or gitlab: pipelines that build each push and measure each night; "
        "in a folder that has a matrix.yaml, they alone",
    },
    positional=["name"],
)
def init(
    _c: Any,
    name: str,
    example: str = "",
    from_: str = "",
    input: str = "",
    output: str = "",
    ci: str = "",
) -> None:
    """Write a project that builds: of a small C library, or of your network; and its pipelines."""
    from buildmatrix.cli.schemas import FILES, texts
    from buildmatrix.pipeline import starting

    folder = Path(name)
    if from_ and example:
        raise UsageError("--from or --example, not both: each is a project of its own")
    if (input or output) and not from_:
        raise UsageError("--input and --output say something of the file that --from names")
    files: starting.Files = {}
    begun = ci and not (from_ or example) and (folder / "matrix.yaml").exists()
    if not begun:
        files |= (
            starting.network(Path(from_), _size(input), output)
            if from_
            else starting.example(example or "library")
        )
        schemas = {n: t.encode() for n, t in texts().items() if n in FILES}
        files |= {Path(starting.SCHEMAS, file): text for file, text in schemas.items()}
    if ci:
        files |= starting.pipelines(ci)
    for path in starting.write(folder, files):
        say(f"written: {folder / path}")
    if not begun:
        kind = "pi4-64-counted" if from_ else "pi3-counted"
        say(NEXT.format(cd="" if name == "." else f"  cd {name}\n", run=program(), kind=kind))


def _size(text: str) -> InputSpec | None:
    """Channels, height and width out of `3x224x224`; None out of nothing."""
    from pydantic import ValidationError

    from buildmatrix.network import InputSpec

    if not text:
        return None
    sides = text.split("x")
    try:
        return InputSpec.model_validate(
            dict(zip(("channels", "height", "width"), map(int, sides), strict=True))
        )
    except (ValueError, ValidationError):
        hint = "channels, height and width, as 3x224x224"
        raise UsageError(f"--input {text}: no size of an image", hint=hint) from None


TASKS = (doctor, init, schema)
