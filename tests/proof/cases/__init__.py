"""Every case, in the order of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.cases import (
    ends,
    folders,
    handed,
    headers,
    instructions,
    interposed,
    kinds,
    languages,
    later,
    linkers,
    links,
    lists,
    mapped,
    opened,
    others,
    paths,
    places,
    row,
    starts,
    symbols,
    system,
    threads,
    units,
    weak,
    whole,
)

if TYPE_CHECKING:
    from tests.proof.case import Case


def every() -> tuple[Case, ...]:
    """All cases; their names are unique."""
    rows = (
        *instructions.cases(),
        *places.cases(),
        *linkers.cases(),
        *paths.cases(),
        *symbols.cases(),
        *whole.cases(),
        *row.cases(
            (
                *kinds.ROWS,
                *opened.ROWS,
                *folders.ROWS,
                *starts.ROWS,
                *system.ROWS,
                *handed.ROWS,
                *later.ROWS,
                *others.ROWS,
                *links.ROWS,
                *weak.ROWS,
                *lists.ROWS,
                *mapped.ROWS,
                *threads.ROWS,
                *units.ROWS,
                *languages.ROWS,
                *ends.ROWS,
                *headers.ROWS,
                *interposed.ROWS,
            )
        ),
    )
    names = [case.name for case in rows]
    assert len({*names}) == len(names), sorted(n for n in names if names.count(n) > 1)
    return rows
