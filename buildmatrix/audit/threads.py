"""Rules about thread-local variables in the block that the loader makes at the start.

It keeps some bytes in it for libraries that are opened later. What such a library reserves there is
its own block and, where it takes another library's variables by the initial-exec model, that one's.
Sources: glibc, elf/dl-reloc.c (_dl_try_allocate_static_tls), elf/dl-tls.c; 2.31 to 2.41.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.process import is_program
from buildmatrix.audit.rule import NOTE, WARNING, Rule
from buildmatrix.audit.undefined import definer
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.process import Process
    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts

# What glibc keeps for libraries that are opened later (rtld.optional_static_tls and its surplus
# for the namespaces), and how the whole block is aligned at least.
SURPLUS, ALIGNED = 1664, 32
TPREL = {"EM_ARM": 19, "EM_AARCH64": 1030}  # R_ARM_TLS_TPOFF32, R_AARCH64_TLS_TPREL
# Libraries of the compiler and of libc are there before any is opened.
BASE = ("ld-linux", "libc.", "libc-", "libm.", "libstdc++.", "libgcc_s.", "libgomp.", "libpthread")
FEW = 3  # files of one finding
NO_ROOM = "of static TLS, and {} names it to open it: 'cannot allocate memory in static TLS block'"


def no_room(tree: Tree) -> Iterator[Fault]:
    """A library for which there is no room, whatever else is opened; part of BM148."""
    told: set[str] = set()
    for process, late in _opened(tree):
        aligned = max((f.linking.tls_alignment for f in _started(tree, process)), default=0)
        for facts, taker in late:
            link = facts.linking
            if facts.file in told:
                continue
            wants = ""
            if link.tls_size > SURPLUS:
                wants = f"{link.tls_size} bytes"
            elif link.tls_alignment > max(aligned, ALIGNED):
                wants = f"{link.tls_size} bytes aligned to {link.tls_alignment}"
            if wants:
                told.add(facts.file)
                who = "" if taker is facts else f" for {taker.file}"
                yield (
                    facts.file,
                    f"needs {wants}{who} {NO_ROOM.format(process.root.file)}",
                )


def no_room_together(tree: Tree) -> Iterator[Fault]:
    for process, late in _opened(tree):
        blocks = [facts.linking for facts, _ in late]
        end = 0
        for block in blocks:
            grain = max(block.tls_alignment, 1)
            end = -(-end // grain) * grain + block.tls_size
        if end > SURPLUS >= max((block.tls_size for block in blocks), default=0):
            files = some([facts.file for facts, _ in late], FEW)
            yield (
                process.root.file,
                f"names libraries to open (dlopen) that want {end} bytes of static TLS together, "
                f"and the loader keeps {SURPLUS}: {files}",
            )


def static_tls(tree: Tree) -> Iterator[Fault]:
    started = frozenset(f.file for p in tree.processes if p.is_program for f in p.files)
    for facts in tree.own:
        mine = not PurePosixPath(facts.file).name.startswith(BASE)
        if reserves(facts) and mine and not is_program(facts) and facts.file not in started:
            yield facts.file, "has thread-local variables of the initial-exec model (STATIC_TLS)"


def _opened(tree: Tree) -> Iterator[tuple[Process, Sequence[tuple[ElfFacts, ElfFacts]]]]:
    """Each process with what is opened in it later and gets room then: the library, and the one
    that makes it so."""
    for process in tree.openings:
        started = {facts.file for facts in _started(tree, process)}
        files = tuple(process.files)
        late: dict[str, tuple[ElfFacts, ElfFacts]] = {}
        for taker in files:
            if taker.file in started or not reserves(taker):
                continue
            names = (
                [one for one in taker.symbols.imports if one.thread_local] if taker.symbols else ()
            )
            others = (definer(one, taker, files, forgiving=True) for one in names)
            for facts in (taker, *others):
                if facts is not None and facts.linking.tls_size and facts.file not in started:
                    late.setdefault(facts.file, (facts, taker))
        if late:
            yield process, tuple(late.values())


def _started(tree: Tree, process: Process) -> Iterator[ElfFacts]:
    """The files that the process has loaded when its program begins."""
    return (f for one in tree.processes if one.root is process.root for f in one.files)


def reserves(facts: ElfFacts) -> bool:
    """Whether it wants its thread-local variables in the block that is made at the start: it says
    so, or has the relocation for it (GNU ld for AArch64 sets no flag)."""
    flagged = "STATIC_TLS" in facts.linking.flags
    return flagged or TPREL.get(facts.machine) in facts.linking.relocations


RULES = (
    Rule(
        "BM156",
        WARNING,
        "The libraries that a program opens may want more room than the loader keeps.",
        "Link some of them to the program, or compile them without -ftls-model=initial-exec; "
        "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=BYTES makes room.",
        no_room_together,
    ),
    Rule(
        "BM164",
        NOTE,
        "The library takes room that the loader keeps for thread-local variables.",
        "Harmless where a program needs the library; opened at run time (dlopen, Python), several "
        "of them can end in 'cannot allocate memory in static TLS block'.",
        static_tls,
    ),
)
