"""Symbol versions: what a file needs of which library, and what it defines for others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import tables as table
from buildmatrix.nouns import VersionNeed, version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buildmatrix.elf.tables import Image, Section

VERSION_WEAK = 0x2  # VER_FLG_WEAK: the loader accepts a library without it
VERSION_BASE = 0x1  # VER_FLG_BASE: names the file itself
HIDDEN = 0x8000  # in .gnu.version: bound only by who asks for that very version

# A relocation format that the loader learned in glibc 2.36 and announces under this name.
ABI_NAMES = {"GLIBC_ABI_DT_RELR": "GLIBC_2.36"}


def needed(image: Image) -> dict[int, VersionNeed]:
    """By the index that .gnu.version uses: the version and the library that must define it."""
    section = image.first(table.VERNEED)
    if section is None:
        return {}
    strings = image.strings(section)
    found: dict[int, VersionNeed] = {}
    for offset, (_, count, library, first, _) in _chain(image, section, "HHIII"):
        for _, (_, flags, index, name, _) in _chain(
            image, section, "IHHII", start=offset + first, count=count
        ):
            found[index] = VersionNeed(
                strings.at(library), strings.at(name), weak=bool(flags & VERSION_WEAK)
            )
    return found


def defined(image: Image) -> dict[int, str]:
    """By index: the versions a file defines, its own name (the base version) left out."""
    section = image.first(table.VERDEF)
    if section is None:
        return {}
    strings = image.strings(section)
    content = image.content(section)
    found: dict[int, str] = {}
    for offset, (_, flags, index, _, _, first, _) in _chain(image, section, "HHHHIII"):
        if not flags & VERSION_BASE:
            found[index & ~HIDDEN] = strings.at(image.numbers(offset + first, "II", content)[0])
    return found


def of_symbols(image: Image) -> list[int]:
    """.gnu.version: one index a dynamic symbol, 0 local, 1 global; empty without versions."""
    section = image.first(table.VERSYM)
    if section is None:
        return []
    content = image.content(section)
    indices: list[int] = np.frombuffer(content, f"{image.order}u2", len(content) // 2).tolist()
    return indices


def _chain(
    image: Image, section: Section, layout: str, start: int = 0, count: int | None = None
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Rows linked by the offset of the next one in their last field, sh_info or `count` of them.

    Raises Damaged when the chain leaves the section; that it cannot run on is what `count` is for.
    """
    content, offset = image.content(section), start
    limit = section.info if count is None else count
    for _ in range(min(limit, len(content))):
        row = image.numbers(offset, layout, content)
        yield offset, row
        if not row[-1]:
            return
        offset += row[-1]


def highest(prefix: str, versions: Iterable[str]) -> str:
    """The highest dotted number behind `prefix`; GLIBC_PRIVATE has none and does not count."""
    names = (ABI_NAMES.get(version, version) for version in versions)
    found = [m[1] for v in names if (m := re.fullmatch(prefix + r"(\d+(?:\.\d+)*)", v))]
    return max(found, key=version_tuple, default="")
