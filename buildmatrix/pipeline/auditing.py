"""Audits: of a stored cell, or of any ELF tree, against a baseline that is always named."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix import glibc
from buildmatrix.audit.document import Audit
from buildmatrix.errors import InputError
from buildmatrix.nouns import AuditPolicy
from buildmatrix.pipeline.baselines import by_default, of_toolchain

if TYPE_CHECKING:
    from buildmatrix.baseline import Baseline
    from buildmatrix.nouns import ElfTree
    from buildmatrix.pipeline.baselines import Choice
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.works import BundleWork, ProductWork

OF_MUSL = re.compile(r"libc\.musl-")  # Alpine's C library, which no board with glibc has


def audit_cell(workshop: Workshop, choice: Choice | None = None) -> dict[str, Any]:
    """The audit of the first selected cell: as stored, or its bundle against another baseline.

    Raises InputError when the cell is not built.
    """
    from buildmatrix.pipeline.planning import plan_all
    from buildmatrix.pipeline.stored import audited
    from buildmatrix.works import BundleWork, ProductWork

    actions = plan_all(workshop)
    one, audit = audited(workshop, actions)
    cell = one.cell
    if choice is None:
        baseline = of_toolchain(workshop.project.toolchains[cell.toolchain])
        return {"cell": cell.id, **_document(baseline, audit)}
    work = workshop.project.graph.audit_of(cell.id)
    assert isinstance(work.subject, BundleWork | ProductWork)
    key = next(action.key for action in actions if action.id == work.needs[0])
    return {"cell": cell.id, **_against(workshop, work.subject, key, choice)}


def audit_path(path: Path, choice: Choice = by_default) -> dict[str, Any]:
    """The audit of a file, folder, wheel, Debian package or archive that this program did not
    make, against a chosen baseline."""
    from buildmatrix import audit

    tree, alone = _read(path)
    if not tree.facts and not tree.odd:
        raise InputError("no ELF file here", where=ascii(str(path))[1:-1])
    baseline = choice([one.machine for one in tree.facts])
    names = (name for one in tree.facts for name in one.needed) if alone else ()
    needed = [name for name in names if not OF_MUSL.match(name)]
    policy = AuditPolicy(
        baseline.target,
        provided=(*glibc.LIBRARIES, *baseline.provided, *baseline.files, *needed),
        libraries=baseline.libraries,
        page_size=baseline.page_size,
        memory=baseline.memory,
        stray=True,
    )
    return _document(baseline, Audit(audit.judge_tree(tree, policy), tree.facts))


def _read(path: Path) -> tuple[ElfTree, bool]:
    """The tree at a path, and whether what it needs is taken as there: one file alone says nothing
    of its neighbours, and those of a distribution's package are in others."""
    from buildmatrix import elf

    if path.is_dir():
        return elf.survey(path), False
    from buildmatrix.sources import layout, wheel

    if not path.is_file() or not layout.is_archive(path):
        return elf.survey_file(path), True
    with tempfile.TemporaryDirectory(prefix="buildmatrix-audit-") as folder:
        packaged = layout.lay_out(path, Path(folder), elf.MAGICS)
        tree = elf.survey(Path(folder))
    promised = wheel.promised_libc(path.name)
    rooted, modes = packaged or tree.rooted, frozenset[str]()  # who installs it sets the modes
    return replace(tree, rooted=rooted, unexecutable=modes, promised_libc=promised), packaged


def _against(
    workshop: Workshop, work: BundleWork | ProductWork, key: str, choice: Choice
) -> dict[str, Any]:
    """What is stored of a cell, by its recipe's rules for NEON and another baseline."""
    from buildmatrix import audit
    from buildmatrix.pipeline.packing import survey

    with tempfile.TemporaryDirectory() as folder:
        workshop.store.checkout(key, Path(folder) / "files")
        tree = survey(work, Path(folder) / "files")
    baseline = choice([one.machine for one in tree.facts])
    policy = replace(
        work.held_against(tree.facts),
        target=baseline.target,
        libraries=baseline.libraries,
        page_size=baseline.page_size,
        memory=baseline.memory,
    )
    return _document(baseline, Audit(audit.judge_tree(tree, policy), tree.facts))


def _document(baseline: Baseline, audit: Audit) -> dict[str, Any]:
    return {**audit.to_json(), "target": baseline.document()}
