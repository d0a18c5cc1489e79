"""Rules about what may go wrong later: what is opened by name, and what does not fit together."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.rule import NOTE, WARNING, Rule

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
                f"time_t has 64 bits in {_some(wide)} and 32 in {_some(narrow)}: a struct timespec "
                "that one hands to the other is misread",
            )


def opened_by_name(tree: Tree) -> Iterator[Fault]:
    there = {*tree.policy.provided, *tree.files.by_name}
    for facts in tree.own:
        names = [PurePosixPath(name).name for name in facts.linking.opens]
        unknown = sorted({name for name in names if name not in there} - set(facts.needed))
        if unknown:
            yield facts.file, f"may open {_some(unknown)} at run time; whether it is there is open"


def unusual_loading(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        link = facts.linking
        if "NODEFLIB" in link.flags:
            yield facts.file, "has DF_1_NODEFLIB: the board's own folders are not searched for it"
        if link.auditors:
            yield facts.file, f"has the loader call {_some(link.auditors)} (DT_AUDIT)"


def _some(names: list[str] | tuple[str, ...]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


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
        "BM165",
        NOTE,
        "The file changes how the loader works.",
        "See that what it names is on the board too.",
        unusual_loading,
    ),
)
