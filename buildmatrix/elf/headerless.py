"""Sections for a file without section headers, from what the loader itself goes by: PT_DYNAMIC.

`strip --strip-section-headers` (binutils 2.41) and `llvm-objcopy --strip-sections` take the headers
off, and the file runs as before. What the loader reads is all there; code and attributes are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.elf import tables
from buildmatrix.elf.rows import relocation_rows
from buildmatrix.elf.sections import has_no_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.elf.tables import Image, Section

DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_STRSZ = 4, 5, 6, 7, 8, 10
DT_REL, DT_RELSZ, DT_PLTRELSZ, DT_PLTREL, DT_JMPREL = 17, 18, 2, 20, 23
DT_GNU_HASH, DT_VERSYM = 0x6FFFFEF5, 0x6FFFFFF0
DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
STRTAB = 3
KEPT = {
    DT_STRTAB: "DT_STRTAB",
    DT_SYMTAB: "DT_SYMTAB",
    DT_RELA: "DT_RELA",
    DT_REL: "DT_REL",
    DT_JMPREL: "DT_JMPREL",
    DT_HASH: "DT_HASH",
    DT_GNU_HASH: "DT_GNU_HASH",
    DT_VERSYM: "DT_VERSYM",
    DT_VERDEF: "DT_VERDEF",
    DT_VERNEED: "DT_VERNEED",
}
SMALLEST = 8  # bytes, of a table with one row


def sections_of(image: Image) -> tuple[Section, ...]:
    """The empty section, the strings, and the others that link to them; none for a static file.

    Raises Damaged where an address lies in no segment.
    """
    segment = next((s for s in image.segments if s.type == tables.PT_DYNAMIC), None)
    if segment is None or not any(s.type == tables.PT_LOAD for s in image.segments):
        return ()
    place = (segment.address, segment.offset, segment.file_size)
    entries = _entries(image, image.data[segment.offset : segment.offset + segment.file_size])
    made = [tables.Section("", *(0,) * 9)]

    def add(name: str, kind: int, address: int, size: int | None, count: int = 0) -> None:
        at, offset, room = place if kind == tables.DYNAMIC else _place(image, address)
        length = room if size is None else size
        made.append(tables.Section(name, kind, tables.ALLOC, at, offset, length, 1, count, 1, 0))

    if DT_STRTAB in entries:
        add(".dynstr", STRTAB, entries[DT_STRTAB], entries.get(DT_STRSZ, 0))
        add(".dynamic", tables.DYNAMIC, segment.address, None)
    for kind, tag, size in (
        (tables.RELA, DT_RELA, DT_RELASZ),
        (tables.REL, DT_REL, DT_RELSZ),
        (entries.get(DT_PLTREL, 0), DT_JMPREL, DT_PLTRELSZ),
    ):
        if tag in entries:  # DT_RELA is 7 and SHT_RELA 4; DT_REL 17 and SHT_REL 9
            types = {DT_RELA: tables.RELA, DT_REL: tables.REL}
            add(".rel.dyn", types.get(kind, kind), entries[tag], entries.get(size, 0))
    if DT_SYMTAB in entries and DT_STRTAB in entries:
        named = {
            number
            for section in made
            if section.name == ".rel.dyn"
            for number in relocation_rows(image, section)[0].tolist()
        }
        count = max(_hashed(image, entries), max(named, default=0) + 1)
        row = 24 if image.wide else 16
        add(".dynsym", tables.DYNSYM, entries[DT_SYMTAB], count * row)
        if DT_VERSYM in entries:
            add(".gnu.version", tables.VERSYM, entries[DT_VERSYM], count * 2)
    for name, kind, tag, number in (
        (".gnu.version_r", tables.VERNEED, DT_VERNEED, DT_VERNEEDNUM),
        (".gnu.version_d", tables.VERDEF, DT_VERDEF, DT_VERDEFNUM),
    ):
        if tag in entries:
            add(name, kind, entries[tag], None, entries.get(number, 0))
    return tuple(made)


def hides_the_dynamic(image: Image) -> bool:
    """Whether the section headers tell of another dynamic section than the loader goes by."""
    segment = next((s for s in image.segments if s.type == tables.PT_DYNAMIC), None)
    if segment is None or has_no_code(image):
        return False
    return all(s.type != tables.DYNAMIC or s.offset != segment.offset for s in image.sections)


def check_kept(image: Image) -> None:
    """The tables that the loader reads are there. Raises Damaged for one that was taken out
    (`objcopy -R .gnu.version_r`): its section header is gone, and its bytes are zero."""
    segment = next((s for s in image.segments if s.type == tables.PT_DYNAMIC), None)
    if segment is None or image.headerless or has_no_code(image):
        return
    there = [(s.address, s.address + s.size) for s in image.sections if s.flags & tables.ALLOC]
    entries = _entries(image, image.data[segment.offset : segment.offset + segment.file_size])
    for tag in KEPT.keys() & entries.keys():
        address = entries[tag]
        if not any(start <= address < end for start, end in there):
            _, offset, room = _place(image, address)
            if not any(image.data[offset : offset + min(room, SMALLEST)]):
                raise tables.Damaged(f"the section that {KEPT[tag]} names was taken out")


def _entries(image: Image, data: memoryview) -> Mapping[int, int]:
    word = image.layout.word * 2
    size = 16 if image.wide else 8
    rows = (image.numbers(at, word, data) for at in range(0, len(data) - size + 1, size))
    found: dict[int, int] = {}
    for tag, value in rows:
        if not tag:
            break
        found.setdefault(tag, value)
    return found


def _place(image: Image, address: int) -> tuple[int, int, int]:
    """(address, offset in the file, bytes to the end of its segment)."""
    for s in image.segments:
        if s.type == tables.PT_LOAD and s.address <= address < s.address + s.file_size:
            inside = address - s.address
            return address, s.offset + inside, s.file_size - inside
    raise tables.Damaged(f"address {address:#x} of the dynamic section lies in no segment")


def _hashed(image: Image, entries: Mapping[int, int]) -> int:
    """How many symbols the hash tables know of: DT_HASH all, DT_GNU_HASH up to the last that the
    file offers; what it asks for stands before those, and in its relocations."""
    if DT_HASH in entries:
        _, offset, _ = _place(image, entries[DT_HASH])
        return image.numbers(offset + 4, "I", image.data)[0]
    if DT_GNU_HASH not in entries:
        return 0
    _, offset, room = _place(image, entries[DT_GNU_HASH])
    buckets, first, bloom, _ = image.numbers(offset, "4I", image.data)
    start = offset + 16 + bloom * (8 if image.wide else 4)
    if buckets * 4 > room:
        raise tables.Damaged("the hash table is larger than its segment")
    last = max(image.numbers(start, f"{buckets}I", image.data), default=0)
    if last < first:
        return first
    chain = start + buckets * 4
    while not image.numbers(chain + (last - first) * 4, "I", image.data)[0] & 1:
        last += 1
    return last + 1
