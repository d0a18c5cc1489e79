"""What is read from an ELF file, shown on images made from bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from buildmatrix import elf
from buildmatrix.errors import AuditError, InputError
from tests import elf_factory as factory
from tests.elf_factory import NEON, VFPV3, make

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.nouns import ElfFacts


@pytest.fixture
def facts(tmp_path: Path) -> Callable[[bytes], ElfFacts]:
    def read(image: bytes) -> ElfFacts:
        (tmp_path / "x").write_bytes(image)
        return elf.read(tmp_path / "x", "lib/x")

    return read


def test_a_neon_library_says_what_it_is(facts: Callable[[bytes], ElfFacts]) -> None:
    image = make(
        attributes=NEON | {"FP_arch": 5, "Advanced_SIMD_arch": 2},
        soname="libopenblas.so.0",
        needed=["libm.so.6", "libc.so.6"],
        rpath="$ORIGIN/../lib:/opt",
    )
    found = facts(image)
    assert (found.file, found.machine, found.elf_type, found.eabi) == (
        *("lib/x", "EM_ARM", "ET_DYN"),
        5,
    )
    assert (found.cpu_arch, found.fp_arch, found.simd) == ("v7", "VFPv4", "NEONv1 with Fused-MAC")
    assert (found.float_abi, found.vfp_args) == ("hard", True)
    assert (found.soname, found.needed) == ("libopenblas.so.0", ("libm.so.6", "libc.so.6"))
    assert found.rpath == ("$ORIGIN/../lib", "/opt")
    assert not found.executable_stack
    assert not found.text_relocations


@pytest.mark.parametrize(
    ("tag", "value", "field", "word"),
    [
        ("CPU_arch", 9, "cpu_arch", "v6K"),
        ("CPU_arch", 14, "cpu_arch", "v8"),
        ("CPU_arch", 99, "cpu_arch", "??? (99)"),
        ("FP_arch", 0, "fp_arch", ""),
        ("FP_arch", 4, "fp_arch", "VFPv3-D16"),
        ("FP_arch", 7, "fp_arch", "FP for ARMv8"),
        ("Advanced_SIMD_arch", 0, "simd", ""),
        ("Advanced_SIMD_arch", 3, "simd", "NEON for ARMv8"),
    ],
)
def test_attributes_in_the_words_of_readelf(
    facts: Callable[[bytes], ElfFacts], tag: str, value: int, field: str, word: str
) -> None:
    assert getattr(facts(make(attributes=VFPV3 | {tag: value})), field) == word


SOFT_ARGS = {"CPU_arch": 10, "ABI_FP_number_model": 3}


@pytest.mark.parametrize(
    ("flag", "attributes", "float_abi"),
    [
        ("hard", VFPV3, "hard"),
        ("hard", None, "hard"),
        ("soft", VFPV3, "soft"),
        ("unspecified", VFPV3, "hard"),  # an object file: only the linker writes the flag
        ("unspecified", SOFT_ARGS, "soft"),  # -mfloat-abi=soft
        ("unspecified", SOFT_ARGS | {"FP_arch": 3}, "soft"),  # -mfloat-abi=softfp
        ("hard", SOFT_ARGS | {"FP_arch": 3}, "soft"),  # the flag alone would hide it
        ("unspecified", SOFT_ARGS | {"ABI_VFP_args": 3}, "unspecified"),  # compatible with both
        ("unspecified", {"CPU_arch": 10, "FP_arch": 3}, "unspecified"),  # assembly, no model
        ("unspecified", None, "unspecified"),  # what Go's linker writes
    ],
)
def test_float_abi_from_header_and_attributes(
    facts: Callable[[bytes], ElfFacts],
    flag: str,
    attributes: Mapping[str, int] | None,
    float_abi: str,
) -> None:
    assert facts(make(float_flag=flag, attributes=attributes)).float_abi == float_abi


def test_a_second_vendor_of_attributes_is_passed_over(
    facts: Callable[[bytes], ElfFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GNU's own tags may stand before or after aeabi's."""
    gnu = b"\x0f\0\0\0gnu\0\x01\x07\0\0\0\x20\x01"
    gnu = (len(gnu)).to_bytes(4, "little") + gnu[4:]
    made = factory._attributes(NEON)
    for section in (b"A" + gnu + made[1:], made + gnu):
        monkeypatch.setattr(factory, "_attributes", lambda _, section=section: section)
        assert facts(make(attributes=NEON)).simd == "NEONv1"


@pytest.mark.parametrize(
    ("versions", "weak", "glibc", "glibcxx"),
    [
        ({}, (), "", ""),
        ({"libc.so.6": ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.28"]}, (), "2.34", ""),
        ({"libc.so.6": ["GLIBC_2.4"], "libm.so.6": ["GLIBC_2.29"]}, (), "2.29", ""),
        ({"libc.so.6": ["GLIBC_2.9", "GLIBC_2.10"]}, (), "2.10", ""),
        ({"libc.so.6": ["GLIBC_2.4", "GLIBC_PRIVATE"]}, (), "2.4", ""),
        ({"libc.so.6": ["GLIBC_2.4", "GLIBC_2.38"]}, ("GLIBC_2.38",), "2.4", ""),
        ({"libc.so.6": ["GLIBC_2.4", "GLIBC_ABI_DT_RELR"]}, (), "2.36", ""),
        ({"libstdc++.so.6": ["GLIBCXX_3.4.30", "CXXABI_1.3"]}, (), "", "3.4.30"),
    ],
)
def test_highest_symbol_versions(
    facts: Callable[[bytes], ElfFacts],
    versions: Mapping[str, Sequence[str]],
    weak: Sequence[str],
    glibc: str,
    glibcxx: str,
) -> None:
    found = facts(make(versions=versions, weak=weak))
    assert (found.glibc_max, found.glibcxx_max) == (glibc, glibcxx)


@pytest.mark.parametrize(("stack", "executable"), [("rw", False), ("rwx", True), (None, True)])
def test_a_missing_stack_header_means_an_executable_stack(
    facts: Callable[[bytes], ElfFacts], stack: str | None, executable: bool
) -> None:
    assert facts(make(stack=stack)).executable_stack is executable


def test_an_object_file_has_no_stack_of_its_own(facts: Callable[[bytes], ElfFacts]) -> None:
    assert not facts(make(elf_type="ET_REL", stack=None)).executable_stack


def test_text_relocations(facts: Callable[[bytes], ElfFacts]) -> None:
    assert facts(make(textrel=True)).text_relocations


# -- NEON in the code ---------------------------------------------------------------------------

A32_FOUR = factory.A32_VMLA_Q + factory.A32_VMUL_Q + factory.A32_VMUL_LANE + factory.A32_VFMA_Q
A32_NONE = factory.A32_VMLA_D + factory.A32_VMUL_I32 + factory.A32_VMLA_S + factory.A32_RETURN
T32_TWO = factory.T32_PUSH + factory.T32_VMLA_Q + factory.T32_VFMS_Q + factory.T32_RETURN
LITERAL = factory.A32_VMLA_Q


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ([("$a", A32_FOUR + A32_NONE)], 4),
        ([("$a", A32_NONE)], 0),
        ([("$t", T32_TWO)], 2),
        ([("$a", A32_FOUR), ("$t", T32_TWO)], 6),
        ([("$a", A32_FOUR), ("$d", LITERAL), ("$a", A32_FOUR)], 8),
        ([("$t", T32_TWO), ("$d", bytes(2) + LITERAL)], 2),
        ([("$a", A32_NONE), ("$d.literals", LITERAL)], 0),
        ([("$a", A32_FOUR), ("$double", A32_FOUR)], 8),  # a name like any other
        ([("$a", A32_NONE * 100)], 0),
        ([("$a", b"")], 0),
    ],
)
def test_quad_float_multiplies_by_mapping_symbols(
    facts: Callable[[bytes], ElfFacts], text: Sequence[tuple[str, bytes]], count: int
) -> None:
    assert facts(make(text=text)).neon_instructions == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ([("$a", A32_FOUR + A32_NONE), ("$t", T32_TWO)], 6),
        ([("$t", T32_TWO), ("$a", A32_FOUR)], 6),
        ([("$t", T32_TWO + bytes(2) + LITERAL)], 2),  # ARM's encoding after a Thumb function
    ],
)
def test_a_stripped_file_is_read_by_its_exported_functions(
    facts: Callable[[bytes], ElfFacts], text: Sequence[tuple[str, bytes]], count: int
) -> None:
    assert facts(make(text=text, symbols="functions")).neon_instructions == count


def test_mapping_symbols_overrule_functions(facts: Callable[[bytes], ElfFacts]) -> None:
    text = [("$a", A32_NONE), ("$d", LITERAL), ("$t", T32_TWO)]
    assert facts(make(text=text, symbols="functions")).neon_instructions == 3
    assert facts(make(text=text, symbols="both")).neon_instructions == 2


def test_without_any_symbol_code_is_taken_as_arm(facts: Callable[[bytes], ElfFacts]) -> None:
    assert facts(make(text=[("$a", A32_FOUR)], symbols="none")).neon_instructions == 4


def test_the_entry_of_a_library_says_nothing_of_its_code(
    facts: Callable[[bytes], ElfFacts],
) -> None:
    """ncnn's wheel for armv7l: its libgomp begins with Thumb functions that have no names, and GNU
    ld gave it the start of .text as its entry. Read as ARM code it was refused for crc32."""
    text = [("$d", T32_TWO), ("$t", factory.T32_RETURN)]  # the first piece has no symbol
    assert facts(make(text=text, symbols="functions")).neon_instructions == 2
    program = make(text=text, symbols="functions", elf_type="ET_EXEC")
    assert facts(program).neon_instructions == 0


def test_the_second_half_of_a_thumb_instruction_is_no_instruction(
    facts: Callable[[bytes], ElfFacts],
) -> None:
    """`bl` here ends in 0xff04; with the next halfword that would read as vmul.f32 q1, q2, q3."""
    text = bytes.fromhex("fff704ff") + bytes.fromhex("562d")
    assert facts(make(text=[("$t", text)])).neon_instructions == 0
    assert facts(make(text=[("$t", text[2:])])).neon_instructions == 1


def test_a_thumb_section_of_one_repeated_byte_is_read_in_linear_time(
    facts: Callable[[bytes], ElfFacts],
) -> None:
    """All halfwords could open a long instruction: pairs are counted from the start, once."""
    assert facts(make(text=[("$t", b"\xef" * 65536)])).neon_instructions == 0


def test_the_pieces_of_a_long_thumb_section_meet_between_two_instructions(
    facts: Callable[[bytes], ElfFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = factory.T32_PUSH + (factory.T32_VMLA_Q + factory.T32_PUSH) * 50 + T32_TWO * 20
    for piece in (8, 12, 64, 1 << 22):
        monkeypatch.setattr("buildmatrix.elf.hits.PIECE", piece)
        assert facts(make(text=[("$t", text)])).neon_instructions == 90


def test_the_code_says_what_it_needs_how_often_and_where(
    facts: Callable[[bytes], ElfFacts],
) -> None:
    ldadd, sdot = bytes.fromhex("bc027db8"), bytes.fromhex("1f97976e")
    image = make(
        machine="EM_AARCH64",
        symbols="functions",
        text=[("$x", ldadd * 2), ("$x", sdot + ldadd), ("$x", factory.A64_RETURN)],
    )
    features = facts(image).features
    assert features is not None
    assert [(f.feature, f.count, f.functions, f.holders) for f in features] == [
        ("atomics", 3, ("function_0", "function_1"), 2),
        ("asimddp", 1, ("function_1",), 1),
    ]
    multiplies = facts(image).multiplies
    assert multiplies is not None
    assert (multiplies.int8, multiplies.float32) == (1, 0)


@pytest.mark.parametrize(
    ("code", "count"),
    [
        (factory.A64_FMLA_4S + factory.A64_FMUL_LANE, 2),
        (factory.A64_FMLA_2D + factory.A64_RETURN, 0),
    ],
)
def test_aarch64_counts_four_single_lanes(
    facts: Callable[[bytes], ElfFacts], code: bytes, count: int
) -> None:
    found = facts(make(machine="EM_AARCH64", text=[("$x", code)]))
    assert (found.machine, found.neon_instructions) == ("EM_AARCH64", count)
    assert (found.float_abi, found.eabi, found.cpu_arch) == ("unspecified", 0, "")


def test_a_foreign_machine_is_read_without_judging(facts: Callable[[bytes], ElfFacts]) -> None:
    found = facts(make(machine="EM_X86_64", needed=["libc.so.6"]))
    assert (found.machine, found.needed, found.neon_instructions) == (
        *("EM_X86_64", ("libc.so.6",)),
        0,
    )


# -- what the compiler wrote down ---------------------------------------------------------------

NATIVE = "GNU C17 12.2.0 -march=znver3 -mavx2 --param=l1-cache-size=48 -mtune=znver3 -g -O2"


@pytest.mark.parametrize(
    ("made", "switches"),
    [
        (make(), ()),
        (make(command_line=["GNU C17 12.2.0 -mfpu=neon -marm -O2", ""]), ("-marm", "-mfpu=neon")),
        (make(command_line=["-mfpu=neon", "-marm", "-O2"]), ("-marm", "-mfpu=neon")),  # GCC 10
        (
            make(machine="EM_X86_64", producer=NATIVE),
            ("--param=l1-cache-size=48", "-march=znver3", "-mavx2", "-mtune=znver3"),
        ),
        (make(producer="clang version 14.0.6 -march=native"), ("-march=native",)),
        (make(producer="GNU AS 2.40"), ()),
        (make(producer="x -marm", command_line=["x -marm -mthumb"]), ("-marm", "-mthumb")),
    ],
)
def test_recorded_machine_switches(
    facts: Callable[[bytes], ElfFacts], made: bytes, switches: tuple[str, ...]
) -> None:
    assert facts(made).machine_switches == switches


def test_debug_information_that_cannot_be_read_is_no_fault(
    facts: Callable[[bytes], ElfFacts],
) -> None:
    """DWARF 9 is not there yet; the library's other facts are."""
    image = make(producer="x -marm", soname="libx.so.1")
    header = b"\x04\0" + bytes(4) + b"\x04\x01x -marm"
    assert image.count(header) == 1
    found = facts(image.replace(header, b"\x09" + header[1:]))
    assert (found.soname, found.machine_switches) == ("libx.so.1", ())


# -- files and trees ----------------------------------------------------------------------------


def test_a_tree_is_read_in_order_without_symlinks_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib" / "libb.so.1").write_bytes(make(soname="libb.so.1"))
    (tmp_path / "bin" / "runner").write_bytes(make(elf_type="ET_EXEC"))
    (tmp_path / "lib" / "libb.so").symlink_to("libb.so.1")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "model.bin").write_bytes(b"\x7fEL")
    assert [f.file for f in elf.read_tree(tmp_path)] == ["bin/runner", "lib/libb.so.1"]


def test_a_truncated_file_is_named_and_says_where_it_ends(tmp_path: Path) -> None:
    whole = make(attributes=NEON, needed=["libc.so.6"])
    (tmp_path / "x").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AuditError, match="lib/x: is not a whole ELF file") as caught:
        elf.read(tmp_path / "x", "lib/x")
    assert "readelf -aW" in caught.value.hint


def test_the_objects_of_a_static_library_are_read_by_name(tmp_path: Path) -> None:
    soft = make(elf_type="ET_REL", float_flag="unspecified", attributes=SOFT_ARGS)
    neon = make(elf_type="ET_REL", attributes=NEON, text=[("$a", A32_FOUR)])
    name = "a_name_longer_than_sixteen.o"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libx.a").write_bytes(
        factory.ar({"soft.o": soft, name: neon, "odd.txt": b"odd"})
    )
    found = elf.read_tree(tmp_path)
    assert [f.file for f in found] == ["lib/libx.a(soft.o)", f"lib/libx.a({name})"]
    assert [f.float_abi for f in found] == ["soft", "hard"]
    assert [f.neon_instructions for f in found] == [0, 4]
    assert elf.read_file(tmp_path / "lib" / "libx.a", "lib/libx.a") == found


def test_a_library_in_bsds_form(tmp_path: Path) -> None:
    content = b"neon.o\0\0" + make(elf_type="ET_REL", text=[("$a", A32_FOUR)])
    (tmp_path / "libx.a").write_bytes(b"!<arch>\n" + factory.member("#1/8", content))
    (found,) = elf.read_tree(tmp_path)
    assert (found.file, found.neon_instructions) == ("libx.a(neon.o)", 4)


@pytest.mark.parametrize(
    ("data", "details"),
    [
        (factory.ar({"x.o": make()})[:-9], "the member at byte 72 ends outside the file"),
        (factory.ar({"x.o": make()}) + b"?", "no member header at byte"),
        (b"!<thin>\n" + factory.member("x.o/", b""), "a thin archive holds no objects"),
    ],
)
def test_a_damaged_library_is_named(tmp_path: Path, data: bytes, details: str) -> None:
    (tmp_path / "libx.a").write_bytes(data)
    with pytest.raises(AuditError, match=r"libx\.a: is not a whole static library") as caught:
        elf.read_tree(tmp_path)
    assert details in caught.value.details


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lib/x: cannot be read: No such file"):
        elf.read(tmp_path / "x", "lib/x")


def test_without_section_headers_nothing_could_be_audited(
    facts: Callable[[bytes], ElfFacts],
) -> None:
    image = bytearray(make(attributes=VFPV3))
    image[32:36] = bytes(4)  # e_shoff
    image[48:52] = bytes(4)  # e_shnum, e_shstrndx
    with pytest.raises(AuditError, match="section header table was stripped"):
        facts(bytes(image))


WHOLE = make(
    attributes=NEON,
    text=[("$a", A32_FOUR), ("$d", LITERAL), ("$t", T32_TWO)],
    needed=["libc.so.6"],
    soname="libx.so",
    rpath="$ORIGIN",
    versions={"libc.so.6": ["GLIBC_2.4"], "libm.so.6": ["GLIBC_2.29"]},
    command_line=["GNU C17 -marm"],
    producer="GNU C17 -marm",
)
MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6
)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=MUTATIONS, length=st.integers(4, len(WHOLE)))
@example(mutations=[(0x2E, 0)], length=len(WHOLE))  # e_shentsize 0: every section is the first
@example(mutations=[(0x10, 4)], length=len(WHOLE))  # ET_CORE
@example(mutations=[(0x12, 0)], length=len(WHOLE))  # EM_NONE
def test_damaged_bytes_give_facts_or_a_named_error(
    facts: Callable[[bytes], ElfFacts], mutations: list[tuple[int, int]], length: int
) -> None:
    """Never a traceback of the parser's, never a walk without end (the test would hang)."""
    image = bytearray(WHOLE)
    for position, value in mutations:
        image[position] = value
    try:
        shown = facts(bytes(image[:length])).file
    except AuditError as error:
        shown = f"{error.where}"
    assert shown == "lib/x"
