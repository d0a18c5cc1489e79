"""Rules about how a file is put into memory: segments, stack, relocations, header flags."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.process import is_program, is_static
from buildmatrix.audit.rule import ERROR, WARNING, Rule
from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts

# The relocation types that glibc's loader does (sysdeps/arm and aarch64, dl-machine.h); another
# ends with 'unexpected reloc type'. Numbers: the processors' ELF supplements.
DONE = {
    "EM_ARM": frozenset((0, 1, 2, 13, 17, 18, 19, 20, 21, 22, 23, 160)),
    "EM_AARCH64": frozenset((0, 257, 258, *range(1024, 1033))),
}
# Of the procedure linkage table, bound lazily: else 'unexpected PLT reloc type'.
STUBS = {"EM_ARM": frozenset((13, 22, 160)), "EM_AARCH64": frozenset((1026, 1031, 1032))}
NAMES = {
    ("EM_ARM", 3): "R_ARM_REL32",
    ("EM_ARM", 10): "R_ARM_THM_CALL",
    ("EM_ARM", 28): "R_ARM_CALL",
    ("EM_ARM", 29): "R_ARM_JUMP24",
    ("EM_ARM", 42): "R_ARM_PREL31",
    ("EM_ARM", 43): "R_ARM_MOVW_ABS_NC",
    ("EM_ARM", 44): "R_ARM_MOVT_ABS",
    ("EM_ARM", 47): "R_ARM_THM_MOVW_ABS_NC",
    ("EM_ARM", 48): "R_ARM_THM_MOVT_ABS",
    ("EM_AARCH64", 260): "R_AARCH64_PREL64",
    ("EM_AARCH64", 261): "R_AARCH64_PREL32",
    ("EM_AARCH64", 275): "R_AARCH64_ADR_PREL_PG_HI21",
    ("EM_AARCH64", 277): "R_AARCH64_ADD_ABS_LO12_NC",
    ("EM_AARCH64", 283): "R_AARCH64_CALL26",
}
NO_LATE_STACK = (2, 41)  # glibc's NEWS for 2.41: dlopen no longer makes the stack executable
BY_ADDRESS = (2, 36)  # glibc looks at where a segment begins; 2.31 does at p_align
NO_ADDENDS = (2, 41)  # the first glibc seen to take none on 32-bit ARM; 2.36 took them
PI5_PAGE = 16384  # of the Raspberry Pi 5's default kernel


def executable_stack(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.executable_stack:
            yield facts.file, "asks for an executable stack (PT_GNU_STACK is RWE or absent)"


def opened_executable_stack(tree: Tree) -> Iterator[Fault]:
    """From 2.41 on glibc does not make a stack executable for a library that is opened later."""
    floor = tree.target.libc_floor
    if not floor or version_tuple(floor) < NO_LATE_STACK:
        return
    openers = {name: f.file for f in tree.own for name in f.linking.opens}
    if any(f.executable_stack and f.linking.interpreter for f in tree.own):
        return  # the process has such a stack from the start
    for facts in tree.own:
        opener = openers.get(PurePosixPath(facts.file).name)
        if facts.executable_stack and opener:
            yield facts.file, f"asks for an executable stack, and {opener} opens it (dlopen)"


def text_relocations(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.text_relocations:
            yield facts.file, "has text relocations (DT_TEXTREL)"


def alignment(tree: Tree) -> Iterator[Fault]:
    page = tree.policy.page_size
    for facts in tree.own if page else ():
        if reason := _unmappable(tree, facts, page):
            aligned = f"segments are aligned to {facts.linking.alignment} bytes"
            yield facts.file, f"{aligned}, the board's pages have {page} ({reason})"


def small_alignment(tree: Tree) -> Iterator[Fault]:
    """Where the page size is not known: the one board of the family that has larger pages."""
    if tree.policy.page_size or tree.target.machine != "EM_AARCH64":
        return
    for facts in tree.own:
        if _unmappable(tree, facts, PI5_PAGE):
            yield (
                facts.file,
                f"segments are aligned to {facts.linking.alignment} bytes: not loadable where "
                "pages have 16384, as with the Raspberry Pi 5's default kernel",
            )


def _unmappable(tree: Tree, facts: ElfFacts, page: int) -> str:
    """How a file ends where pages have `page` bytes; empty where it is mapped.

    Seen under Debian's 16 KiB kernel: p_align binds no program, and no library from glibc 2.36 on.
    """
    linking = facts.linking
    if not linking.alignment or linking.alignment % page == 0:
        return ""
    fits = linking.largest_page >= page
    if is_program(facts):
        return "" if fits else "Linux cannot map a program so, and ends it"
    floor = tree.target.libc_floor
    if floor and version_tuple(floor) >= BY_ADDRESS:
        return "" if fits else "'ELF load command address/offset not page-aligned'"
    return "'ELF load command alignment not page-aligned'"


def unknown_relocation(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        machine = facts.machine
        done = DONE.get(machine)
        odd = [] if done is None else [t for t in facts.linking.relocations if t not in done]
        if odd:
            words = ", ".join(NAMES.get((machine, kind), f"type {kind}") for kind in odd)
            yield facts.file, f"asks the loader for relocations that it does not do: {words}"
        elif lazy := _lazily_refused(facts):
            words = ", ".join(map(str, lazy))
            yield facts.file, f"has relocations of stubs that the loader refuses: type {words}"
        yield from _other_form(tree, facts)
        if facts.linking.android_relocations:
            yield facts.file, "has relocations packed for Android, which glibc does not read"


def _other_form(tree: Tree, facts: ElfFacts) -> Iterator[Fault]:
    """What lld's -z rel and -z rela write, and glibc does not take on the machine: of stubs it says
    'Assertion info[DT_PLTREL]->d_un.d_val == DT_RELA', the others it passes over in silence. On
    ARM 2.36 took both forms."""
    floor = tree.target.libc_floor
    if facts.machine == "EM_AARCH64":
        taken, word = "RELA", "without"
    elif facts.machine == "EM_ARM" and floor and version_tuple(floor) >= NO_ADDENDS:
        taken, word = "REL", "with"
    else:
        return
    if is_static(facts):
        return
    if facts.linking.addends not in (None, taken == "RELA"):
        yield facts.file, f"has relocations of stubs {word} addends, and glibc stops there"
    if set(facts.linking.forms) - {taken}:
        yield (
            facts.file,
            f"has relocations {word} addends, which glibc does not do: pointers in its data are "
            "left as they are",
        )


def _lazily_refused(facts: ElfFacts) -> list[int]:
    """The types in the procedure linkage table that the loader takes for none of it, unless it
    binds all names at the start."""
    if {"BIND_NOW", "NOW"}.intersection(facts.linking.flags) or is_static(facts):
        return []
    of_stubs = STUBS.get(facts.machine, frozenset())
    return [t for t in facts.linking.stub_relocations if of_stubs and t not in of_stubs]


def soft_float_header(tree: Tree) -> Iterator[Fault]:
    """Of libraries: Linux starts a program whatever its header says of floats."""
    for facts in tree.own:
        asked = tree.target.float_abi == "hard" and not is_program(facts)
        if asked and facts.linking.soft_float_by_header:
            yield (
                facts.file,
                "its header says soft-float and nothing in it passes a float: the linker found no "
                "Tag_ABI_VFP_args. glibc passes the file over: 'No such file or directory'",
            )


RULES = (
    Rule(
        "BM104",
        ERROR,
        "The header of the file says soft-float where no code does.",
        "Link with gcc, whose crti.o says how floats are passed, or put "
        "`.eabi_attribute Tag_ABI_VFP_args, 1` into the assembly.",
        soft_float_header,
    ),
    Rule(
        "BM134",
        ERROR,
        "The loader is asked for relocations that it cannot do.",
        "Compile everything in the shared object with -fPIC, and link it with -Wl,-z,text, which "
        "refuses what the loader would, without -z rel and -z rela; for packed ones, without "
        "--pack-dyn-relocs=android.",
        unknown_relocation,
    ),
    Rule(
        "BM160",
        ERROR,
        "The file makes the stack of the whole process executable.",
        "Link with -Wl,-z,noexecstack: assembly without a .note.GNU-stack section asks for it.",
        executable_stack,
        starts=True,
    ),
    Rule(
        "BM166",
        ERROR,
        "The loader refuses to open a library that asks for an executable stack (glibc 2.41).",
        "Link it with -Wl,-z,noexecstack: assembly without a .note.GNU-stack section asks for it.",
        opened_executable_stack,
    ),
    Rule(
        "BM161",
        WARNING,
        "The loader must write into the code, so its pages are not shared.",
        "Compile everything in the shared object with -fPIC.",
        text_relocations,
    ),
    Rule(
        "BM162",
        ERROR,
        "The segments of the file are aligned to less than a page of the board.",
        "Link with -Wl,-z,max-page-size=65536, which suits every kernel.",
        alignment,
    ),
    Rule(
        "BM163",
        WARNING,
        "The file cannot be loaded where pages are larger than 4 KiB.",
        "Link with -Wl,-z,max-page-size=65536, or name the board with --target.",
        small_alignment,
    ),
)
