"""Tiny ELF images made from bytes, so that no binary is in git.

Every image is complete: headers, segments, sections and their tables. `readelf -aW` of binutils
2.40 reads them as they were asked for.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MACHINES = {"EM_386": 3, "EM_ARM": 40, "EM_X86_64": 62, "EM_AARCH64": 183}
TYPES = {"ET_REL": 1, "ET_EXEC": 2, "ET_DYN": 3}
FLOAT_FLAGS = {"unspecified": 0, "soft": 0x200, "hard": 0x400}
TAGS = {"NEEDED": 1, "SONAME": 14, "RPATH": 15, "TEXTREL": 22, "RUNPATH": 29}  # DT_*
BASE = 0x10000  # address of the text
TEXT = 1  # its section index
INDEX = 0x18000  # address of .ARM.exidx

# Tag numbers of .ARM.attributes (ADDENDA32); values as in `buildmatrix.elf`.
ATTRIBUTES = {"CPU_arch": 6, "FP_arch": 10, "Advanced_SIMD_arch": 12}
ATTRIBUTES |= {"ABI_FP_number_model": 23, "ABI_VFP_args": 28}
VFPV3 = {"CPU_arch": 10, "FP_arch": 3, "ABI_FP_number_model": 3, "ABI_VFP_args": 1}
NEON = VFPV3 | {"Advanced_SIMD_arch": 1}

# Instructions as GNU as 2.40 writes them.
A32_VMLA_Q = bytes.fromhex("562d04f2")  # vmla.f32 q1, q2, q3
A32_VMUL_Q = bytes.fromhex("562d04f3")  # vmul.f32 q1, q2, q3
A32_VMUL_LANE = bytes.fromhex("4029a4f3")  # vmul.f32 q1, q2, d0[0]
A32_VFMA_Q = bytes.fromhex("562c04f2")  # vfma.f32 q1, q2, q3
A32_VMLA_D = bytes.fromhex("131d02f2")  # vmla.f32 d1, d2, d3
A32_VMUL_I32 = bytes.fromhex("562924f2")  # vmul.i32 q1, q2, q3
A32_VMLA_S = bytes.fromhex("810a00ee")  # vmla.f32 s0, s1, s2
A32_RETURN = bytes.fromhex("1eff2fe1")  # bx lr
T32_VMLA_Q = bytes.fromhex("04ef562d")  # vmla.f32 q1, q2, q3
T32_VFMS_Q = bytes.fromhex("24ef562c")  # vfms.f32 q1, q2, q3
T32_PUSH = bytes.fromhex("10b5")  # push {r4, lr}
T32_RETURN = bytes.fromhex("7047")  # bx lr
A64_FMLA_4S = bytes.fromhex("20cc224e")  # fmla v0.4s, v1.4s, v2.4s
A64_FMUL_LANE = bytes.fromhex("2090824f")  # fmul v0.4s, v1.4s, v2.s[0]
A64_FMLA_2D = bytes.fromhex("20cc624e")  # fmla v0.2d, v1.2d, v2.2d
A64_RETURN = bytes.fromhex("c0035fd6")  # ret


@dataclass(frozen=True, slots=True)
class _Layout:
    """The two ELF classes differ in the width and order of fields."""

    header: str
    program: str
    section: str
    symbol: str
    dynamic: str
    number: int  # EI_CLASS

    def program_row(self, kind: int, flags: int, offset: int, size: int, address: int) -> bytes:
        if self.number == 1:
            return struct.pack(self.program, kind, offset, address, address, size, size, flags, 4)
        return struct.pack(self.program, kind, flags, offset, address, address, size, size, 4)

    def symbol_row(self, name: int, value: int, info: int, other: int = 0) -> bytes:
        if self.number == 1:
            return struct.pack(self.symbol, name, value, 0, info, other, TEXT)
        return struct.pack(self.symbol, name, info, other, TEXT, value, 0)


NARROW = _Layout("<HHIIIIIHHHHHH", "<8I", "<10I", "<IIIBBH", "<II", 1)
WIDE = _Layout("<HHIQQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ", "<IBBHQQ", "<QQ", 2)


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    data: bytes
    flags: int = 0
    address: int = 0
    link: str = ""
    info: int = 0
    row: int = 0  # sh_entsize


class _Strings:
    """A string table that grows: `at` gives the offset of a text."""

    def __init__(self) -> None:
        self.data = b"\0"

    def at(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def _index(offsets: Sequence[int]) -> bytes:
    """Rows of .ARM.exidx (EHABI32, 5): where a function is from here, and that it cannot unwind."""
    starts = [BASE + offset - (INDEX + 8 * row) for row, offset in enumerate(offsets)]
    return b"".join(struct.pack("<II", start & 0x7FFFFFFF, 1) for start in starts)


def make(
    *,
    machine: str = "EM_ARM",
    elf_type: str = "ET_DYN",
    eabi: int = 5,
    float_flag: str = "hard",
    attributes: Mapping[str, int] | None = None,
    text: Sequence[tuple[str, bytes]] = (("$a", A32_RETURN),),
    symbols: str = "mapping",
    soname: str = "",
    needed: Sequence[str] = (),
    rpath: str = "",
    runpath: str = "",
    versions: Mapping[str, Sequence[str]] | None = None,
    weak: Sequence[str] = (),
    stack: str | None = "rw",
    textrel: bool = False,
    command_line: Sequence[str] = (),
    producer: str = "",
    exports: Sequence[str] = (),
    hidden: Sequence[str] = (),
    unwound: Sequence[int] = (),
) -> bytes:
    """One image.

    `text` is code in pieces, each with its mapping symbol ($a, $t, $x, $d); `symbols` says how the
    pieces are marked: 'mapping' ($a ...), 'functions' (one exported function each, Thumb by its
    low bit), 'both' or 'none'. `attributes` None leaves .ARM.attributes out. `versions` is what is
    needed of which library; names in `weak` are weak references. `stack` is 'rw', 'rwx' or None.
    `command_line` is what -frecord-gcc-switches leaves, `producer` what -g does. `exports` and
    `hidden` are names of functions in .dynsym, which `symbols` must leave out then. `unwound` are
    offsets of functions that .ARM.exidx has.
    """
    layout = WIDE if machine in ("EM_AARCH64", "EM_X86_64") else NARROW
    strings = _Strings()
    code = b"".join(piece for _, piece in text)
    sections = [_Section(".text", 1, code, flags=6, address=BASE)]
    if machine == "EM_ARM" and attributes is not None:
        sections.append(_Section(".ARM.attributes", 0x70000003, _attributes(attributes)))
    if unwound:
        sections.append(_Section(".ARM.exidx", 0x70000001, _index(unwound), 2, address=INDEX))
    if symbols in ("mapping", "both"):
        sections.append(_symbols(layout, text, strings, mapping=True))
    if symbols in ("functions", "both"):
        sections.append(_symbols(layout, text, strings, mapping=False))
    if exports or hidden:
        sections.append(_exported(layout, exports, hidden, strings))
    if versions:
        data = _verneed(versions, weak, strings)
        sections.append(
            _Section(".gnu.version_r", 0x6FFFFFFE, data, 2, link=".dynstr", info=len(versions))
        )
    if elf_type != "ET_REL":
        entries = [("NEEDED", name) for name in needed]
        entries += [("SONAME", soname), ("RPATH", rpath), ("RUNPATH", runpath)]
        tags = [(TAGS[tag], strings.at(value)) for tag, value in entries if value]
        sections.append(_dynamic(layout, [*tags, *[(TAGS["TEXTREL"], 0)] * textrel, (0, 0)]))
    if command_line:
        lines = b"".join(line.encode() + b"\0" for line in command_line)
        sections.append(_Section(".GCC.command.line", 1, lines, 0x30, row=1))
    sections += _debug(producer) if producer else []
    sections.append(_Section(".dynstr", 3, strings.data, 2))
    flags = (eabi << 24 | FLOAT_FLAGS[float_flag]) if machine == "EM_ARM" else 0
    return _image(layout, MACHINES[machine], TYPES[elf_type], flags, sections, stack)


def headerless(*, needed: Sequence[str], runpath: str, asks: Sequence[str]) -> bytes:
    """A 64-bit ARM program without section headers: one segment that holds all, PT_DYNAMIC in it.

    `asks` are undefined functions, each with a relocation for its slot.
    """
    strings = _Strings()
    names = [strings.at(name) for name in needed]
    path = strings.at(runpath)
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", strings.at(name), 0x12, 0, 0, 0, 0) for name in asks
    )
    slots = b"".join(
        struct.pack("<QQQ", 0, number << 32 | 1026, 0) for number in range(1, len(asks) + 1)
    )
    start = 64 + 2 * 56
    places = {"symbols": start, "slots": start + len(symbols)}
    places["strings"] = places["slots"] + len(slots)
    at = places["strings"] + len(strings.data)
    at += -at % 8
    tags = [(TAGS["NEEDED"], name) for name in names] + [(TAGS["RUNPATH"], path)]
    tags += [(5, places["strings"]), (10, len(strings.data)), (6, places["symbols"])]
    tags += [(23, places["slots"]), (2, len(slots)), (20, 7), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    body = (symbols + slots + strings.data).ljust(at - start, b"\0") + dynamic
    rows = ((1, 5, 0, start + len(body)), (2, 6, at, len(dynamic)))
    segments = b"".join(WIDE.program_row(k, f, off, size, off) for k, f, off, size in rows)
    header = struct.pack(WIDE.header, 3, 183, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    return b"\x7fELF" + bytes((2, 1, 1)) + bytes(9) + header + segments + body


def ar(members: Mapping[str, bytes]) -> bytes:
    """A static library as GNU ar writes it: a symbol table, a table of long names, the objects."""
    names = b""
    body = member("/", bytes(4))
    objects = b""
    for name, content in members.items():
        short = f"{name}/"
        if len(short) > 16:
            short, names = f"/{len(names)}", names + f"{name}/\n".encode()
        objects += member(short, content)
    return b"!<arch>\n" + body + (member("//", names) if names else b"") + objects


def member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def _debug(producer: str) -> list[_Section]:
    """DWARF 4 with one unit that says who made it, and nothing else."""
    abbreviation = bytes((1, 0x11, 0, 0x25, 0x08, 0, 0, 0))  # compile unit: producer, a string
    unit = struct.pack("<HIB", 4, 0, 4) + b"\x01" + producer.encode() + b"\0"
    info = struct.pack("<I", len(unit)) + unit
    return [_Section(".debug_info", 1, info), _Section(".debug_abbrev", 1, abbreviation)]


def _dynamic(layout: _Layout, tags: Sequence[tuple[int, int]]) -> _Section:
    rows = b"".join(struct.pack(layout.dynamic, *tag) for tag in tags)
    return _Section(".dynamic", 6, rows, 3, link=".dynstr", row=struct.calcsize(layout.dynamic))


def _attributes(values: Mapping[str, int]) -> bytes:
    """Format 'A', one vendor, one file scope; every value here fits one uleb128 byte."""
    tags = b"".join(bytes((ATTRIBUTES[name], value)) for name, value in values.items())
    scope = b"\x01" + struct.pack("<I", 5 + len(tags)) + tags
    vendor = b"aeabi\0" + scope
    return b"A" + struct.pack("<I", 4 + len(vendor)) + vendor


def _symbols(
    layout: _Layout, text: Sequence[tuple[str, bytes]], strings: _Strings, *, mapping: bool
) -> _Section:
    rows, address = [bytes(struct.calcsize(layout.symbol))], BASE
    for number, (mark, piece) in enumerate(text):
        if mapping:
            rows.append(layout.symbol_row(strings.at(mark), address, 0))
        elif mark != "$d":
            label = strings.at(f"function_{number}")
            rows.append(layout.symbol_row(label, address | (mark == "$t"), 0x12))
        address += len(piece)
    name, kind = (".symtab", 2) if mapping else (".dynsym", 11)
    local = len(rows) if mapping else 1
    return _Section(name, kind, b"".join(rows), 2, 0, ".dynstr", local, len(rows[0]))


def _exported(
    layout: _Layout, exports: Sequence[str], hidden: Sequence[str], strings: _Strings
) -> _Section:
    rows = [bytes(struct.calcsize(layout.symbol))]
    for name in (*exports, *hidden):
        visibility = 2 if name in hidden else 0  # STV_HIDDEN, STV_DEFAULT
        rows.append(layout.symbol_row(strings.at(name), BASE, 0x12, visibility))
    return _Section(".dynsym", 11, b"".join(rows), 2, 0, ".dynstr", 1, len(rows[0]))


def _verneed(
    versions: Mapping[str, Sequence[str]], weak: Sequence[str], strings: _Strings
) -> bytes:
    out = b""
    numbers = itertools.count(2)  # what .gnu.version would name them by, each once
    for position, (library, names) in enumerate(versions.items()):
        size = 16 + 16 * len(names)
        following = size if position + 1 < len(versions) else 0
        out += struct.pack("<HHIII", 1, len(names), strings.at(library), 16, following)
        for index, name in enumerate(names):
            step = 16 if index + 1 < len(names) else 0
            flags = 2 if name in weak else 0
            out += struct.pack("<IHHII", 0, flags, next(numbers), strings.at(name), step)
    return out


def _image(
    layout: _Layout,
    machine: int,
    elf_type: int,
    flags: int,
    sections: Sequence[_Section],
    stack: str | None,
) -> bytes:
    names = _Strings()
    labels = [names.at(s.name) for s in sections] + [names.at(".shstrtab")]
    every = [*sections, _Section(".shstrtab", 3, names.data)]
    header_size = 16 + struct.calcsize(layout.header)
    segments = (elf_type != TYPES["ET_REL"]) * (1 + (stack is not None))
    position = header_size + segments * struct.calcsize(layout.program)
    body, starts = _body(every, position)
    where = {s.name: index + 1 for index, s in enumerate(every)}
    rows = [bytes(struct.calcsize(layout.section))]
    for section, label, start in zip(every, labels, starts, strict=True):
        place = (section.flags, section.address, start, len(section.data))
        rest = (where.get(section.link, 0), section.info, 4, section.row)
        rows.append(struct.pack(layout.section, label, section.kind, *place, *rest))
    program = b""
    if segments:
        index = where[".dynamic"] - 1
        program += layout.program_row(2, 6, starts[index], len(every[index].data), 0)
    if segments and stack:
        program += layout.program_row(0x6474E551, 7 if stack == "rwx" else 6, 0, 0, 0)
    tables = (header_size if segments else 0, position + len(body), flags, header_size)
    counts = (struct.calcsize(layout.program), segments, len(rows[0]), len(rows), len(rows) - 1)
    header = struct.pack(layout.header, elf_type, machine, 1, BASE, *tables, *counts)
    identity = b"\x7fELF" + bytes((layout.number, 1, 1)) + bytes(9)
    return identity + header + program + body + b"".join(rows)


def _body(sections: Sequence[_Section], position: int) -> tuple[bytes, list[int]]:
    """The sections' bytes, each at a multiple of 8, and where each one starts in the file."""
    body, starts = b"", []
    for section in sections:
        body += bytes(-(position + len(body)) % 8)
        starts.append(position + len(body))
        body += section.data
    return body + bytes(-(position + len(body)) % 8), starts
