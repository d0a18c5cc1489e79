"""Audit documents: of a stored cell, or of any ELF tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.audit.document import Audit
from buildmatrix.errors import InputError
from buildmatrix.graph import LIBC
from buildmatrix.nouns import AuditPolicy, Target
from buildmatrix.pipeline.stored import stored

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.pipeline.workshop import Workshop

# What a stray ELF tree is held against: the widest that a Raspberry Pi 3 takes, in 32-bit state
# unless more files are 64-bit. Its libc is not known, so the floor is out of the way.
ANY_PI3 = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "999.0")
ANY_PI3_64 = Target("aarch64-linux-gnu", "EM_AARCH64", "armv8-a", "", "hard", "999.0")
# Beside libc, of every Raspberry Pi OS: pi-gen, stage2/01-sys-tweaks/00-packages, installs
# build-essential, and dpkg itself needs zlib. A stray tree need not bring these; a bundle does.
PI_OS = ("libgcc_s.so.1", "libgomp.so.1", "libstdc++.so.6", "libz.so.1")


def audit_cell(workshop: Workshop) -> dict[str, Any]:
    """The audit document of the first selected cell. Raises InputError when it is not built."""
    cell = workshop.project.cells[0]
    one = stored(workshop)[cell.id]
    if one.audit is None:
        hint = f"run `inv build --only {cell.id}`" if one.has_runner else ""
        raise InputError(f"{cell.id} {one.reason}", where=cell.where, hint=hint)
    return {"cell": cell.id, **one.audit.to_json()}


def audit_path(path: Path) -> dict[str, Any]:
    """Facts and findings of a file or folder that this program did not make."""
    from buildmatrix import audit, elf

    tree = elf.survey(path) if path.is_dir() else elf.survey_file(path)
    facts = tree.facts
    if not facts and not tree.odd:
        raise InputError("no ELF file here", where=str(path))
    # One file alone says nothing of its neighbours: what it needs is taken as there.
    needed = tuple(name for f in facts for name in f.needed) if path.is_file() else ()
    machines = [f.machine for f in facts]
    long = machines.count(ANY_PI3_64.machine) > machines.count(ANY_PI3.machine)
    target = ANY_PI3_64 if long else ANY_PI3
    findings = audit.judge_tree(tree, AuditPolicy(target, provided=(*LIBC, *PI_OS, *needed)))
    return Audit(findings, facts).to_json()
