"""What the audit says of source files whose debug information names a newer processor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from buildmatrix import audit
from buildmatrix.nouns import (
    AuditPolicy,
    CompiledFor,
    ElfFacts,
    FeatureUse,
    Import,
    Linking,
    Severity,
    Symbols,
    Target,
)

PI4 = Target("aarch64-linux-gnu", "EM_AARCH64", "armv8-a", "", "hard", "2.36")
POLICY = AuditPolicy(PI4, provided=("libc.so.6",))
SVE = CompiledFor("kernels/sve.c", "-march=armv8.2-a+sve", exports=("scale",))
USE = FeatureUse("sve", 9, ("scale",), 1, compiled=SVE)
LIBRARY = ElfFacts(
    file="lib/libscale.so.1",
    machine="EM_AARCH64",
    elf_type="ET_DYN",
    eabi=0,
    float_abi="unspecified",
    cpu_arch="",
    fp_arch="",
    simd="",
    vfp_args=False,
    soname="libscale.so.1",
    needed=("libc.so.6",),
    rpath=(),
    glibc_max="2.17",
    glibcxx_max="",
    executable_stack=False,
    neon_instructions=0,
    features=(USE,),
)
PROGRAM = replace(
    LIBRARY,
    file="bin/main",
    soname="",
    needed=(LIBRARY.soname,),
    rpath=("$ORIGIN/../lib",),
    features=(),
    linking=Linking(interpreter="/lib/ld-linux-aarch64.so.1"),
)


def _of_instructions(*facts: ElfFacts, policy: AuditPolicy = POLICY) -> list[str]:
    findings = audit.judge(facts, policy)
    return [f.code for f in findings if f.code in ("BM115", "BM116", "BM117")]


def test_a_source_file_for_a_newer_processor_is_an_error_where_a_run_may_come_there() -> None:
    """Nothing follows a run into a loop; that the whole file was compiled so is enough."""
    (finding,) = audit.judge([LIBRARY], POLICY)
    assert (finding.code, finding.severity) == ("BM116", Severity.ERROR)
    assert finding.message == (
        "needs sve, which the target lacks: kernels/sve.c was compiled for it as a whole "
        "(-march=armv8.2-a+sve), and nothing asks the processor"
    )


@pytest.mark.parametrize(
    ("unit", "imported", "asks", "codes"),
    [
        (SVE, "scale", False, ["BM116"]),
        (SVE, "other", False, ["BM117"]),  # no program of the tree calls into it
        (SVE, "scale", True, ["BM117"]),  # the program may ask before it calls
        (replace(SVE, started=True, exports=()), "other", False, ["BM116"]),  # a constructor
        (replace(SVE, exports=()), "scale", False, ["BM117"]),  # nobody comes there
    ],
)
def test_such_a_source_file_counts_where_somebody_comes_there_unasked(
    unit: CompiledFor, imported: str, asks: bool, codes: list[str]
) -> None:
    library = replace(LIBRARY, features=(replace(USE, compiled=unit),))
    program = replace(PROGRAM, asks_cpu=asks, symbols=Symbols((Import(imported),), {}))
    assert _of_instructions(library, program) == codes


def test_such_a_source_file_of_a_program_counts_where_the_program_comes_there() -> None:
    started = replace(USE, compiled=replace(SVE, started=True, exports=()))
    alone = replace(PROGRAM, needed=("libc.so.6",), features=(started,))
    assert _of_instructions(alone) == ["BM116"]
    dead = replace(alone, features=(replace(USE, compiled=replace(SVE, exports=())),))
    assert _of_instructions(dead) == ["BM117"]


def test_a_function_of_the_program_counts_where_a_library_calls_it() -> None:
    back = replace(USE, exports=("back",), compiled=None)
    start = replace(PROGRAM, features=(back,), symbols=Symbols((), {"back": ("",)}))
    plain = replace(LIBRARY, features=())
    assert _of_instructions(start, plain) == ["BM117"]
    calls = replace(plain, symbols=Symbols((Import("back"),)))
    assert _of_instructions(start, calls) == ["BM116"]


def test_a_recipe_that_says_dispatched_settles_it() -> None:
    assert _of_instructions(LIBRARY, policy=replace(POLICY, dispatched=(LIBRARY.file,))) == []


def test_a_newer_processor_that_no_instruction_needs_is_a_warning() -> None:
    made = replace(LIBRARY, features=(), machine_switches=("-march=armv8.2-a+sve",))
    (finding,) = audit.judge([made], POLICY)
    assert (finding.code, finding.severity) == ("BM115", Severity.WARNING)
    assert finding.message == (
        "compiled with -march=armv8.2-a+sve; no instruction in the code needs it"
    )


def test_a_processor_that_the_target_has_is_no_finding() -> None:
    newer = replace(POLICY, target=replace(PI4, march="armv8.2-a+sve"))
    made = replace(LIBRARY, machine_switches=("-march=armv8.2-a+sve",))
    assert audit.judge([made], newer) == ()
