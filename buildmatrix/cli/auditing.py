"""audit: a cell's bundle, or any file or folder, against a board that is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, state_of, workshop
from buildmatrix.cli.devices import access, devices_of
from buildmatrix.errors import AuditError, InputError, UsageError
from buildmatrix.shelf import project_folder

if TYPE_CHECKING:
    from buildmatrix.pipeline.baselines import Choice
    from buildmatrix.progress import Progress


@command(
    {
        "subject": "a cell id, or a file or folder with ELF files",
        "target": "judge against a board kind (pi4-64, pi4-64@trixie, zero) or a toolchain",
        "host": "judge against a board, by what it says of itself",
        "verify": "hold a folder of `get --papers` against its papers, and nothing else",
        "sarif": "SARIF 2.1.0 on stdout, for code hosts",
    },
    positional=["subject"],
)
def audit(
    _c: Any,
    subject: str,
    target: str = "",
    host: str = "",
    verify: bool = False,
    sarif: bool = False,
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """Show ELF facts and findings, of a stored cell or of any file or folder. Exit 5 for errors."""
    from buildmatrix.audit.document import blocking, findings_in

    if verify:
        _verify(Path(subject), json=json)
        return
    if target and host:
        raise UsageError("--target or --host, not both: a board is one or the other")
    with progress() as reporter:
        choice = _choice(target, host, matrix, state)
        document = _judged(subject, choice, matrix, state, reporter)
    if sarif:
        from buildmatrix.sarif import log

        print_json(log(document, Path(subject), here=Path.cwd()))
    elif json:
        print_json(document)
    else:
        from buildmatrix.cli.audit_view import view

        print_table(view(document))
    if found := blocking(findings_in(document)):
        one = len(found) == 1
        raise AuditError(f"{len(found)} {'finding forbids' if one else 'findings forbid'} shipping")


def _verify(tree: Path, *, json: bool) -> None:
    """Say what papers and files agree on. Raises AuditError where they do not."""
    from buildmatrix import extras

    if not tree.is_dir():
        raise UsageError(f"no such folder: {tree}")
    extras.require("sbom")
    from buildmatrix import attest

    claimed = attest.check(tree)
    if json:
        print_json(claimed)
        return
    definition = claimed["predicate"]["buildDefinition"]
    sources = definition["resolvedDependencies"]
    parameters = definition["externalParameters"]
    say(
        f"{tree}: {len(claimed['subject'])} files of {parameters['cell']}, each as the statement "
        f"says, made from {len(sources)} things that it names; the bill is valid CycloneDX 1.6"
    )
    say(
        "no signature: who can write this folder can write its papers too; hold the statement's "
        "sha256 against one that came another way"
    )


def _choice(target: str, host: str, matrix: str, state: str) -> Choice | None:
    """What --target or --host chose; None where neither was given."""
    from buildmatrix.pipeline import baselines

    if target:
        return baselines.named(target, project_folder(Path(matrix)) / "toolchains")
    if not host:
        return None
    from buildmatrix.boards import seen

    where = state_of(matrix, state)
    look = seen.look_or_recall(host, devices=devices_of(matrix), access=access(where), state=where)
    return baselines.of_board(look.info, seen=look.at, cached=look.cached, sonames=look.sonames)


def _judged(
    subject: str, choice: Choice | None, matrix: str, state: str, reporter: Progress
) -> dict[str, Any]:
    """A cell by its id; what is no cell, or has a slash, by its path."""
    from buildmatrix.pipeline.auditing import audit_cell, audit_path
    from buildmatrix.pipeline.baselines import by_default

    path = Path(subject)
    # The matrix is read a second time only where the name is one of both.
    if "/" not in subject and (not path.exists() or _is_cell(subject, matrix)):
        return audit_cell(workshop(matrix, [subject], state, reporter), choice)
    if not path.exists():
        raise UsageError(f"no such file or folder: {subject}")
    return audit_path(path, choice or by_default)


def _is_cell(subject: str, matrix: str) -> bool:
    """Whether the matrix, if there is one that can be read, has a cell of that name."""
    if not Path(matrix).exists():
        return False
    from buildmatrix.pipeline import project

    try:
        there = project.load(Path(matrix), state=state_of(matrix, "")).matrix.cells
    except InputError:
        return False
    return any(cell.id == subject for cell in there)


TASKS = (audit,)
