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
    from collections.abc import Iterable, Mapping

    from buildmatrix.elf.tables import Image
    from buildmatrix.nouns import VersionNeed

BLAS = ("cblas_sgemm", "sgemm_")  # of its C interface, and of Fortran's
GLOBAL, WEAK, UNIQUE = 1, 2, 10  # st_info's upper half
OFFERED_TYPES = frozenset((0, 1, 2, 5, 6, 10))  # untyped, object, function, common, TLS, ifunc
THREAD_LOCAL = 6  # STT_TLS
DEFAULT, PROTECTED = 0, 3  # st_other: whom others may bind to
LOCAL_INDEX, GLOBAL_INDEX = 0, 1  # in .gnu.version

# R_*_COPY: the program has room for a library's variable, and the library must have it.
COPY = {3: 5, 40: 20, 62: 5, 183: 1024}


def symbols(image: Image, copied: Iterable[int]) -> Symbols:
    """Strong names that others must define, and names that others may bind to.

    `copied` are the indices of symbols with a copy relocation: the file defines them, and needs
    them of a library all the same.
    """
    section = image.first(table.DYNSYM)
    if section is None or section.type == table.NOBITS:
        return Symbols()
    strings, indices = image.strings(section), versions.of_symbols(image)
    needed, defined = versions.needed(image), versions.defined(image)
    imports: list[Import] = []
    exports: dict[str, tuple[str, ...]] = {}
    room, of_threads = frozenset(copied), set[str]()
    rows = symbol_rows(image, section)
    indices += [GLOBAL_INDEX] * (len(rows) - len(indices))
    bound = np.flatnonzero(is_one_of(rows["info"] >> 4, (GLOBAL, WEAK, UNIQUE)))
    columns = (rows[column][bound].tolist() for column in ("name", "info", "other", "section"))
    for number, name, info, other, where in zip(bound.tolist(), *columns, strict=True):
        binding, index = info >> 4, indices[number] & ~versions.HIDDEN
        copy, own = number in room, info & 0xF == THREAD_LOCAL
        if (where == table.UNDEFINED or copy) and binding != WEAK:
            imports.append(_import(strings.at(name), needed.get(index), copied=copy, own=own))
        if where != table.UNDEFINED and _offered(info & 0xF, other & 3, index):
            text = strings.at(name)
            exports[text] = (*exports.get(text, ()), defined.get(index, ""))
            if own:
                of_threads.add(text)
    return Symbols(tuple(imports), exports, frozenset(of_threads))


def _offered(kind: int, visibility: int, index: int) -> bool:
    return kind in OFFERED_TYPES and visibility in (DEFAULT, PROTECTED) and index != LOCAL_INDEX


def _import(name: str, need: VersionNeed | None, *, copied: bool, own: bool) -> Import:
    if need is None:
        return Import(name, copied=copied, thread_local=own)
    return Import(name, need.version, need.library, copied=copied, thread_local=own)


def blas(offered: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Those of BLAS that the file offers to others: one function stands for all."""
    return tuple(sorted(name for name in BLAS if name in offered))
