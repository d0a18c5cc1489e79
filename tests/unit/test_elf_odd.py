"""Files that are not what an audit can judge: each is a finding, and the others' are kept."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import elf
from buildmatrix.audit.document import Audit
from buildmatrix.elf.tables import Image
from buildmatrix.errors import InputError
from buildmatrix.nouns import Oddity
from buildmatrix.pipeline.auditing import audit_path
from tests import elf_factory as factory
from tests.elf_factory import NEON, VFPV3, make

if TYPE_CHECKING:
    from pathlib import Path

SOFT = {"CPU_arch": 10, "ABI_FP_number_model": 3}
BITCODE = b"BC\xc0\xde" + bytes(20)


def shown(path: Path) -> list[str]:
    """What `inv audit PATH` lists: code, file, message."""
    return [f"{f['code']} {f['file']}: {f['message']}" for f in audit_path(path)["findings"]]


def test_one_odd_file_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a_damaged.so").write_bytes(make()[:70])
    (tmp_path / "b_bitcode.o").write_bytes(BITCODE)
    (tmp_path / "c_soft.o").write_bytes(make(elf_type="ET_REL", attributes=SOFT))
    (tmp_path / "d_broken.a").write_bytes(factory.ar({"x.o": make()}) + b"?")
    lines = shown(tmp_path)
    assert [line.split(":")[0] for line in lines] == [
        "BM105 a_damaged.so",
        "BM106 b_bitcode.o",
        "BM103 c_soft.o",
        "BM105 d_broken.a",
    ]
    assert "is not a whole ELF file: " in lines[0]
    assert lines[1].endswith("LLVM bitcode, no code in it: it is linked later")
    assert "is not a whole static library: no member header at byte" in lines[3]
    assert [f.file for f in elf.survey(tmp_path).facts] == ["c_soft.o", "d_broken.a(x.o)"]


def test_big_endian_code_is_for_another_machine_and_its_instructions_are_unknown(
    tmp_path: Path,
) -> None:
    """A header as GNU as 2.40 writes it with -EB: the audit reads nothing else of such a file."""
    header = b"\x7fELF\x01\x02\x01" + bytes(9)
    fields = struct.pack(">HHIIIIIHHHHHH", 1, 40, 1, 0, 0, 52, 0x5000000, 52, 0, 0, 40, 2, 1)
    names = b"\0.shstrtab\0"
    rows = bytes(40) + struct.pack(">10I", 1, 3, 0, 0, 132, len(names), 0, 0, 1, 0)
    (tmp_path / "x.o").write_bytes(header + fields + rows + names)
    (facts,) = elf.survey(tmp_path).facts
    assert (facts.machine, facts.neon_instructions) == ("EM_ARM (big-endian)", None)


def test_a_core_file_is_no_program(tmp_path: Path) -> None:
    """As the kernel and qemu-aarch64 write it: of kind ET_CORE, often without a section."""
    image = bytearray(factory.make(machine="EM_AARCH64"))
    image[16] = 4
    (tmp_path / "core").write_bytes(image)
    (odd,) = elf.survey(tmp_path).odd
    assert (odd.oddity, odd.details) == (
        Oddity.NO_CODE,
        "a core file: the memory of a process that ended",
    )


def test_bytecode_names_no_processor(tmp_path: Path) -> None:
    """Guile 3.0's compiled modules are ELF of EM_NONE, with a .dynamic of Guile's own making."""
    image = bytearray(factory.make(machine="EM_AARCH64"))
    image[7], image[18] = 0xFF, 0
    (tmp_path / "q.go").write_bytes(image)
    (odd,) = elf.survey(tmp_path).odd
    assert (odd.oddity, odd.details) == (
        Oddity.NO_CODE,
        "its header names no processor: bytecode for a loader of its own, as Guile's .go files are",
    )


def test_bitcode_in_a_static_library_is_said_beside_its_other_objects(tmp_path: Path) -> None:
    hard = make(elf_type="ET_REL", attributes=VFPV3)
    (tmp_path / "libx.a").write_bytes(factory.ar({"lto.o": BITCODE, "hard.o": hard}))
    tree = elf.survey_file(tmp_path / "libx.a")
    assert [odd.file for odd in tree.odd] == ["libx.a(lto.o)"]
    assert [facts.file for facts in tree.facts] == ["libx.a(hard.o)"]


@pytest.mark.parametrize("unknown", [(72, b"\x05"), (73, b"hi\0"), (200, b"\x81\x01")])
def test_a_build_attribute_that_is_not_known_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unknown: tuple[int, bytes]
) -> None:
    """ADDENDA32: from 33 on an odd tag is a text, an even one a number."""
    tag, value = unknown
    number = bytes((tag,)) if tag < 128 else bytes((tag & 0x7F | 0x80, tag >> 7))
    inner = number + value + bytes((12, 1))  # Advanced_SIMD_arch behind it
    scope = b"\x01" + (5 + len(inner)).to_bytes(4, "little") + inner
    vendor = b"aeabi\0" + scope
    section = b"A" + (4 + len(vendor)).to_bytes(4, "little") + vendor
    monkeypatch.setattr(factory, "_attributes", lambda _: section)
    (tmp_path / "x").write_bytes(make(attributes=NEON))
    assert elf.read(tmp_path / "x", "x").simd == "NEONv1"


def test_a_thin_archive_is_read_where_its_objects_lie(tmp_path: Path) -> None:
    (tmp_path / "obj").mkdir()
    (tmp_path / "obj" / "x.o").write_bytes(make(elf_type="ET_REL", attributes=SOFT))
    names = b"obj/x.o/\n"
    thin = b"!<thin>\n" + factory.member("//", names) + factory.member("/0", b"")
    (tmp_path / "thin.a").write_bytes(thin)
    (facts,) = elf.survey_file(tmp_path / "thin.a").facts
    assert (facts.file, facts.float_abi) == ("thin.a(obj/x.o)", "soft")


def test_a_thin_archive_in_a_tree_reaches_no_file_outside(tmp_path: Path) -> None:
    (tmp_path / "x.o").write_bytes(make(elf_type="ET_REL"))
    (tmp_path / "tree").mkdir()
    thin = b"!<thin>\n" + factory.member("//", b"../x.o/\n") + factory.member("/0", b"")
    (tmp_path / "tree" / "thin.a").write_bytes(thin)
    tree = elf.survey(tmp_path / "tree")
    assert (tree.facts, [odd.oddity for odd in tree.odd]) == ((), [Oddity.DAMAGED])
    assert "../x.o is not there" in tree.odd[0].details


def test_an_object_of_a_thin_archive_that_is_a_link_in_a_circle_is_not_there(
    tmp_path: Path,
) -> None:
    thin = b"!<thin>\n" + factory.member("//", b"x.o/\n") + factory.member("/0", b"")
    (tmp_path / "thin.a").write_bytes(thin)
    (tmp_path / "x.o").symlink_to("x.o")
    tree = elf.survey(tmp_path)
    assert ["x.o is not there" in odd.details for odd in tree.odd if odd.file == "thin.a"] == [True]


def test_a_text_is_no_elf_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.txt: no ELF file"):
        audit_path(tmp_path / "notes.txt")


def test_a_file_name_that_is_not_utf_8_makes_valid_json(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/lib\xff\n.so"
    with open(name, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(make(soname="lib\udcff.so".encode("utf-8", "surrogateescape").decode("latin-1")))
    document = audit_path(tmp_path)
    again = json.loads(json.dumps(document, ensure_ascii=False).encode())
    assert [facts["file"] for facts in again["facts"]] == [r"lib\xff\n.so"]


def test_sections_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """Many sections over the same bytes would be read many times."""
    image = bytearray(make(attributes=NEON, needed=["libc.so.6"]))
    table = int.from_bytes(image[32:36], "little")
    first, second = (table + 40 * number for number in (1, 2))
    image[second + 16 : second + 24] = image[first + 16 : first + 24]  # sh_offset, sh_size
    (tmp_path / "x.so").write_bytes(image)
    (odd,) = elf.survey(tmp_path).odd
    assert "share bytes of the file" in odd.details


def test_a_text_outside_the_string_table_is_none(tmp_path: Path) -> None:
    image = bytearray(make(needed=["libx.so"]))
    section = Image(bytes(image)).named(".dynamic")
    assert section is not None
    struct.pack_into("<I", image, section.offset + 4, 1 << 20)
    (tmp_path / "x.so").write_bytes(image)
    (odd,) = elf.survey(tmp_path).odd
    assert "names a text outside the string table" in odd.details


def test_a_program_without_section_headers_is_read_as_the_loader_reads_it(
    tmp_path: Path,
) -> None:
    """What `strip --strip-section-headers` of binutils 2.41 leaves runs as before."""
    path = tmp_path / "prog"
    path.write_bytes(factory.headerless(needed=["libx.so.1"], runpath="$ORIGIN/../lib", asks=["f"]))
    tree = elf.survey_file(path)
    (facts,), (odd,) = tree.facts, tree.odd
    assert (facts.needed, facts.runpath) == (("libx.so.1",), ("$ORIGIN/../lib",))
    assert facts.symbols is not None
    assert [one.name for one in facts.symbols.imports] == ["f"]
    assert (facts.neon_instructions, facts.features) == (None, None)
    assert (odd.oddity, odd.details.split(":")[0]) == (Oddity.UNREAD, "no section headers to go by")


@pytest.mark.parametrize(
    ("kind", "said"), [(4, "debug information split off into other files (.dwo)"), (1, "")]
)
def test_debug_information_in_other_files_is_not_read_and_said(
    tmp_path: Path, kind: int, said: str
) -> None:
    """The first unit of -gsplit-dwarf is of kind 4, DW_UT_skeleton; -g writes units of kind 1."""
    image = bytearray(make(producer="GNU C17 12.2.0 -march=armv7-a"))
    section = Image(bytes(image)).named(".debug_info")
    assert section is not None
    image[section.offset + 4 : section.offset + 7] = (5, 0, kind)
    path = tmp_path / "x.so"
    path.write_bytes(image)
    forms = [odd.details.split(":")[0] for odd in elf.survey_file(path).odd]
    assert forms == ([said] if said else [])


def test_facts_come_back_from_a_document_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(
        make(attributes=NEON, needed=["libc.so.6"], versions={"libc.so.6": ["GLIBC_2.34"]})
    )
    (facts,) = elf.survey(tmp_path).facts
    document = json.loads(json.dumps(Audit((), (facts,)).to_json()))
    assert Audit.from_json(document).facts == (replace(facts, symbols=None),)
    del document["facts"][0]["linking"]
    assert Audit.from_json(document).facts[0].soname == ""


def _static(mark: bytes) -> bytes:
    """A static 64-bit program of two instructions, without section headers, as UPX writes one."""
    code = bytes.fromhex("000080d2c0035fd6")  # mov x0, #0; ret
    start = 64 + 56 + len(mark)
    fields = (2, 183, 1, 0x400000 + start, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", *fields)
    size = start + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 4096)
    return header + segment + mark + code


@pytest.mark.parametrize(
    ("mark", "line"),
    [
        (
            bytes(8),
            "BM107 start: no section headers to go by: instructions and build attributes are not "
            "read, only linking",
        ),
        (
            b"UPX!\x10\x05\x0e\x16",
            "BM107 start: packed by UPX: what it unpacks when it is started is not read (upx -d "
            "unpacks it)",
        ),
    ],
)
def test_a_static_program_starts_without_section_headers(
    tmp_path: Path, mark: bytes, line: str
) -> None:
    (tmp_path / "start").write_bytes(_static(mark))
    (tmp_path / "start").chmod(0o755)
    assert shown(tmp_path) == [line]
