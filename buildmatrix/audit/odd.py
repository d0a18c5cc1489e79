"""Rules about files that cannot be judged: each is a finding, and stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.audit.rule import ERROR, NOTE, WARNING, Rule
from buildmatrix.nouns import Oddity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.audit.tree import Fault, Tree


def _each(oddity: Oddity) -> Callable[[Tree], Iterator[Fault]]:
    return lambda tree: ((odd.file, odd.details) for odd in tree.elf.odd if odd.oddity is oddity)


RULES = (
    Rule(
        "BM105",
        ERROR,
        "The file is damaged, or not what it claims to be: nothing is known of it.",
        "Build or copy it again; `readelf -aW FILE` (`ar t FILE` for a static library) shows where "
        "it breaks.",
        _each(Oddity.DAMAGED),
    ),
    Rule(
        "BM176",
        WARNING,
        "The end of the file is gone, and nothing that the loader reads with it.",
        "Copy or build it again: it starts, and its code and attributes cannot be judged.",
        _each(Oddity.CUT),
    ),
    Rule(
        "BM106",
        WARNING,
        "There is no code in the file to be judged.",
        "Audit what is linked from it; for debug information, the file that it belongs to.",
        _each(Oddity.NO_CODE),
    ),
    Rule(
        "BM107",
        NOTE,
        "The file, or a part of it, is in a form that is not read.",
        "Audit a package by itself or what it unpacks to; compress debug information with zlib "
        "(-gz) where the compiler's flags are to be audited.",
        _each(Oddity.UNREAD),
    ),
)
