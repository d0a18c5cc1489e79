"""Rules about what may go wrong later: what is opened by name, and what does not fit together."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit import search
from buildmatrix.audit.process import is_static
from buildmatrix.audit.rule import NOTE, WARNING, Rule
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.tree import Fault, Tree

SHOWN = 5  # names of one finding
# Libraries of the compiler and of libc: they call both kinds, and hand no time to their users.
BASE = ("ld-linux", "libc.", "libc-", "libm.", "libstdc++.", "libgcc_s.", "libgomp.", "libpthread")


def two_widths_of_time(tree: Tree) -> Iterator[Fault]:
    """32-bit ARM: Debian 13 compiles with a time_t of 64 bits, Debian 12 and before with 32."""
    for process in tree.processes:
        mine = [f for f in process.files if not PurePosixPath(f.file).name.startswith(BASE)]
        wide = [facts.file for facts in mine if facts.time64]
        narrow = [facts.file for facts in mine if facts.time64 is False]
        if wide and narrow:
            yield (
                process.root.file,
                f"time_t has 64 bits in {some(wide, SHOWN)} and 32 in {some(narrow, SHOWN)}: "
                "a struct timespec that one hands to the other is misread",
            )


def opened_by_name(tree: Tree) -> Iterator[Fault]:
    there = {*tree.policy.provided, *tree.files.by_name}
    for facts in tree.own:
        names = [PurePosixPath(name).name for name in facts.linking.opens]
        unknown = sorted({name for name in names if name not in there} - set(facts.needed))
        if unknown:
            yield (
                facts.file,
                f"may open {some(unknown, SHOWN)} at run time; whether it is there is open",
            )


def named_and_unfound(tree: Tree) -> Iterator[Fault]:
    for process in tree.openings:
        for one in process.unfound:
            where = " and ".join(tree.files.by_name[one.name])
            yield (
                one.asker.file,
                f"names {one.name} to open it (dlopen), which lies at {where}: no path of the "
                "file's leads there",
            )


def by_platform(tree: Tree) -> Iterator[Fault]:
    choices = search.platforms(tree.target)
    messages: set[Fault] = set()
    for process in tree.runs if len(choices) > 1 else ():
        for one in process.loaded[1:]:
            folder = PurePosixPath(one.path).parent
            for word in {*folder.parts} & {*choices}:
                words = f"finds {PurePosixPath(one.path).name} in {folder}"
                fault = (process.root.file, f"{words}: where the kernel calls the platform {word}")
                if fault not in messages:
                    messages.add(fault)
                    yield fault


def opened_by_static(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.linking.opens and is_static(facts):
            yield (
                facts.file,
                f"is static and names {some(facts.linking.opens, SHOWN)} to open: what is "
                "opened loads the board's C library beside its own, which must be the same glibc "
                "to the version",
            )


def unusual_loading(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        link = facts.linking
        if "NODEFLIB" in link.flags:
            yield facts.file, "has DF_1_NODEFLIB: the board's own folders are not searched for it"
        if link.auditors:
            yield facts.file, f"has the loader call {some(link.auditors, SHOWN)} (DT_AUDIT)"


RULES = (
    Rule(
        "BM133",
        WARNING,
        "Code with a time_t of 32 bits and code with one of 64 bits meet in one process.",
        "Take all of them from one suite, or build the older ones with -D_TIME_BITS=64 "
        "-D_FILE_OFFSET_BITS=64.",
        two_widths_of_time,
    ),
    Rule(
        "BM147",
        NOTE,
        "The file names libraries that it may open at run time (dlopen).",
        "Ship those that the program cannot do without; no table tells which it opens.",
        opened_by_name,
    ),
    Rule(
        "BM149",
        WARNING,
        "A library that a program names to open is there, and is not found by that name.",
        "Link who names it with -Wl,-rpath,'$ORIGIN/…'; harmless where it opens the library by a "
        "path that it makes itself.",
        named_and_unfound,
    ),
    Rule(
        "BM168",
        WARNING,
        "A static program opens libraries at run time.",
        "Link it without -static; glibc says so when it is linked ('requires at runtime the shared "
        "libraries from the glibc version used for linking').",
        opened_by_static,
    ),
    Rule(
        "BM153",
        WARNING,
        "A library is found under some of the board's kernels only.",
        "Put it into a folder that is not called after the platform (AT_PLATFORM is v7l under a "
        "32-bit kernel, v8l under one of 64 bits).",
        by_platform,
    ),
    Rule(
        "BM165",
        NOTE,
        "The file changes how the loader works.",
        "See that what it names is on the board too.",
        unusual_loading,
    ),
)
