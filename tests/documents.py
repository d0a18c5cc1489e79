"""Documents held against the schemas that are shipped for whoever reads them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from buildmatrix.cli.profiling import two_cells

OUT = Path(__file__).parent.parent / "docs" / "schemas" / "out"


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((OUT / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def valid(name: str, document: Any) -> Any:
    """The document as a reader of its JSON has it. Fails unless it fits the schema of its name."""
    read = json.loads(json.dumps(document))
    faults = [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(read)]
    if faults:
        raise AssertionError("\n".join(faults))
    return read


def of_command(arguments: tuple[str, ...]) -> str:
    """The name of what a command line prints with --json: `device up …` is device-up."""
    if two_cells(["inv", *arguments]):
        return "profile-difference"
    return f"device-{arguments[1]}" if arguments[0] == "device" else arguments[0]


def valid_output(arguments: tuple[str, ...], out: str) -> None:
    """Fail unless what a command with --json printed is one document that fits its schema; a
    command that ended with an error has printed none."""
    if out:
        valid(of_command(arguments), json.loads(out))
