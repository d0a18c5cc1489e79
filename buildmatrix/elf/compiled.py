"""Instructions of a file in units that were compiled for them as a whole, and who may come there.

Where a function has its own target, or an assembler file, somebody thought of who calls it. Who
gives a whole source file -march lets the compiler use all of that in each of its functions, in
every loop: in a file that never asks what the processor has, coming there is enough.
"""

from __future__ import annotations

import bisect
import sys
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.leads import Leads
from buildmatrix.elf.roots import exported, is_program, roots
from buildmatrix.elf.tables import machine_name
from buildmatrix.isa.cores import compiled_for, deciding
from buildmatrix.nouns import CompiledFor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.units import Unit, Units

    Ranges = list[tuple[int, int]]


def compiled(
    memory: Memory, hits: Mapping[str, NDArray[np.int64]], units: Units
) -> dict[str, CompiledFor]:
    """For each feature of `hits` (sorted addresses of its instructions) that some unit was compiled
    for and holds: the unit with most of them, and who may come to those in any such unit."""
    counts: dict[str, Counter[Unit]] = {feature: Counter() for feature in hits}
    places: dict[str, list[NDArray[np.int64]]] = {feature: [] for feature in hits}
    spans: dict[str, Ranges] = {feature: [] for feature in hits}
    machine = machine_name(memory.image)
    for unit in units.rows:
        used = compiled_for(machine, unit.switches) & hits.keys()
        ranges = units.ranges(unit) if used else []
        for feature in used:
            inside = [_within(hits[feature], start, end) for start, end in ranges]
            if number := sum(map(len, inside)):
                counts[feature][unit] += number
                places[feature] += inside
                spans[feature] += ranges
    leads = Leads(memory)
    return {
        feature: _row(memory, leads, rows, np.concatenate(places[feature]), sorted(spans[feature]))
        for feature, rows in counts.items()
        if rows
    }


def _within(addresses: NDArray[np.int64], start: int, end: int) -> NDArray[np.int64]:
    first, last = np.searchsorted(addresses, (start, end))
    return addresses[first:last]


def _row(
    memory: Memory,
    leads: Leads,
    counts: Counter[Unit],
    places: NDArray[np.int64],
    spans: Ranges,
) -> CompiledFor:
    """Of a library a function that lies in such a unit counts as well where the instructions are
    in one that is called through a pointer: whose, nobody can tell."""
    leading = leads.leading_to(leads.functions(places.tolist()))
    by_pointer = bool(leading & leads.taken)
    started = bool(leading & leads.functions(root.address for root in roots(memory)))
    offered = {
        root.label
        for root in exported(memory)
        if leads.functions([root.address]) & leading
        or (by_pointer and _lies_in(spans, root.address))
    }
    unit = counts.most_common(1)[0][0]
    return CompiledFor(
        unit=unit.name,
        switch=deciding(unit.switches),
        started=started or (by_pointer and is_program(memory.image)),
        exports=tuple(sorted(offered)),
    )


def _lies_in(spans: Ranges, address: int) -> bool:
    """Whether one of the sorted spans, which share no address, holds it."""
    place = bisect.bisect_right(spans, (address, sys.maxsize)) - 1
    return place >= 0 and address < spans[place][1]
