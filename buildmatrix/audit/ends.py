"""Rules about runs that come to a trap (brk, udf), where no processor goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.audit.rule import ERROR, WARNING, Rule
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts

FEW = 3  # functions that one message names
# Who catches the signal of a trap may go on behind it.
CATCHING = frozenset(
    ("signal", "sigaction", "bsd_signal", "sysv_signal", "__sysv_signal", "sigset")
)


def stops(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.linking.stops and not _is_caught(tree, facts):
            yield facts.file, f"{some(facts.linking.stops, FEW)}: comes to a trap, or aborts"


def may_stop(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        sure = facts.linking.stops if _is_caught(tree, facts) else ()
        if sure:
            yield (
                facts.file,
                f"{some(sure, FEW)}: comes to a trap, and a handler may take its signal",
            )
        elif facts.linking.may_stop:
            yield (
                facts.file,
                f"{some(facts.linking.may_stop, FEW)}: comes to a trap, unless something that it "
                "calls first ends the process",
            )


def _is_caught(tree: Tree, facts: ElfFacts) -> bool:
    """Whether a file that is loaded with it may take the signal."""
    around = (one for process in tree.around.get(facts.file, ()) for one in process.files)
    tables = (one.symbols for one in (facts, *around) if one.symbols is not None)
    return any(name.name in CATCHING for table in tables for name in table.imports)


RULES = (
    Rule(
        "BM173",
        ERROR,
        "A run cannot but come to a trap.",
        "Take out what the compiler made a trap of (__builtin_trap, a null pointer that is used, "
        "the end of a function without a return).",
        stops,
    ),
    Rule(
        "BM174",
        WARNING,
        "A run comes to a trap, unless something ends it before.",
        "Harmless where that end is never come to: behind a loop, or a function that does not "
        "return.",
        may_stop,
    ),
)
