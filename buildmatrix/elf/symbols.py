"""The dynamic symbol table: what a file must be given by others, and what it offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import tables as table
from buildmatrix.elf import versions
from buildmatrix.elf.addresses import is_one_of
from buildmatrix.elf.rows import symbol_rows
from buildmatrix.nouns import Import, Symbols

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from buildmatrix.elf.relocations import Relocations
    from buildmatrix.elf.tables import Image
    from buildmatrix.nouns import VersionNeed

BLAS = ("cblas_sgemm", "sgemm_")  # of its C interface, and of Fortran's
GLOBAL, WEAK, UNIQUE = 1, 2, 10  # st_info's upper half
OFFERED_TYPES = frozenset((0, 1, 2, 5, 6, 10))  # untyped, object, function, common, TLS, ifunc
THREAD_LOCAL = 6  # STT_TLS
DEFAULT, PROTECTED = 0, 3  # st_other: whom others may bind to
LOCAL_INDEX, GLOBAL_INDEX, FIRST_INDEX = 0, 1, 2  # in .gnu.version


def symbols(image: Image, moved: Relocations) -> Symbols:
    """Strong names that others must define, and names that others may bind to.

    A symbol with a copy relocation the file defines, and needs of a library all the same.
    """
    section = image.first(table.DYNSYM)
    if section is None or section.type == table.NOBITS:
        return Symbols()
    strings, rows = image.strings(section), symbol_rows(image, section)
    needed, defined = versions.needed(image), versions.defined(image)
    known = versions.of_symbols(image)[: len(rows)]
    known += [GLOBAL_INDEX] * (len(rows) - len(known))
    indices = [index & ~versions.HIDDEN for index in known]
    own = (rows["info"] & 15 == THREAD_LOCAL).tolist()
    copies, of_threads = moved.copied, set[str]()
    imports, exports = list[Import](), dict[str, tuple[str, ...]]()
    asked, offered = _asked(rows, copies), _offered(rows, np.array(indices, np.int64))
    some = np.flatnonzero(asked | offered)
    names = dict(zip(some.tolist(), strings.every(rows["name"][some].tolist()), strict=True))
    for number in np.flatnonzero(asked).tolist():
        need, copy = needed.get(indices[number]), number in copies
        imports.append(_import(names[number], need, copied=copy, own=own[number]))
    for number in np.flatnonzero(offered).tolist():
        text = names[number]
        exports[text] = (*exports.get(text, ()), defined.get(indices[number], ""))
        if own[number]:
            of_threads.add(text)
    concealed = offered & _concealed(np.array(known, np.int64))
    hidden = {names[number] for number in np.flatnonzero(concealed).tolist()}
    if hidden:
        hidden.difference_update(names[n] for n in np.flatnonzero(offered & ~concealed).tolist())
    kept = offered & (rows["other"] & 3 == PROTECTED)
    others = offered & ~kept
    return Symbols(
        tuple(imports),
        exports,
        frozenset(of_threads),
        frozenset(hidden),
        frozenset(names[n] for n in moved.called if n < len(others) and others[n]),
        frozenset(names[n] for n in np.flatnonzero(kept).tolist()),
    )


def _concealed(known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which symbols, by their words of .gnu.version, only a name with that version binds to:
    hidden, and of another version than the file's first (glibc, elf/dl-lookup.c, check_match)."""
    concealed: NDArray[np.bool_] = (known & versions.HIDDEN != 0) & (
        known & ~versions.HIDDEN > FIRST_INDEX
    )
    return concealed


def _asked(rows: NDArray[np.void], copied: Collection[int]) -> NDArray[np.bool_]:
    """Which symbols others must define."""
    asked: NDArray[np.bool_] = rows["section"] == table.UNDEFINED
    asked[[number for number in copied if number < len(rows)]] = True
    asked &= is_one_of(rows["info"] >> 4, (GLOBAL, UNIQUE))
    return asked


def _offered(rows: NDArray[np.void], indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which symbols others may bind to."""
    offered: NDArray[np.bool_] = (rows["section"] != table.UNDEFINED) & (indices != LOCAL_INDEX)
    offered &= is_one_of(rows["info"] >> 4, (GLOBAL, WEAK, UNIQUE))
    offered &= is_one_of(rows["info"] & 15, OFFERED_TYPES)
    offered &= is_one_of(rows["other"] & 3, (DEFAULT, PROTECTED))
    return offered


def _import(name: str, need: VersionNeed | None, *, copied: bool, own: bool) -> Import:
    if need is None:
        return Import(name, copied=copied, thread_local=own)
    return Import(name, need.version, need.library, copied=copied, thread_local=own)


def blas(offered: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Those of BLAS that the file offers to others: one function stands for all."""
    return tuple(sorted(name for name in BLAS if name in offered))
