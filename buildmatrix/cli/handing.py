"""get: a cell's files, out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, program, progress, say, workshop
from buildmatrix.errors import UsageError


@command(
    {
        "cell": "a cell that is built and passed its audit",
        "out": "folder to write the files into; new, or empty",
        "tar": "archive to write: .tar, .tar.gz or .tar.xz",
        "papers": "beside --out: a bill of materials, what it was made from, the licences",
    },
    positional=["cell"],
)
def get(
    _c: Any,
    cell: str,
    out: str = "",
    tar: str = "",
    papers: bool = False,
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """Hand a cell's files over, as stored and each held against its hash: bundle or products."""
    from buildmatrix.pipeline.handing import hand_over

    if not out and not tar:
        raise UsageError("say where to write", hint=f"inv get {cell} --out {cell}")
    if papers and not out:
        raise UsageError(
            "--papers lie beside a folder", hint=f"inv get {cell} --out {cell} --papers"
        )
    with progress() as reporter:
        document = hand_over(
            workshop(matrix, [cell], state, reporter),
            out=Path(out) if out else None,
            tar=Path(tar) if tar else None,
            papers=papers,
        )
    if json:
        print_json(document)
        return
    size = sum(file["size"] for file in document["files"])
    for place in filter(None, (document["out"], document["tar"])):
        say(
            f"written: {place}: the {document['kind']} of {document['cell']}, "
            f"{len(document['files'])} files, {size / 1e6:.1f} MB, each as its hash says"
        )
    if papers:
        say(f"papers: {out}.papers; `{program()} audit --verify {out}` holds the two together")


TASKS = (get,)
