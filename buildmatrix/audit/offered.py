"""The names that the libraries of every board offer: glibc's, libgcc's, libatomic's, zlib's.

A file that was linked with them asks for their names by version, and the rule about versions holds
it to those. One that was not asks by the bare name, and this list tells which of those are there.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Made by scripts/offered_symbols of Debian's packages: a line for each library, its soname first.
LIST = Path(__file__).with_name("offered.txt")

PRIVATE = "GLIBC_PRIVATE"  # the version of names that glibc keeps to itself
MACHINES = ("EM_ARM", "EM_AARCH64")  # whose libraries are listed
NEWEST = (2, 41)  # of the glibcs that are listed

# libstdc++'s names are too many to list; these beginnings are nobody else's.
STDCXX = "libstdc++.so.6"
STDCXX_NAMES = (
    *("_ZNS", "_ZNKS", "_ZS", "_ZTVS", "_ZTIS", "_ZTSS", "_ZTT", "_ZGVNS", "_ZTI", "_ZTV"),
    *("_ZN9__gnu_cxx", "_Zn", "_Zd", "__cxa_", "__gxx_", "__dynamic_cast"),
)

# Names whose beginning tells the library that whoever uses them must be linked with.
LINKED_WITH = {
    "__atomic_": "libatomic (-latomic)",
    "cblas_": "a BLAS (-lopenblas)",
    "LAPACKE_": "LAPACK (-llapacke)",
    "GOMP_": "libgomp (-fopenmp)",
    "omp_": "libgomp (-fopenmp)",
    "__kmpc_": "LLVM's OpenMP (-lomp)",
    "__aeabi_": "libgcc (link with gcc)",
    "_gfortran_": "libgfortran (-lgfortran)",
}
FORTRAN_BLAS = ("sgemm_", "dgemm_", "saxpy_", "sdot_", "sgemv_")


@cache
def _names() -> Mapping[str, frozenset[str]]:
    lines = (line.split() for line in LIST.read_text().splitlines() if not line.startswith("#"))
    return {words[0]: frozenset(words[1:]) for words in lines if words}


def all_known(libraries: Iterable[str]) -> bool:
    """Whether the names of all these libraries of the board are known."""
    return all(name in _names() or name == STDCXX for name in libraries)


def offers(libraries: Iterable[str], name: str) -> bool:
    """Whether one of the board's libraries, by soname, offers the bare name."""
    return any(
        name in _names().get(library, ()) or (library == STDCXX and name.startswith(STDCXX_NAMES))
        for library in libraries
    )


def has_version(library: str, name: str, version: str, libc_floor: str) -> bool:
    """Whether the board's library may have a name of that version; no where it is sure that none
    of the listed ones has. A newer version than theirs, or another library's, may."""
    known = _names()
    if version == PRIVATE:
        listed = known.get(f"{PRIVATE}@{libc_floor}")
        return listed is None or name in listed
    number = version.removeprefix("GLIBC_")
    if library not in known or number == version or version_tuple(number) > NEWEST:
        return True
    return any(name in names for key, names in known.items() if not key.startswith(PRIVATE))


def linked_with(name: str) -> str:
    """What a user of this name has to be linked with; empty where the name does not tell."""
    if name in FORTRAN_BLAS:
        return LINKED_WITH["cblas_"]
    return next((words for start, words in LINKED_WITH.items() if name.startswith(start)), "")
