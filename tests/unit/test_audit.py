"""Every rule: what it says, and what it must not say."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import audit, elf
from buildmatrix.audit.document import Audit
from buildmatrix.audit.page import refreshed
from buildmatrix.errors import InputError
from buildmatrix.nouns import (
    AuditPolicy,
    ElfFacts,
    ElfTree,
    FeatureUse,
    Finding,
    Import,
    Linking,
    Multiplies,
    OddFile,
    Oddity,
    Severity,
    Symbols,
    Target,
    WantedMultiplies,
)
from tests import elf_factory as factory

if TYPE_CHECKING:
    from collections.abc import Sequence

PI3 = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")
PI4_64 = Target("aarch64-linux-gnu", "EM_AARCH64", "armv8-a", "", "hard", "2.36")
HOST = Target("x86_64-linux-gnu", "EM_X86_64", "x86-64", "", "hard", "2.36")
LIBC = ("libc.so.6", "libm.so.6", "ld-linux-armhf.so.3")
POLICY = AuditPolicy(PI3, provided=LIBC)

GOOD = ElfFacts(
    file="lib/libopenblas.so.0",
    machine="EM_ARM",
    elf_type="ET_DYN",
    eabi=5,
    float_abi="hard",
    cpu_arch="v7",
    fp_arch="VFPv3",
    simd="NEONv1",
    vfp_args=True,
    soname="libopenblas.so.0",
    needed=LIBC,
    rpath=(),
    glibc_max="2.34",
    glibcxx_max="",
    executable_stack=False,
    neon_instructions=70,
)
GO = replace(
    GOOD,
    file="bin/tool",
    elf_type="ET_EXEC",
    float_abi="unspecified",
    cpu_arch="",
    fp_arch="",
    simd="",
    vfp_args=False,
    soname="",
    needed=(),
    glibc_max="",
    neon_instructions=0,
)
WITHOUT_NEON = replace(GOOD, simd="", neon_instructions=0)
AARCH64 = replace(
    GOOD,
    machine="EM_AARCH64",
    eabi=0,
    float_abi="unspecified",
    cpu_arch="",
    fp_arch="",
    simd="",
    needed=("libc.so.6",),
)


def said(facts: ElfFacts | Sequence[ElfFacts], policy: AuditPolicy = POLICY) -> list[str]:
    """Findings as people see them: code and message."""
    tree = [facts] if isinstance(facts, ElfFacts) else facts
    return [f"{f.code} {f.message}" for f in audit.judge(tree, policy)]


def on(fpu: str = "neon-vfpv4", march: str = "armv7-a", **more: Any) -> AuditPolicy:
    return replace(POLICY, target=replace(PI3, fpu=fpu, march=march), **more)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(GOOD, machine="EM_X86_64"), "BM101 built for EM_X86_64, the target is EM_ARM"),
        (AARCH64, "BM101 built for EM_AARCH64, the target is EM_ARM"),
        (
            replace(GOOD, eabi=0),
            "BM102 no EABI version in e_flags (the old ABI), the board's libc uses 5",
        ),
        (
            replace(GOOD, float_abi="soft", vfp_args=False),
            "BM103 soft-float ABI, the target is hard-float (Tag_ABI_VFP_args: core registers)",
        ),
        (replace(GOOD, cpu_arch="v8"), "BM110 Tag_CPU_arch v8, the target is v7 (armv7-a)"),
        (replace(GOOD, cpu_arch="v7E-M"), "BM110 Tag_CPU_arch v7E-M, the target is v7 (armv7-a)"),
        (replace(GOOD, cpu_arch="??? (99)"), "BM110 Tag_CPU_arch ??? (99), the target is v7"),
        (
            replace(GOOD, fp_arch="FP for ARMv8"),
            "BM111 Tag_FP_arch FP for ARMv8, the target is neon-vfpv4",
        ),
        (
            replace(GOOD, simd="NEON for ARMv8"),
            "BM112 Tag_Advanced_SIMD_arch NEON for ARMv8, the target is neon-vfpv4",
        ),
        *(
            (
                replace(GOOD, machine_switches=("-mfpu=neon-vfpv4", switch)),
                f"BM114 its compiler was told {switch}",
            )
            for switch in (
                *("-march=native", "-mcpu=native", "-mtune=native"),
                *("-msse4.2", "-mavx2", "--param=l1-cache-size=48"),
            )
        ),
        (replace(GOOD, glibc_max="2.38"), "BM130 needs GLIBC_2.38, the floor is GLIBC_2.36"),
        (
            replace(GOOD, needed=("libgfortran.so.5",)),
            "BM140 needs libgfortran.so.5, which neither the bundle nor the board has",
        ),
        *(
            (
                replace(GOOD, needed=(name,)),
                f"BM141 needs {name}, which belongs to another libc or machine",
            )
            for name in (
                *("ld-linux-x86-64.so.2", "ld-linux.so.3", "ld-linux-aarch64.so.1"),
                *("ld64.so.2", "libc.so", "libc.musl-armv7.so.1", "ld-musl-armhf.so.1"),
            )
        ),
        (
            replace(GOOD, rpath=("/work/build/lib",)),
            "BM150 rpath /work/build/lib is a path of the machine that built it",
        ),
        (
            replace(GOOD, rpath=("$ORIGIN/../../other",)),
            "BM151 rpath $ORIGIN/../../other leaves the bundle",
        ),
        (
            replace(GOOD, rpath=("lib",)),
            "BM151 rpath 'lib' depends on the folder the program is started in",
        ),
        (
            replace(GOOD, rpath=("",)),
            "BM151 rpath '' depends on the folder the program is started in",
        ),
        (
            replace(GOOD, executable_stack=True),
            "BM160 asks for an executable stack (PT_GNU_STACK is RWE or absent)",
        ),
        (replace(GOOD, text_relocations=True), "BM161 has text relocations (DT_TEXTREL)"),
    ],
)
def test_one_fault_is_one_finding(facts: ElfFacts, expected: str) -> None:
    (message,) = said(facts)
    assert message.startswith(expected)


@pytest.mark.parametrize(
    ("facts", "policy", "code"),
    [
        (replace(GOOD, fp_arch="VFPv4"), on("neon"), "BM111"),
        (replace(GOOD, simd="NEONv1 with Fused-MAC"), on("neon"), "BM112"),
        (GOOD, on("vfpv3"), "BM112"),
        (WITHOUT_NEON, on("vfpv3-d16"), "BM111"),
        (replace(WITHOUT_NEON, fp_arch="VFPv2"), on(""), "BM111"),
        (GOOD, on(march="armv6"), "BM110"),
        (replace(GOOD, cpu_arch="v8.2-A"), on(march="armv8-a"), "BM110"),
    ],
)
def test_a_smaller_target_takes_less(facts: ElfFacts, policy: AuditPolicy, code: str) -> None:
    assert [line.split()[0] for line in said(facts, policy)] == [code]


@pytest.mark.parametrize(
    ("facts", "policy"),
    [
        (GOOD, POLICY),
        (GO, POLICY),  # no flag, no attributes: Go's linker writes it, BinaryBuilder's case
        (replace(GOOD, float_abi="unspecified", fp_arch="", simd="", vfp_args=False), POLICY),
        (replace(GOOD, fp_arch="VFPv3-D16", cpu_arch="v6"), POLICY),  # Raspbian's own libraries
        (replace(GOOD, fp_arch="VFPv4", simd="NEONv1 with Fused-MAC"), POLICY),
        (
            replace(
                GOOD,
                machine_switches=(
                    "-march=armv7-a+neon-vfpv4",
                    "-mcpu=cortex-a53",
                    "-mtune=cortex-a53",
                ),
            ),
            POLICY,
        ),
        (replace(GOOD, cpu_arch="v8"), on(march="armv8-a+crc")),
        (replace(GOOD, cpu_arch="v7"), on(march="armv7ve")),
        (replace(GOOD, cpu_arch="v6KZ"), on(march="armv6kz")),
        (replace(GOOD, glibc_max="2.36"), POLICY),
        (replace(GOOD, glibc_max="2.4"), POLICY),
        (replace(GOOD, glibcxx_max="3.4.32"), POLICY),  # libstdc++ travels with the bundle
        (replace(GOOD, rpath=("$ORIGIN", "$ORIGIN/../lib", "${ORIGIN}/../bin")), POLICY),
        (replace(GOOD, file="libLLVM-14.so.1", rpath=("$ORIGIN/../lib",)), POLICY),
        (replace(GOOD, file="lib/libblas-r0.3.so", needed=("libopenblas.so.0",)), POLICY),  # soname
        (GOOD, on(neon_required=("libopenblas*", "lib/*.so.0"))),
        (replace(GOOD, simd=""), on(neon_required=("libopenblas*",))),  # FFmpeg hides the tag
        (WITHOUT_NEON, on("vfpv3", neon_forbidden=("lib/*",))),
        (WITHOUT_NEON, POLICY),  # no rule asks for NEON
    ],
)
def test_what_must_not_be_reported(facts: ElfFacts, policy: AuditPolicy) -> None:
    assert said(facts, policy) == []


def test_aarch64_has_no_attributes_and_needs_none() -> None:
    provided = ("libc.so.6", "ld-linux-aarch64.so.1")
    policy = AuditPolicy(PI4_64, neon_required=("lib/*",), provided=provided)
    assert said(replace(AARCH64, needed=provided), policy) == []
    assert said(replace(AARCH64, neon_instructions=0), policy) == [
        "BM120 NEON must be here ('lib/*'): 0 quad-register float multiply instructions"
    ]
    assert said(replace(AARCH64, needed=("ld-linux-armhf.so.3",)), policy) == [
        "BM141 needs ld-linux-armhf.so.3, which belongs to another libc or machine"
    ]


def test_x86_code_is_judged_by_what_it_needs_not_by_its_architecture() -> None:
    """The host toolchain's cells: SSE is their baseline, and -march=native a leak there too."""
    provided = ("libc.so.6", "ld-linux-x86-64.so.2")
    policy = AuditPolicy(HOST, provided=provided)
    built = replace(AARCH64, machine="EM_X86_64", needed=provided)
    assert said(replace(built, machine_switches=("-msse2", "-mtune=generic")), policy) == []
    assert said(replace(built, machine_switches=("--param=l2-cache-size=1024",)), policy) == [
        "BM114 its compiler was told --param=l2-cache-size=1024"
    ]
    assert said(replace(built, needed=("ld-linux-armhf.so.3",)), policy) == [
        "BM141 needs ld-linux-armhf.so.3, which belongs to another libc or machine"
    ]


def test_code_that_nothing_tells_from_data_is_unknown_to_a_neon_rule_and_not_without() -> None:
    stripped = replace(GOOD, file="lib/libblas.so.3", simd="", neon_instructions=None)
    why = "unknown, nothing tells its code from data"
    assert said([stripped], on(neon_required=("lib/*",))) == [
        f"BM123 NEON must be here ('lib/*'): {why}"
    ]
    assert said([stripped], on(neon_forbidden=("lib/*",))) == [
        f"BM123 NEON may not be here ('lib/*'): {why}"
    ]
    kernel = replace(GOOD, file="lib/libblas.a(sgemm.o)")
    other = replace(stripped, file="lib/libblas.a(other.o)")
    assert said([kernel, other], on(neon_required=("*.a",))) == []


def test_a_static_library_is_one_file_to_a_neon_rule() -> None:
    """Its kernels lie in few of its objects."""
    common = replace(WITHOUT_NEON, file="lib/libblas.a(common.o)", fp_arch="VFPv3-D16")
    kernel = replace(GOOD, file="lib/libblas.a(sgemm.o)")
    policy = on(neon_required=("lib/libblas.a", "libblas.a"))
    assert said([common, kernel], policy) == []
    assert said(
        [common, replace(kernel, simd="", neon_instructions=0)], on(neon_required=("*.a",))
    ) == [
        "BM120 NEON must be here ('*.a'): 0 quad-register float multiply instructions, "
        "Tag_FP_arch VFPv3 and VFPv3-D16, Tag_Advanced_SIMD_arch absent"
    ]
    (finding,) = audit.judge([common, kernel], on(neon_forbidden=("*.a",)))
    assert (finding.code, finding.file) == ("BM122", "lib/libblas.a(sgemm.o)")


def test_a_neon_build_without_neon_is_refused_with_its_figures() -> None:
    """OpenBLAS 0.3.34 for ARMV7 without HAVE_NEON=1."""
    (finding,) = audit.judge([WITHOUT_NEON], on(neon_required=("libopenblas*",)))
    assert finding.message == (
        "NEON must be here ('libopenblas*'): 0 quad-register float multiply instructions, "
        "Tag_FP_arch VFPv3, Tag_Advanced_SIMD_arch absent"
    )
    assert "HAVE_NEON=1" in finding.hint


def test_the_tag_alone_does_not_make_a_neon_library() -> None:
    tagged = replace(GOOD, neon_instructions=0)
    assert [line[:5] for line in said(tagged, on(neon_required=("lib/*",)))] == ["BM120"]


QUANTISED = replace(
    GOOD,
    file="lib/libqnn.so",
    simd="NEONv1",
    neon_instructions=0,
    multiplies=Multiplies(int8=40, int16=3),
)


def wanting(*kinds: str) -> AuditPolicy:
    return on(multiplies_required=(WantedMultiplies("lib/*", kinds),))


def test_a_quantised_library_has_the_neon_that_its_recipe_names() -> None:
    """Asked for NEON without a kind it would be refused: it multiplies no floats."""
    assert said(QUANTISED, wanting("int8", "int16")) == []
    assert [line[:5] for line in said(QUANTISED, on(neon_required=("lib/*",)))] == ["BM120"]


@pytest.mark.parametrize("kind", [one.name for one in fields(Multiplies)])
def test_each_kind_of_multiply_is_asked_for_alone(kind: str) -> None:
    with_it = replace(QUANTISED, multiplies=Multiplies(**{kind: 1}))
    assert said(with_it, wanting(kind)) == []
    assert [line[:5] for line in said(QUANTISED, wanting(kind))] == (
        [] if kind in ("int8", "int16") else ["BM120"]
    )


def test_a_kind_that_is_absent_is_named_beside_those_that_are_there() -> None:
    assert said(QUANTISED, wanting("int8", "float16", "sve")) == [
        "BM120 vector multiplies of float16 and sve must be here ('lib/*'): "
        "40 of int8, 3 of int16, Tag_FP_arch VFPv3, Tag_Advanced_SIMD_arch NEONv1"
    ]
    without = replace(QUANTISED, machine="EM_AARCH64", multiplies=Multiplies())
    policy = AuditPolicy(PI4_64, multiplies_required=(WantedMultiplies("*.so", ("int8",)),))
    assert "BM120 vector multiplies of int8 must be here ('*.so'): none of any kind" in said(
        without, policy
    )


def test_a_kind_that_cannot_be_told_is_unknown_and_not_absent() -> None:
    stripped = replace(QUANTISED, neon_instructions=None, multiplies=None)
    assert said(stripped, wanting("int8", "sve")) == [
        "BM123 int8 and sve must be here ('lib/*'): unknown, nothing tells its code from data"
    ]


def test_a_neon_rule_that_matches_nothing_is_a_finding() -> None:
    policy = on(neon_required=("lib/libblas.so.3",), neon_forbidden=("*.a",))
    assert said(GOOD, policy) == [
        "BM121 neon_forbidden names '*.a' and no file matches",
        "BM121 neon_required names 'lib/libblas.so.3' and no file matches",
    ]


def test_newer_kernels_behind_a_question_to_the_cpu_are_a_warning() -> None:
    """XNNPACK for 32-bit ARM: its quantized kernels for ARMv8 are chosen by cpuinfo."""
    newer = replace(
        GOOD, file="bin/runner", cpu_arch="v8", fp_arch="FP for ARMv8", simd="NEON for ARMv8.1"
    )
    assert [line[:5] for line in said(newer)] == ["BM110", "BM111", "BM112"]
    policy = on(dispatched=("bin/runner",))
    findings = audit.judge([newer], policy)
    assert Audit(findings, ()).blocking == ()
    assert [f"{f.code} {f.message}" for f in findings] == [
        "BM115 Tag_Advanced_SIMD_arch NEON for ARMv8.1, the target is neon-vfpv4; "
        "the recipe says that it asks the CPU first",
        "BM115 Tag_CPU_arch v8, the target is v7 (armv7-a); "
        "the recipe says that it asks the CPU first",
        "BM115 Tag_FP_arch FP for ARMv8, the target is neon-vfpv4; "
        "the recipe says that it asks the CPU first",
    ]
    elsewhere = replace(newer, file="lib/libnew.so")
    assert [line[:5] for line in said([newer, elsewhere], policy)[3:]] == [
        "BM110",
        "BM111",
        "BM112",
    ]
    assert said(GOOD, policy) == ["BM121 dispatched names 'bin/runner' and no file matches"]


@pytest.mark.parametrize("facts", [GOOD, replace(GOOD, neon_instructions=0)])
def test_forbidden_neon_is_found_by_code_or_tag(facts: ElfFacts) -> None:
    (message,) = said(facts, on(neon_forbidden=("lib/*",)))
    assert message.startswith("BM122 NEON may not be here ('lib/*')")


def test_hidden_neon_on_a_board_without_it_is_a_warning() -> None:
    """Chosen at run time, as in FFmpeg, it is harmless; the audit cannot know."""
    hidden = replace(WITHOUT_NEON, neon_instructions=1)
    (finding,) = audit.judge([hidden], on("vfpv3"))
    assert (finding.code, finding.severity) == ("BM113", Severity.WARNING)
    assert finding.message.startswith("1 quad-register float multiply instruction and no")
    assert Audit((finding,), ()).blocking == ()


def test_a_library_of_another_machine_satisfies_nobody_and_is_judged_no_further() -> None:
    foreign = replace(
        GOOD,
        file="lib/libz.so.1",
        soname="libz.so.1",
        machine="EM_X86_64",
        rpath=("/opt",),
        glibc_max="2.40",
        executable_stack=True,
    )
    assert said([foreign, replace(GOOD, needed=("libz.so.1",))]) == [
        "BM140 needs libz.so.1, which neither the bundle nor the board has",
        "BM101 built for EM_X86_64, the target is EM_ARM",
    ]


def test_a_needed_library_is_found_by_its_file_name() -> None:
    """A library without a soname is needed by its name."""
    unnamed = replace(GOOD, file="lib/libplain.so", soname="")
    assert said([unnamed, replace(GOOD, needed=("libplain.so",))]) == []


def test_an_unknown_march_is_bad_input() -> None:
    with pytest.raises(InputError, match="unknown march 'pentium4'"):
        audit.judge([GOOD], on(march="pentium4"))


BAD = [
    replace(GOOD, file=f"lib/{name}", float_abi="soft", rpath=("/a", "/b"), executable_stack=True)
    for name in ("a", "b", "c")
]


@given(st.permutations(BAD))
def test_the_order_of_findings_is_that_of_files_and_codes(facts: list[ElfFacts]) -> None:
    found = audit.judge(facts, POLICY)
    assert found == audit.judge(BAD, POLICY)
    assert [f.code for f in found[:4]] == ["BM103", "BM150", "BM150", "BM160"]
    assert Audit(found, ()).blocking == found


def test_from_bytes_to_verdict(tmp_path: Path) -> None:
    """Soft-float, one absolute rpath, a libc too new, and a library that nobody has."""
    image = factory.make(
        float_flag="soft",
        attributes=factory.VFPV3 | {"ABI_VFP_args": 0},
        soname="libx.so.1",
        needed=["libc.so.6", "libnone.so.9"],
        rpath="/opt/lib:$ORIGIN",
        versions={"libc.so.6": ["GLIBC_2.38"]},
    )
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libx.so.1").write_bytes(image)
    codes = [f.code for f in audit.judge(elf.read_tree(tmp_path), POLICY)]
    assert codes == ["BM103", "BM130", "BM140", "BM150"]


CORTEX_A53 = replace(GOOD, cpu_arch="v8", fp_arch="FP for ARMv8", simd="NEON for ARMv8")


@pytest.mark.parametrize("march", ["armv8-a", "armv8-a+crc"])
@pytest.mark.parametrize("fpu", ["neon-fp-armv8", "crypto-neon-fp-armv8"])
def test_armv8_in_32_bit_state_is_a_target_like_another(fpu: str, march: str) -> None:
    """What gcc -mcpu=cortex-a53 gives, and what older flags give, go there."""
    assert said(CORTEX_A53, on(fpu, march)) == []
    assert said(GOOD, on(fpu, march)) == []
    assert [words[:5] for words in said(CORTEX_A53)] == ["BM110", "BM111", "BM112"], "not on v7"


OPENER = replace(GOOD, file="bin/main", linking=Linking(opens=("libopenblas.so.0",)))
OPENED = (OPENER, replace(GOOD, executable_stack=True))
TRIXIE = replace(PI3, libc_floor="2.41")


def test_a_library_with_an_executable_stack_is_not_opened_by_glibc_2_41() -> None:
    """Run with Debian 12's and 13's loaders: the one opens it, the other refuses."""
    stray = replace(POLICY, stray=True)
    found = audit.judge(OPENED, replace(stray, target=TRIXIE))
    assert [(f.code, f.severity.value) for f in found] == [("BM160", "warning"), ("BM166", "error")]
    assert [(f.code, f.severity.value) for f in audit.judge(OPENED, stray)] == [
        ("BM160", "warning")
    ]
    program = replace(GOOD, file="p", executable_stack=True, linking=Linking(interpreter="/lib/x"))
    assert "BM166" not in {f.code for f in audit.judge((*OPENED, program), POLICY)}


def test_without_a_floor_no_version_is_too_new() -> None:
    no_floor = replace(POLICY, target=replace(PI3, libc_floor=""))
    assert said(replace(GOOD, glibc_max="2.99"), no_floor) == []


def test_the_page_shows_the_rules_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| BM", line)]
    assert rows == [[r.code, r.severity.value, r.meaning, r.hint] for r in audit.RULES]
    assert len({r.code for r in audit.RULES}) == len(audit.RULES)


def test_the_tables_of_the_page_are_those_of_the_rules_and_the_boards() -> None:
    """Stale? python -m buildmatrix.audit docs/audit.md"""
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    assert refreshed(page) == page
    assert "| pi5-64 | Cortex-A76 (0xd0b) |" in page
    assert "| trixie | 2.41 | GLIBCXX_3.4.33, CXXABI_1.3.15" in page


LSE = FeatureUse("atomics", 17, ("push", "pop", "steal", "park"), 9)
PI4_POLICY = replace(POLICY, target=PI4_64, provided=("libc.so.6",))


def test_what_a_run_cannot_avoid_is_an_error_with_the_way_to_it() -> None:
    """onnxruntime 1.21.0's aarch64 wheel ends so on a Raspberry Pi 4 (its issue 23957)."""
    half = FeatureUse("asimdhp", 4828, (), 0, (".init_array", "_GLOBAL__sub_I_erf"))
    (finding,) = audit.judge([replace(AARCH64, features=(half,))], PI4_POLICY)
    assert (finding.code, finding.severity) == ("BM116", Severity.ERROR)
    assert finding.message == (
        "needs asimdhp (half-precision vectors), which the target lacks: "
        ".init_array, _GLOBAL__sub_I_erf runs into it"
    )


OFFERED = replace(LSE, exports=("put", "take"))
CALLER = replace(
    AARCH64,
    file="bin/main",
    soname="",
    needed=(AARCH64.soname,),
    rpath=("$ORIGIN/../lib",),
    linking=replace(AARCH64.linking, interpreter="/lib/ld-linux-aarch64.so.1"),
)


def test_an_exported_function_that_runs_straight_into_it_is_an_error() -> None:
    (finding,) = audit.judge([replace(AARCH64, features=(OFFERED,))], PI4_POLICY)
    assert (finding.code, finding.severity) == ("BM116", Severity.ERROR)
    assert finding.message == (
        "needs atomics (large-system atomics), which the target lacks: "
        "who calls put, take runs into it"
    )


@pytest.mark.parametrize(
    ("imported", "asks", "codes"),
    [
        ("take", False, ["BM116"]),
        ("other", False, ["BM117"]),  # no program of the tree calls one of them
        ("take", True, ["BM117"]),  # the program may ask before it calls
    ],
)
def test_of_a_library_that_the_trees_own_programs_load_what_they_import_counts(
    imported: str, asks: bool, codes: list[str]
) -> None:
    library = replace(AARCH64, file=f"lib/{AARCH64.soname}", features=(OFFERED,))
    program = replace(CALLER, asks_cpu=asks, symbols=Symbols((Import(imported),), {}))
    found = audit.judge([library, program], PI4_POLICY)
    assert [f.code for f in found if f.code in ("BM116", "BM117")] == codes


def test_what_may_be_dispatched_is_a_warning_that_names_functions() -> None:
    (finding,) = audit.judge([replace(AARCH64, features=(LSE,))], PI4_POLICY)
    assert (finding.code, finding.severity) == ("BM117", Severity.WARNING)
    assert finding.message == (
        "has instructions that the target lacks: 17 of atomics (large-system atomics) "
        "in push, pop, steal and 6 more"
    )


@pytest.mark.parametrize(("guarded", "counts"), [(17, []), (15, ["2 of atomics"]), (0, ["17 of"])])
def test_outline_atomics_ask_by_themselves(guarded: int, counts: list[str]) -> None:
    """All 17 of MXNet's aarch64 wheel stand in libgcc's helpers."""
    found = audit.judge([replace(AARCH64, features=(replace(LSE, guarded=guarded),))], PI4_POLICY)
    assert [f.code for f in found] == ["BM117" for _ in counts]
    assert all(f"lacks: {count}" in f.message for f, count in zip(found, counts, strict=True))


def test_a_recipe_that_says_dispatched_settles_the_warning() -> None:
    policy = replace(PI4_POLICY, dispatched=("libopenblas.so.0",))
    assert audit.judge([replace(AARCH64, features=(LSE,))], policy) == ()


def test_what_the_target_has_is_no_finding() -> None:
    newer = replace(PI4_POLICY, target=replace(PI4_64, march="armv8.2-a"))
    assert audit.judge([replace(AARCH64, features=(LSE,))], newer) == ()


def test_a_static_library_has_one_finding_for_all_its_objects() -> None:
    objects = [
        replace(AARCH64, file=f"lib/libx.a({name}.o)", features=(LSE,)) for name in ("a", "b")
    ]
    (finding,) = audit.judge(objects, PI4_POLICY)
    assert (finding.file, "34 of atomics" in finding.message) == ("lib/libx.a", True)


def test_attributes_that_say_more_than_the_code_are_a_warning() -> None:
    """One object of ARMv8 marks a program whose code was read and runs on a Cortex-A7."""
    marked = replace(GOOD, file="bin/main", fp_arch="FP for ARMv8")
    vrint = FeatureUse("armv8", 1, ("floor_all",), 1)
    read = audit.judge([replace(marked, features=())], POLICY)
    asks = audit.judge([replace(marked, features=(vrint,), asks_cpu=True)], POLICY)
    silent = audit.judge([replace(marked, features=(vrint,))], POLICY)
    assert [f.code for f in audit.judge([marked], POLICY)] == ["BM111"]
    assert [f.message for f in read] == [
        "Tag_FP_arch FP for ARMv8, the target is neon-vfpv4; no instruction in the code needs it"
    ]
    assert [f.code for f in read if f.severity is Severity.ERROR] == []
    assert [f.code for f in asks if f.severity is Severity.ERROR] == []
    assert [f.code for f in silent if f.severity is Severity.ERROR] == ["BM111"]


def test_attributes_of_code_that_nothing_leads_to_are_a_warning_that_names_it() -> None:
    marked = replace(GOOD, file="bin/main", fp_arch="FP for ARMv8")
    never = FeatureUse("armv8", 1, ("never",), 1, unreached=True)
    findings = audit.judge([replace(marked, features=(never,))], POLICY)
    assert [(f.code, f.severity) for f in findings] == [
        ("BM115", Severity.WARNING),
        ("BM117", Severity.WARNING),
        ("BM118", Severity.WARNING),
    ]
    assert findings[0].message.endswith("nothing in the file leads to the functions that need it")
    assert findings[1].message.endswith("1 of armv8 (ARMv8 in 32-bit state) in never")
    crc = FeatureUse("crc32", 1, ("sum",), 1)
    both = audit.judge([replace(marked, features=(never, crc), cpu_arch="v8")], POLICY)
    assert [f.code for f in both if f.severity is Severity.ERROR] == ["BM110"]


def test_the_attributes_of_the_fpu_say_nothing_of_division() -> None:
    """zig's C library for a Cortex-A7: VFPv4 in the attributes, only a division in the code."""
    cortex_a9 = replace(POLICY, target=replace(PI3, fpu="neon"))
    marked = replace(GOOD, fp_arch="VFPv4", simd="NEONv1 with Fused-MAC")
    divides = FeatureUse("idiva", 10, ("__udivmoddi4",), 1)
    fused = FeatureUse("vfpv4", 1, ("dot",), 1)
    findings = audit.judge([replace(marked, features=(divides,))], cortex_a9)
    assert [f.code for f in findings if f.severity is Severity.ERROR] == []
    findings = audit.judge([replace(marked, features=(divides, fused))], cortex_a9)
    assert [f.code for f in findings if f.severity is Severity.ERROR] == ["BM111", "BM112"]


@pytest.mark.parametrize(
    ("facts", "use", "message"),
    [
        (
            GOOD,
            FeatureUse("armv8", 2, ("main",), 1),
            "BM118 Tag_CPU_arch v7, and 2 instructions of armv8 (ARMv8 in 32-bit state) in main",
        ),
        (
            GOOD,
            FeatureUse("vfpv4", 1, ("dot",), 1),
            "BM118 Tag_FP_arch VFPv3, and 1 instructions of vfpv4 (fused multiply-add) in dot",
        ),
    ],
)
def test_attributes_that_say_less_than_the_code(
    facts: ElfFacts, use: FeatureUse, message: str
) -> None:
    """lld keeps the attributes of its first object only."""
    told = said(replace(facts, features=(use,)), on("neon-fp-armv8", "armv8-a"))
    assert told == [message]


def test_every_rule_is_reached_by_a_test() -> None:
    """A code that no fault here produces would be untested."""
    faults: list[tuple[ElfFacts, AuditPolicy]] = [
        (replace(GOOD, machine="EM_386"), POLICY),
        (replace(GOOD, eabi=0, float_abi="soft", cpu_arch="v9", fp_arch="FP for ARMv8"), POLICY),
        (replace(GOOD, glibc_max="3", needed=("x", "libc.so"), rpath=("/", ".")), on("vfpv3")),
        (replace(GOOD, executable_stack=True, text_relocations=True), on(neon_forbidden=("*",))),
        (replace(GOOD, cpu_arch="v8"), on(dispatched=("*",))),
        (WITHOUT_NEON, on(neon_required=("*", "none"))),
        (replace(GOOD, neon_instructions=None), on(neon_required=("*",))),
        (replace(GOOD, simd=""), on("vfpv3")),
        (replace(GOOD, machine_switches=("-march=native",)), POLICY),
        (replace(GOOD, features=(FeatureUse("armv8", 2, ("main",), 1, ("main",)),)), POLICY),
        (replace(GOOD, features=(FeatureUse("armv8", 2, ("main",), 1),)), POLICY),
    ]
    found: set[str] = {f.code for facts, policy in faults for f in audit.judge([facts], policy)}
    pair = [
        replace(GOOD, blas=("sgemm_",)),
        replace(GOOD, file="lib/b.so", needed=(GOOD.soname,), blas=("sgemm_",), soname="b.so"),
    ]
    found |= {f.code for f in audit.judge(pair, POLICY)}
    found |= {f.code for f in audit.judge(OPENED, replace(POLICY, target=TRIXIE))}
    odd = tuple(OddFile("x", oddity, "") for oddity in Oddity)
    found |= {f.code for f in audit.judge_tree(ElfTree((), odd), POLICY)}
    for name in ("test_audit_loader.py", "test_audit_started.py"):
        trees = Path(__file__).with_name(name).read_text()
        found |= set(re.findall(r"BM1\d\d", trees))  # each there is what a whole tree gives
    assert found == {r.code for r in audit.RULES}


def test_findings_are_data() -> None:
    assert audit.judge([replace(GOOD, eabi=0)], POLICY) == (
        Finding(
            code="BM102",
            severity=Severity.ERROR,
            file="lib/libopenblas.so.0",
            message="no EABI version in e_flags (the old ABI), the board's libc uses 5",
            hint="Compile for the triple arm-linux-gnueabihf.",
        ),
    )
