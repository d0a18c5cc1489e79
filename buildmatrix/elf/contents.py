"""One file on disk: a program, a library, an object, or a static library full of them."""

from __future__ import annotations

import mmap
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.elf import archive, packages
from buildmatrix.elf.facts import facts_of
from buildmatrix.elf.headerless import check_kept, hides_the_dynamic, sections_of
from buildmatrix.elf.sections import check_tables, faults, has_no_code
from buildmatrix.elf.segments import check_segments
from buildmatrix.elf.tables import MAGIC, NOBITS, Image
from buildmatrix.nouns import ElfFacts, OddFile, Oddity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BITCODE = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")  # LLVM's, bare and in its wrapper
MAGICS = (MAGIC, *archive.MAGICS, *BITCODE)
LONGEST_MAGIC = max(map(len, (*MAGICS, *packages.MAGICS)))
LINKED_LATER = "no code in it: it is linked later"
CORE, NO_PROCESSOR = 4, 0  # ET_CORE, EM_NONE
BYTECODE = (
    "its header names no processor: bytecode for a loader of its own, as Guile's .go files are"
)
SHF_COMPRESSED = 0x800
COMPRESSED_ZSTD = 2  # ELFCOMPRESS_ZSTD, which pyelftools does not know
COMPRESSION_HEADER = {False: 12, True: 24}  # bytes of Elf32_Chdr and Elf64_Chdr
SKELETON, LONG_UNIT = 4, 0xFFFFFFFF  # DW_UT_skeleton; a length that has 64 bits
FIRST_UNIT = 16  # bytes that tell what kind of unit the first is
UPX, UPX_WITHIN = b"UPX!", 512  # its mark stands behind the program headers
UNTOLD = "what the compiler was told is not read"

Content = ElfFacts | OddFile


def beginning(path: Path) -> bytes:
    """As many bytes of the file as tell what it is. Raises OSError."""
    with path.open("rb") as file:
        return file.read(LONGEST_MAGIC)


def is_ours(start: bytes) -> bool:
    """Whether a file begins as one that is read here; a Debian package is an archive, as a static
    library is."""
    return start.startswith(MAGICS) and not start.startswith(packages.DEBIAN)


def contents(path: Path, name: str, root: Path | None = None) -> Iterator[Content]:
    """Facts, or what is odd, of a file, or of each object of a static library as `NAME(MEMBER)`.

    The objects of a thin archive are looked for below `root`, or anywhere without one. Raises
    OSError.
    """
    data = _bytes(path)
    if bytes(data[: len(archive.MAGIC)]) in archive.MAGICS:
        yield from _objects(data, name, path, root)
    else:
        yield from _one(data, name)


def _bytes(path: Path) -> memoryview:
    """The file's bytes, read when they are looked at: a library may be larger than memory."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _objects(data: memoryview, name: str, path: Path, root: Path | None) -> Iterator[Content]:
    thin = bytes(data[: len(archive.THIN)]) == archive.THIN
    try:
        for member in archive.members(data):
            content = memoryview(member.content)
            if thin:
                content = _elsewhere(path.parent, member.name, root)
            if thin or bytes(content[:LONGEST_MAGIC]).startswith((MAGIC, *BITCODE)):
                yield from _one(content, f"{name}({member.name})")
    except ValueError as exc:
        yield _damaged(name, "is not a whole static library", exc)


def _elsewhere(folder: Path, member: str, root: Path | None) -> memoryview:
    """An object that a thin archive names. Raises ValueError where it is not there."""
    path = folder / member
    there = path.is_file()  # asked first: a link that leads round in a circle is not there
    if not (there and (root is None or path.resolve().is_relative_to(root.resolve()))):
        raise ValueError(f"a thin archive holds no objects, and {member} is not there")
    return _bytes(path)


def _one(data: memoryview, name: str) -> Iterator[Content]:
    if bytes(data[:4]) in BITCODE:
        yield OddFile(name, Oddity.NO_CODE, f"LLVM bitcode, {LINKED_LATER}")
        return
    try:
        image = Image(data)
        if image.type == CORE:
            yield OddFile(name, Oddity.NO_CODE, "a core file: the memory of a process that ended")
            return
        if image.machine == NO_PROCESSOR:
            yield OddFile(name, Oddity.NO_CODE, BYTECODE)
            return
        if (cut := image.cut) or image.headerless or hides_the_dynamic(image):
            image = Image(data, sections=sections_of(image))
        check_tables(image)
        check_kept(image)
        check_segments(image)
        absent = _why_no_code(image)
        yield OddFile(name, Oddity.NO_CODE, absent) if absent else _facts(image, name)
        if cut:
            yield OddFile(name, Oddity.CUT, "ends before its section headers: the end is gone")
        if not absent and (form := _unread_form(image)):
            yield OddFile(name, Oddity.UNREAD, form)
        if bytes(data[8:11]) == packages.APP_IMAGE:
            yield OddFile(name, Oddity.UNREAD, packages.APP_IMAGE_FORM)
    except faults() as exc:
        yield _damaged(name, "is not a whole ELF file", exc)


def _facts(image: Image, name: str) -> ElfFacts:
    """Without section headers nothing says where the code is: what it needs is not known."""
    facts = facts_of(image, name)
    if image.headerless:
        return replace(facts, neon_instructions=None, multiplies=None, features=None)
    return facts


def _damaged(name: str, brief: str, fault: Exception) -> OddFile:
    return OddFile(name, Oddity.DAMAGED, f"{brief}: {fault}", brief=brief, cause=str(fault))


def _why_no_code(image: Image) -> str:
    if has_no_code(image):
        return "debug information alone, the code is in another file"
    empty = not any(s.flags & 0x4 and s.size for s in image.sections)
    if empty and any(s.name.startswith(".gnu.lto_") for s in image.sections):
        return f"GCC's intermediate language (LTO), {LINKED_LATER}"
    return ""


def _unread_form(image: Image) -> str:
    """A form that hides something: the code, or what the compiler was told."""
    if image.headerless and UPX in bytes(image.data[:UPX_WITHIN]):
        return "packed by UPX: what it unpacks when it is started is not read (upx -d unpacks it)"
    if image.headerless:
        return (
            "no section headers to go by: instructions and build attributes are not read, only "
            "linking"
        )
    section = image.named(".debug_info")
    if section is None or section.type == NOBITS:
        return ""
    if image.named(".gnu_debugaltlink") is not None:
        return f"debug information shared with another file (dwz): {UNTOLD}"
    content = image.content(section)
    if section.flags & SHF_COMPRESSED:
        if image.numbers(0, "I", content)[0] == COMPRESSED_ZSTD:
            return f"debug information compressed with zstd: {UNTOLD}"
        header = COMPRESSION_HEADER[image.wide]
        try:
            content = memoryview(zlib.decompressobj().decompress(content[header:], FIRST_UNIT))
        except zlib.error:
            return f"debug information that cannot be decompressed: {UNTOLD}"
    if len(content) >= FIRST_UNIT and _is_skeleton(image, content):
        return f"debug information split off into other files (.dwo): {UNTOLD}"
    return ""


def _is_skeleton(image: Image, content: memoryview) -> bool:
    """Whether the first unit names the file that has the rest: by its kind in DWARF 5 (7.5.1.2),
    and in DWARF 4 by a section that nothing else has there."""
    long = image.numbers(0, "I", content)[0] == LONG_UNIT
    at = 12 if long else 4
    version = image.numbers(at, "H", content)[0]
    if version == 4:
        return image.named(".debug_addr") is not None
    return version == 5 and content[at + 2] == SKELETON
