"""Rules about where a run begins: code, and under BTI a landing pad."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.process import is_program, is_static
from buildmatrix.audit.rule import ERROR, Rule
from buildmatrix.isa.features import features_of
from buildmatrix.nouns import version_tuple
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts

FIRST_BTI = (2, 32)  # glibc's NEWS: the loader maps code that is marked for BTI so
PROGRAMS = ("bin", "sbin")  # names of folders
FEW = 3  # names of one finding


def no_code(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if is_program(facts) and facts.linking.alignment and not facts.linking.entry_is_code:
            yield facts.file, "its entry point lies in no code: the first instruction is none"


def not_executable(tree: Tree) -> Iterator[Fault]:
    """Of a tree as it lies there; a package's files get their modes when it is installed."""
    for facts in tree.own:
        if facts.file in tree.elf.unexecutable and is_program(facts):
            yield facts.file, "is a program that nobody may execute: 'Permission denied'"


def not_linked(tree: Tree) -> Iterator[Fault]:
    """Where shells look for programs: objects elsewhere are for a linker, or kernel modules."""
    for facts in tree.own:
        path = PurePosixPath(facts.file)
        if facts.elf_type == "ET_REL" and path.parent.name in PROGRAMS and path.suffix != ".o":
            yield facts.file, "is an object that was not linked: 'Exec format error'"


def no_function(tree: Tree) -> Iterator[Fault]:
    """glibc calls what is listed, be it 0; a file that it never loads is not asked."""
    for facts in tree.own:
        if facts.linking.no_functions:
            words = some(facts.linking.no_functions, FEW)
            yield facts.file, f"has the loader call what is no code of the file: {words}"


def no_landing_pad(tree: Tree) -> Iterator[Fault]:
    """Of a processor that has BTI; no Raspberry Pi's does, and there the mark means nothing."""
    if "bti" not in features_of(tree.target):
        return
    floor = tree.target.libc_floor
    loader_knows = not floor or version_tuple(floor) >= FIRST_BTI
    for facts in tree.own:
        if not (loader_knows or is_static(facts)):
            continue
        names = facts.linking.unlanded or _imported(tree, facts)
        if names:
            yield (
                facts.file,
                "is marked for BTI, and no landing pad is at "
                f"{some(names, FEW)}: SIGILL where it is called through a pointer",
            )


def _imported(tree: Tree, facts: ElfFacts) -> tuple[str, ...]:
    """Functions that the file offers without a landing pad and a file beside it asks for."""
    offered = facts.linking.unlanded_exports
    if not offered:
        return ()
    around = [p for p in tree.runs if any(one is facts for one in p.files)]
    tables = (one.symbols for p in around for one in p.files if one is not facts)
    asked = {one.name for table in tables if table is not None for one in table.imports}
    return tuple(name for name in offered if name in asked)


RULES = (
    Rule(
        "BM155",
        ERROR,
        "The file names a place without code for the loader to call.",
        "Name functions alone in .init_array, .fini_array and -Wl,-init; `readelf -dW FILE` shows "
        "DT_INIT and where the arrays lie.",
        no_function,
    ),
    Rule(
        "BM119",
        ERROR,
        "The file is marked for branch target identification, and its code is not made for it.",
        "Compile every part with -mbranch-protection=standard, start files included, or link "
        "without -z force-bti.",
        no_landing_pad,
    ),
    Rule(
        "BM167",
        ERROR,
        "A run begins where there is no code.",
        "Link with the compiler's own start files, or name a function by -Wl,-e.",
        no_code,
    ),
    Rule(
        "BM171",
        ERROR,
        "The mode of a program lets nobody execute it.",
        "chmod +x it, and copy it in a way that keeps modes (cp -p, tar; a zip file may not).",
        not_executable,
    ),
    Rule(
        "BM175",
        ERROR,
        "What lies among programs is an object.",
        "Link it: the compiler was called with -c, or the linker with -r.",
        not_linked,
    ),
)
