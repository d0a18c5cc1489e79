"""The dynamic section and the program headers: what a file asks of the loader."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix.elf import tables as table
from buildmatrix.elf.names import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.elf.tables import Image

# Tags and flags as gABI chapter 5 and GNU's <elf.h> number them.
NEEDED, SONAME, RPATH, SYMBOLIC, TEXTREL, RUNPATH, BIND_NOW = 1, 14, 15, 16, 22, 29, 24
FLAGS, FLAGS_1, RELR, JMPREL, PLTREL = 30, 0x6FFFFFFB, 36, 23, 20
PLTREL_WORDS = {7: True, 17: False}  # DT_RELA, DT_REL
FORMS = {(17, 18): "REL", (7, 8): "RELA"}  # each table and its bytes: DT_REL, DT_RELSZ
CALLED = {12: "DT_INIT", 13: "DT_FINI"}
ARRAYS = {(25, 27): "DT_INIT_ARRAY", (26, 28): "DT_FINI_ARRAY", (32, 33): "DT_PREINIT_ARRAY"}
AUDIT, DEPAUDIT, AUXILIARY, FILTER = 0x6FFFFEFC, 0x6FFFFEFB, 0x7FFFFFFD, 0x7FFFFFFF
ET_EXEC = 2
WRITABLE = 2  # PF_W
HASHES = (4, 0x6FFFFEF5)  # DT_HASH, DT_GNU_HASH
ANDROID_RELOCATIONS = (0x6000000F, 0x60000011, 0x6FFFE000)  # DT_ANDROID_REL, _RELA, _RELR
FLAG_WORDS = {0x2: "SYMBOLIC", 0x4: "TEXTREL", 0x8: "BIND_NOW", 0x10: "STATIC_TLS"}
FLAG_1_WORDS = {0x1: "NOW", 0x40: "NOOPEN", 0x800: "NODEFLIB", 0x8000000: "PIE"}


@dataclass(frozen=True, slots=True)
class Dynamic:
    """The dynamic section, texts resolved. `flags` are words of DT_FLAGS and DT_FLAGS_1."""

    present: bool = False
    soname: str = ""
    needed: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    auditors: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    called: Mapping[str, int] = field(default_factory=dict)  # DT_INIT, DT_FINI: their addresses
    arrays: tuple[tuple[str, int, int], ...] = ()  # of functions to call: name, address, bytes
    addends: bool | None = None  # DT_PLTREL: DT_RELA, or DT_REL
    forms: tuple[str, ...] = ()  # of the other relocations: REL, RELA
    stubs: int = 0  # address of the relocations of stubs (DT_JMPREL)
    relr: bool = False
    android_relocations: bool = False
    hashed: bool = False


def dynamic(image: Image) -> Dynamic:
    """Reads the section of type SHT_DYNAMIC up to its DT_NULL; of what may be there once, glibc
    takes the last. Raises Damaged."""
    section = image.first(table.DYNAMIC)
    if section is None or section.type == table.NOBITS:
        return Dynamic()
    strings = image.strings(section)
    entries: dict[int, list[int]] = defaultdict(list)
    for tag, value in image.rows(section, image.layout.word * 2):
        if not tag:
            break
        entries[tag].append(value)

    def texts(*tags: int) -> tuple[str, ...]:
        values = [value for tag in tags for value in entries[tag]]
        if any(value >= len(strings.data) for value in values):
            raise table.Damaged("the dynamic section names a text outside the string table")
        return tuple(map(strings.at, values))

    return Dynamic(
        present=True,
        soname="".join(texts(SONAME)[-1:]),
        needed=texts(NEEDED),
        filters=texts(FILTER),
        auditors=texts(AUDIT, DEPAUDIT),
        rpath=_paths(texts(RPATH)),
        runpath=_paths(texts(RUNPATH)),
        flags=_flags(entries),
        called={name: entries[tag][-1] for tag, name in CALLED.items() if tag in entries},
        arrays=tuple(
            (name, entries[tag][-1], entries[size][-1])
            for (tag, size), name in ARRAYS.items()
            if tag in entries and size in entries
        ),
        addends=PLTREL_WORDS.get(sum(entries[PLTREL][-1:])),
        forms=tuple(
            word
            for (tag, size), word in FORMS.items()
            if tag in entries and any(entries[size][-1:])
        ),
        stubs=sum(entries[JMPREL][-1:]),
        relr=RELR in entries,
        android_relocations=any(tag in entries for tag in ANDROID_RELOCATIONS),
        hashed=any(tag in entries for tag in HASHES),
    )


def _paths(texts: Sequence[str]) -> tuple[str, ...]:
    """An empty text is no path at all; an empty part of one is the current folder."""
    return tuple(part for text in texts if text for part in text.split(":"))


def _flags(entries: Mapping[int, Sequence[int]]) -> tuple[str, ...]:
    bits, bits_1 = (next(iter(entries.get(tag, ())), 0) for tag in (FLAGS, FLAGS_1))
    words = {word for bit, word in FLAG_WORDS.items() if bits & bit}
    words |= {word for bit, word in FLAG_1_WORDS.items() if bits_1 & bit}
    tags = {SYMBOLIC: "SYMBOLIC", TEXTREL: "TEXTREL", BIND_NOW: "BIND_NOW"}
    return tuple(sorted(words | {word for tag, word in tags.items() if tag in entries}))


def interpreter(image: Image) -> tuple[str, bool]:
    """The loader that PT_INTERP names, or nothing; and whether the zero byte is missing that Linux
    wants at its end."""
    for segment in image.segments:
        if segment.type == table.PT_INTERP:
            raw = bytes(image.data[segment.offset : segment.offset + segment.file_size])
            return text(raw.split(b"\0")[0]), not raw.endswith(b"\0")
    return "", False


def is_found(image: Image) -> bool:
    """Whether a segment names the dynamic section, of a file whose segments lie at addresses."""
    kinds = {segment.type for segment in image.segments}
    return table.PT_DYNAMIC in kinds or table.PT_LOAD not in kinds


def is_fixed(image: Image) -> bool:
    """Whether the dynamic section lies in a segment that may not be written."""
    place = next((s.address for s in image.segments if s.type == table.PT_DYNAMIC), None)
    around = (
        s
        for s in image.segments
        if s.type == table.PT_LOAD
        and place is not None
        and s.address <= place < s.address + s.memory_size
    )
    return any(not s.flags & WRITABLE for s in around)


def load_alignment(image: Image) -> int:
    """The least alignment of a loaded segment, in bytes: no page of the board may be larger.

    0 where no segment asks for one. glibc refuses a library with 'ELF load command alignment not
    page-aligned' (elf/dl-load.c); Linux does not check a program's, and cannot map it.
    """
    asked = [s.alignment for s in image.segments if s.type == table.PT_LOAD and s.alignment]
    return min(asked, default=0)


def fixed(image: Image) -> tuple[int, int]:
    """The addresses at which a program must lie, the first and the one behind the last; (0, 0) for
    what lies anywhere."""
    loaded = [s for s in image.segments if s.type == table.PT_LOAD and image.type == ET_EXEC]
    ends = [s.address + s.memory_size for s in loaded]
    return min((s.address for s in loaded), default=0), max(ends, default=0)


def variables(image: Image) -> int:
    """Bytes of the writable segments: Linux promises a process all of them at the start."""
    loaded = [s for s in image.segments if s.type == table.PT_LOAD]
    return sum(s.memory_size for s in loaded if s.flags & WRITABLE)


def tls_size(image: Image) -> int:
    """Bytes that each thread needs for the file's own variables."""
    return sum(s.memory_size for s in image.segments if s.type == table.PT_TLS)


def tls_alignment(image: Image) -> int:
    """To how many bytes those are aligned; 0 where there are none."""
    return max((s.alignment for s in image.segments if s.type == table.PT_TLS), default=0)


def executable_stack(image: Image) -> bool:
    """Whether the loader makes the stack executable.

    Without PT_GNU_STACK the default of the machine counts (glibc's DEFAULT_STACK_PERMS in
    stackinfo.h): executable on 32-bit ARM and x86, not on AArch64 nor on RISC-V.
    """
    if not image.segments:
        return False
    flags = next((s.flags for s in image.segments if s.type == table.PT_GNU_STACK), None)
    if flags is None:
        return image.machine in (3, 40, 62)
    return bool(flags & 1)
