"""The audit looks for libraries and names as glibc's loader does; each case was run with one.

The verdicts here are those of ld.so 2.31, 2.36 and 2.41, told by `--list`, LD_DEBUG and exit codes
of programs for both machines; scripts that run them for real stand beside the proof of the audit.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from buildmatrix import audit
from buildmatrix.nouns import (
    AuditPolicy,
    ElfFacts,
    ElfTree,
    Import,
    Linking,
    Symbols,
    Target,
    VersionNeed,
)

PI4 = Target("aarch64-linux-gnu", "EM_AARCH64", "armv8-a", "", "hard", "")
PI3 = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "")
LIBC = ("libc.so.6", "libm.so.6", "ld-linux-aarch64.so.1", "ld-linux-armhf.so.3", "libstdc++.so.6")
POLICY = AuditPolicy(PI4, provided=LIBC)
LOADER = "/lib/ld-linux-aarch64.so.1"


def library(file: str, *needed: str, **more: object) -> ElfFacts:
    """A shared library whose soname is its file name."""
    facts = ElfFacts(
        file=file,
        machine="EM_AARCH64",
        elf_type="ET_DYN",
        eabi=0,
        float_abi="unspecified",
        cpu_arch="",
        fp_arch="",
        simd="",
        vfp_args=False,
        soname=file.rpartition("/")[2],
        needed=needed,
        rpath=(),
        glibc_max="",
        glibcxx_max="",
        executable_stack=False,
        neon_instructions=0,
        symbols=Symbols(),
        linking=Linking(dynamic=True, alignment=65536),
    )
    return replace(facts, **more)  # type: ignore[arg-type]


def program(*needed: str, file: str = "bin/prog", **more: object) -> ElfFacts:
    made = library(file, *needed, soname="")
    link = replace(made.linking, interpreter=LOADER, flags=("PIE",))
    return replace(made, linking=link, **more)  # type: ignore[arg-type]


def linked(facts: ElfFacts, **more: object) -> ElfFacts:
    return replace(facts, linking=replace(facts.linking, **more))  # type: ignore[arg-type]


def told(*facts: ElfFacts, policy: AuditPolicy = POLICY, **tree: object) -> list[str]:
    found = audit.judge_tree(ElfTree(facts, **tree), policy)  # type: ignore[arg-type]
    return [f"{f.code} {f.file}: {f.message}" for f in found]


def codes(*facts: ElfFacts, policy: AuditPolicy = POLICY, **tree: object) -> list[str]:
    return [line.split(":")[0] for line in told(*facts, policy=policy, **tree)]


# -- where libraries are looked for -------------------------------------------------------------

ORIGIN = ("$ORIGIN/../lib",)
A, B = library("lib/liba.so", "libb.so"), library("lib/libb.so", "libc.so.6")


def test_a_runpath_is_not_inherited() -> None:
    (line,) = told(program("liba.so", runpath=ORIGIN), A, B)
    assert line.startswith("BM152 lib/liba.so: needs libb.so, which lies in lib: it has no RUNPATH")
    assert "the RUNPATH of bin/prog holds for that file's own needs only" in line


def test_an_rpath_is_inherited() -> None:
    assert told(program("liba.so", rpath=ORIGIN), A, B) == []


def test_an_rpath_is_not_used_by_who_has_a_runpath() -> None:
    own = replace(A, runpath=("$ORIGIN/other",))
    assert codes(program("liba.so", rpath=ORIGIN), own, B) == ["BM152 lib/liba.so"]


def test_an_rpath_beside_a_runpath_counts_for_nobody() -> None:
    both = program("liba.so", rpath=ORIGIN, runpath=ORIGIN)
    assert codes(both, A, B) == ["BM152 lib/liba.so"]


def test_each_library_with_a_runpath_of_its_own_is_found() -> None:
    assert told(program("liba.so", runpath=ORIGIN), replace(A, runpath=("$ORIGIN",)), B) == []


def test_what_is_loaded_already_is_not_looked_for() -> None:
    """The program needs both, so libb.so is there when liba.so asks: breadth first."""
    assert told(program("liba.so", "libb.so", runpath=ORIGIN), A, B) == []
    late = library("lib/libc2.so", "libb.so", runpath=("$ORIGIN",))
    assert codes(program("liba.so", "libc2.so", runpath=ORIGIN), A, B, late) == [
        "BM152 lib/liba.so"
    ]


def test_a_soname_of_what_is_loaded_answers() -> None:
    odd = library("lib/libodd.so", soname="libb.so")
    assert told(program("libodd.so", "liba.so", runpath=ORIGIN), odd, A) == []


def test_without_any_path_nothing_is_found_in_the_tree() -> None:
    (line,) = told(program("libb.so"), B)
    assert line == (
        "BM152 bin/prog: needs libb.so, which lies in lib: "
        "it has no RUNPATH, and no RPATH above it leads there"
    )


def test_files_are_opened_and_not_sonames() -> None:
    mid = library("lib/libmid.so", soname="libmid.so.1")
    (line,) = told(program("libmid.so.1", runpath=ORIGIN), mid)
    assert line.startswith("BM152 bin/prog: needs libmid.so.1, which is the soname of lib/libmid")
    links = {"lib/libmid.so.1": "libmid.so"}
    assert told(program("libmid.so.1", runpath=ORIGIN), mid, links=links) == []


@pytest.mark.parametrize(
    ("path", "links", "found"),
    [
        ("${ORIGIN}/../lib", {}, True),
        ("$ORIGIN/../$LIB", {}, False),
        ("$ORIGIN/../lib/aarch64-linux-gnu", {"lib/aarch64-linux-gnu": "."}, True),
        ("$ORIGIN/../$LIB", {"lib/aarch64-linux-gnu": "../lib"}, True),
        ("$ORIGIN/../$PLATFORM", {"aarch64": "lib"}, True),
        ("$ORIGIN/../${PLATFORM}", {}, False),
        ("$ORIGINAL/../lib", {}, False),  # another word, and no token
        ("$ORIGIN/../missing/../lib", {}, False),  # a folder that is not there leads nowhere
        ("$ORIGIN/../loop", {"loop": "loop"}, False),
        ("$ORIGIN/../deep", {"deep": "deeper", "deeper": "lib"}, True),
        ("$ORIGIN/../outside", {"outside": "/usr/lib"}, False),
        ("lib", {}, False),  # of whatever folder it is started in
        ("", {}, False),
    ],
)
def test_the_path_is_expanded_and_walked_as_the_kernel_does(
    path: str, links: dict[str, str], found: bool
) -> None:
    lines = told(program("libb.so", runpath=(path,)), B, links=links)
    assert ([line for line in lines if line.startswith("BM152")] == []) is found


def test_a_library_for_another_machine_is_passed_over() -> None:
    foreign = library("lib/libb.so", machine="EM_ARM")
    lines = told(program("libb.so", runpath=("$ORIGIN/../lib", "$ORIGIN")), foreign)
    assert lines[0] == "BM152 bin/prog: needs libb.so; lib/libb.so is passed over, it is for EM_ARM"
    own = library("bin/libb.so")
    assert told(program("libb.so", runpath=(*ORIGIN, "$ORIGIN")), foreign, own)[0][:5] == "BM101"


def test_a_loader_that_was_brought_along_is_a_library_like_another() -> None:
    """torchvision 0.29.1's aarch64 wheel: its libz loads on a Cortex-A72."""
    grafted = "ld-linux-aarch64.5cbc5e90.so.1"
    there = library(f"lib/{grafted}")
    assert told(program(grafted, runpath=("$ORIGIN/../lib",)), there) == []
    assert told(program(grafted, runpath=("$ORIGIN",)), there) == [
        f"BM141 bin/prog: needs {grafted}, which belongs to another libc or machine"
    ]


@pytest.mark.parametrize(
    "there",
    [
        ElfTree((), decoys=frozenset(["bad/libb.so"])),
        ElfTree((), folders=frozenset(["", "bin", "lib", "bad", "bad/libb.so"])),
        ElfTree((), links={"bad/libb.so": "libb.so"}, folders=frozenset(["", "bin", "lib", "bad"])),
    ],
)
def test_what_is_no_elf_file_ends_the_search(there: ElfTree) -> None:
    """A text file first on the path: 'invalid ELF header', although a good one lies behind it."""
    path = ("$ORIGIN/../bad", "$ORIGIN/../lib")
    tree = replace(there, facts=(program("libb.so", runpath=path), B))
    (finding,) = audit.judge_tree(tree, POLICY)
    assert (finding.code, finding.message) == (
        "BM152",
        "needs libb.so; bad/libb.so is no library, and looking ends there",
    )


def test_in_a_root_folder_the_boards_own_places_count() -> None:
    place = "usr/lib/aarch64-linux-gnu"
    facts = (program("libb.so", file="usr/bin/prog"), library(f"{place}/libb.so"))
    assert told(*facts, rooted=True) == []
    assert codes(*facts) == ["BM152 usr/bin/prog"]
    merged = (program("libb.so", file="usr/bin/prog"), library(f"{place}/x/libb.so"))
    links = {f"{place}/libb.so": f"/{place}/x/libb.so"}
    assert told(*merged, rooted=True, links=links) == []
    nodeflib = linked(facts[0], flags=("PIE", "NODEFLIB"))
    assert codes(nodeflib, facts[1], rooted=True) == ["BM152 usr/bin/prog", "BM165 usr/bin/prog"]
    (line, _) = told(linked(program("libc.so.6"), flags=("PIE", "NODEFLIB")))
    assert line == (
        "BM152 bin/prog: needs libc.so.6 of the board's own folders, which DF_1_NODEFLIB forbids"
    )


def test_libraries_that_no_program_loads_are_left_to_who_does() -> None:
    """A wheel's libraries without any path: whoever loads them may have loaded the others."""
    assert told(A, B) == []
    assert codes(replace(A, runpath=("$ORIGIN/other",)), B) == ["BM152 lib/liba.so"]


def test_a_path_as_the_name_of_a_library() -> None:
    by_path = program("build/libb.so")
    assert told(by_path, B) == [
        "BM146 bin/prog: needs 'build/libb.so': it is looked for at that path only"
    ]
    assert told(program("$ORIGIN/../lib/libb.so"), B) == []


# -- the loader itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "starts"),
    [
        ("/lib/ld-linux-aarch64.so.1", True),
        ("/usr/lib/ld-linux-aarch64.so.1", True),
        ("/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1", True),
        ("/lib/../lib/ld-linux-aarch64.so.1", True),
        ("/opt/x/ld-linux-aarch64.so.1", False),
        ("lib/ld-linux-aarch64.so.1", False),
        ("/lib/ld-musl-aarch64.so.1", False),
        ("/lib64/ld-linux-aarch64.so.1", False),
    ],
)
def test_the_loader_that_a_program_names(path: str, starts: bool) -> None:
    lines = codes(linked(program("libc.so.6"), interpreter=path))
    assert lines == ([] if starts else ["BM145 bin/prog"])


def test_a_glibc_that_is_too_new_is_told_once_also_of_a_board_that_lists_its_libc() -> None:
    """A board that was looked at says the versions of its libc.so.6 beside its glibc."""
    needs = (VersionNeed("libc.so.6", "GLIBC_2.38"),)
    new = linked(replace(program("libc.so.6"), glibc_max="2.38"), versions_needed=needs)
    seen = replace(
        POLICY,
        target=replace(POLICY.target, libc_floor="2.36"),
        libraries={"libc.so.6": ("GLIBC_2.36",)},
    )
    assert codes(new, policy=seen) == ["BM130 bin/prog"]


def test_the_soft_float_loader_is_not_on_a_hard_float_board() -> None:
    arm = replace(program("libc.so.6"), machine="EM_ARM", eabi=5, float_abi="hard")
    soft = linked(arm, interpreter="/lib/ld-linux.so.3")
    policy = AuditPolicy(PI3, provided=LIBC)
    assert told(soft, policy=policy) == [
        "BM145 bin/prog: is started by /lib/ld-linux.so.3, "
        "the board's loader is /lib/ld-linux-armhf.so.3"
    ]


def test_a_library_may_name_any_loader_and_a_static_program_none() -> None:
    assert told(linked(library("lib/libx.so"), interpreter="/opt/ld.so")) == []
    assert told(linked(program(), interpreter="")) == []
    assert codes(linked(program("libc.so.6"), interpreter="")) == ["BM145 bin/prog"]


def test_what_the_loader_refuses_of_a_file_it_finds() -> None:
    told_of = ["BM148 lib/libb.so: is needed as a library and is a program: cannot be loaded"]
    start, plain = program("libb.so", runpath=ORIGIN), library("lib/libb.so")
    for exe in (replace(plain, elf_type="ET_EXEC"), linked(plain, flags=("PIE",))):
        assert told(start, exe) == told_of
    opener = linked(program("libc.so.6", runpath=ORIGIN), opens=("libb.so",))
    assert "BM148 lib/libb.so: is a program, and bin/prog names it to open it (dlopen)" in told(
        opener, linked(plain, flags=("PIE",))
    )
    bsd = linked(library("lib/libb.so"), osabi=9)
    assert codes(program("libb.so", runpath=ORIGIN), bsd) == ["BM148 lib/libb.so"]
    assert told(linked(program("libc.so.6"), osabi=9)) == [], "the kernel does not look at it"


def test_a_header_that_the_loader_refuses_is_told_of_a_library_alone() -> None:
    odd = linked(library("lib/libb.so"), odd_header=("EI_PAD",))
    (line,) = told(program("libb.so", runpath=ORIGIN), odd)
    assert line == "BM148 lib/libb.so: EI_PAD of its header is none that glibc's loader takes"
    assert told(linked(program("libc.so.6"), odd_header=("EI_PAD",))) == []


@pytest.mark.parametrize(("newest", "refused"), [("2.36", False), ("2.35", True), ("2.41", True)])
def test_a_libc_of_its_own_must_be_that_of_the_boards_loader(newest: str, refused: bool) -> None:
    libc = linked(library("lib/libc.so.6"), versions_defined=("GLIBC_2.4", f"GLIBC_{newest}"))
    board = replace(POLICY, target=replace(POLICY.target, libc_floor="2.36"))
    lines = told(program("libc.so.6", runpath=ORIGIN), libc, policy=board)
    words = f"BM148 lib/libc.so.6: is the libc of glibc {newest}, beside the board's own loader"
    assert (words in lines) == refused


# -- versions -----------------------------------------------------------------------------------


def needs(facts: ElfFacts, name: str, version: str, *, weak: bool = False) -> ElfFacts:
    return linked(facts, versions_needed=(VersionNeed(name, version, weak),))


STD = linked(library("lib/libstdc++.so.6"), versions_defined=("GLIBCXX_3.4", "GLIBCXX_3.4.30"))


def test_a_version_is_held_to_the_library_that_is_loaded() -> None:
    asks = needs(program("libstdc++.so.6", runpath=ORIGIN), "libstdc++.so.6", "GLIBCXX_3.4.32")
    assert told(asks, STD) == [
        "BM131 bin/prog: needs GLIBCXX_3.4.32, lib/libstdc++.so.6 ends at GLIBCXX_3.4.30"
    ]
    newer = linked(STD, versions_defined=("GLIBCXX_3.4.30", "GLIBCXX_3.4.32"))
    assert told(asks, newer) == []
    assert told(asks, linked(STD, versions_defined=())) == [], "without versions it is accepted"
    weak = needs(asks, "libstdc++.so.6", "GLIBCXX_3.4.32", weak=True)
    assert told(weak, STD) == []


def test_a_version_is_held_to_the_boards_library_where_that_is_known() -> None:
    asks = needs(program("libstdc++.so.6"), "libstdc++.so.6", "GLIBCXX_3.4.32")
    assert told(asks) == []
    board = replace(POLICY, libraries={"libstdc++.so.6": ("GLIBCXX_3.4.30", "CXXABI_1.3.13")})
    assert told(asks, policy=board) == [
        "BM131 bin/prog: needs GLIBCXX_3.4.32, the board's libstdc++.so.6 ends at GLIBCXX_3.4.30"
    ]
    for version in ("GLIBCXX_3.4.9", "GLIBCXX_3.4.30", "CXXABI_1.3.13"):
        older = needs(program("libstdc++.so.6"), "libstdc++.so.6", version)
        assert told(older, policy=board) == []


def test_versions_of_a_library_that_nothing_loads() -> None:
    """What `patchelf --remove-needed` leaves; ld.so 2.36 ends in an assertion."""
    asks = needs(program("libc.so.6"), "libssl.so.3", "OPENSSL_3.0.0")
    assert told(asks) == [
        "BM131 bin/prog: needs OPENSSL_3.0.0 of libssl.so.3, and nothing loads libssl.so.3"
    ]


def test_packed_relocations_want_their_version() -> None:
    packed = linked(program("libc.so.6"), relr=True)
    asks = linked(packed, versions_needed=(VersionNeed("libc.so.6", "GLIBC_2.17"),))
    assert codes(asks) == ["BM132 bin/prog"]
    announced = VersionNeed("libc.so.6", "GLIBC_ABI_DT_RELR")
    assert told(linked(packed, versions_needed=(announced,))) == []
    assert told(packed) == [], "without versions glibc 2.36 takes it"
    old = replace(POLICY, target=replace(PI4, libc_floor="2.31"))
    assert codes(packed, policy=old) == ["BM132 bin/prog"]


def test_a_wheel_is_held_to_its_own_tag() -> None:
    lines = told(library("x/libx.so", glibc_max="2.34"), promised_libc="2.27")
    assert lines == ["BM135 x/libx.so: needs GLIBC_2.34, the wheel's tag says glibc 2.27"]
    assert told(library("x/libx.so", glibc_max="2.27"), promised_libc="2.27") == []


# -- names --------------------------------------------------------------------------------------


def asking(facts: ElfFacts, *names: Import | str) -> ElfFacts:
    made = tuple(name if isinstance(name, Import) else Import(name) for name in names)
    return replace(facts, symbols=Symbols(imports=made))


def offering(facts: ElfFacts, *names: str, version: str = "") -> ElfFacts:
    return replace(facts, symbols=Symbols(exports=dict.fromkeys(names, (version,))))


def test_a_name_that_nobody_in_the_process_defines() -> None:
    user = asking(library("lib/liba.so", "libc.so.6"), "__atomic_load_8", "f")
    start = program("liba.so", runpath=ORIGIN)
    assert told(start, user) == [
        "BM143 lib/liba.so: __atomic_load_8, f are defined nowhere in what bin/prog loads; "
        "link with libatomic (-latomic)"
    ]
    exporting = offering(start, "f", "__atomic_load_8")
    assert told(exporting, user) == [], "a program may offer names to its libraries"


def test_a_name_of_a_version_that_the_board_has_may_be_missing() -> None:
    floor = replace(POLICY, target=replace(PI4, libc_floor="2.36"))
    for name, version, missing in (
        ("printf", "GLIBC_2.17", False),
        ("invented", "GLIBC_2.17", True),
        ("invented", "GLIBC_2.99", False),  # said by the rule about the floor
        ("__libc_dlopen_mode", "GLIBC_PRIVATE", True),  # lost in 2.34
        ("__libc_early_init", "GLIBC_PRIVATE", False),
    ):
        needed = Import(name, version, "libc.so.6")
        found = codes(asking(program("libc.so.6"), needed), policy=floor)
        assert found == ["BM143 bin/prog"] * missing, name
    lost = Import("__libc_dlopen_mode", "GLIBC_PRIVATE", "libc.so.6")
    older = replace(POLICY, target=replace(PI4, libc_floor="2.31"))
    assert codes(asking(program("libc.so.6"), lost), policy=older) == []
    assert codes(asking(program("libc.so.6"), lost)) == [], "of no glibc that is known"


def test_the_boards_own_names_are_known() -> None:
    assert told(asking(program("libc.so.6"), "printf", "memcpy")) == []
    assert codes(asking(program("libc.so.6"), "cosf")) == ["BM143 bin/prog"]
    assert told(asking(program("libm.so.6"), "cosf")) == []


def test_names_are_not_judged_where_a_library_is_missing_or_not_known() -> None:
    assert codes(asking(program("libgone.so"), "f")) == ["BM140 bin/prog"]
    unknown = replace(POLICY, provided=(*LIBC, "libvendor.so.1"))
    assert told(asking(program("libvendor.so.1"), "f"), policy=unknown) == []


def test_a_name_of_a_version_that_the_library_does_not_have() -> None:
    ask = Import("f", "V_2", "libb.so")
    start = asking(program("libb.so", runpath=ORIGIN), ask)
    lib = linked(offering(B, "f", version="V_1"), versions_defined=("V_1", "V_2"))
    assert told(start, lib) == ["BM143 bin/prog: f@V_2 is defined nowhere in what bin/prog loads"]
    assert told(start, linked(offering(B, "f", version="V_2"), versions_defined=("V_2",))) == []
    assert told(start, linked(offering(B, "f"), versions_defined=("V_2",))) == []
    assert told(start, offering(B, "f")) == [], "a library without versions offers any"
    lost = linked(offering(B, "f"), versioned=False)
    assert codes(start, lost) == ["BM143 bin/prog"], "but not the one that had them"
    assert told(asking(start, replace(ask, library="libother.so")), lost) == []
    trixie = replace(POLICY, target=replace(PI4, libc_floor="2.41"))
    assert told(start, lost, policy=trixie) == [], "2.36 ends in an assertion, 2.41 goes on"


def test_a_name_without_a_version_binds_to_none_that_is_hidden() -> None:
    """Of the library's first version it does, hidden or not (tests/proof, version-hidden)."""
    table = Symbols(exports={"f": ("V_2",)}, hidden=frozenset({"f"}))
    lib = linked(replace(B, symbols=table), versions_defined=("V_1", "V_2"))
    start = program("libb.so", runpath=ORIGIN)
    assert told(asking(start, "f"), lib) == [
        "BM143 bin/prog: f is defined nowhere in what bin/prog loads"
    ]
    assert told(asking(start, Import("f", "V_2", "libb.so")), lib) == []


def test_a_library_without_a_hash_table_offers_nothing() -> None:
    start = asking(program("libb.so", runpath=ORIGIN), "f")
    assert codes(start, linked(offering(B, "f"), hashed=False)) == ["BM143 bin/prog"]


def test_room_for_a_librarys_variable_does_not_define_it() -> None:
    both = Symbols((Import("v", copied=True),), {"v": ("",)})
    start = replace(program("libb.so", runpath=ORIGIN), symbols=both)
    assert codes(start, B) == ["BM143 bin/prog"]
    assert told(start, offering(B, "v")) == []


def test_a_plug_in_leaves_names_to_its_program() -> None:
    plug = asking(library("lib/plug.so", runpath=ORIGIN), "host_register", "cblas_sgemm")
    assert codes(plug) == ["BM143 lib/plug.so", "BM144 lib/plug.so"]
    assert "cblas_sgemm" in told(plug)[0]
    extension = asking(library("x/mod.so", runpath=ORIGIN), "PyLong_FromLong", "_Py_NoneStruct")
    assert told(extension) == [], "Python's own names come from the interpreter"


# -- memory, and what may go wrong later --------------------------------------------------------


def test_segments_and_pages() -> None:
    small = linked(library("lib/libx.so"), alignment=4096)
    assert codes(small) == ["BM163 lib/libx.so"]
    for page, expected in (
        (4096, []),
        (16384, ["BM162 lib/libx.so"]),
        (65536, ["BM162 lib/libx.so"]),
    ):
        assert codes(small, policy=replace(POLICY, page_size=page)) == expected
    assert told(library("lib/libx.so"), policy=replace(POLICY, page_size=16384)) == []


def test_a_program_is_mapped_by_where_its_segments_begin_whatever_it_says_of_alignment() -> None:
    """Seen under Debian 13's kernel with 16 KiB pages: such static programs start there."""
    pi5 = replace(POLICY, page_size=16384)
    start = replace(program(file="bin/x"), elf_type="ET_EXEC")
    assert codes(linked(start, alignment=4096, largest_page=16384), policy=pi5) == []
    assert codes(linked(start, alignment=4096, largest_page=8192), policy=pi5) == ["BM162 bin/x"]


@pytest.mark.parametrize(("glibc", "refused"), [("2.31", True), ("2.36", False), ("", True)])
def test_glibc_looks_at_the_alignment_of_a_library_until_2_36(glibc: str, refused: bool) -> None:
    target = replace(POLICY.target, libc_floor=glibc)
    policy = replace(POLICY, page_size=16384, target=target)
    fits = linked(library("lib/libx.so"), alignment=4096, largest_page=65536)
    assert codes(fits, policy=policy) == (["BM162 lib/libx.so"] if refused else [])
    unfit = linked(library("lib/libx.so"), alignment=4096, largest_page=4096)
    assert codes(unfit, policy=policy) == ["BM162 lib/libx.so"]


def test_relocations_that_the_loader_does_not_do() -> None:
    odd = linked(library("lib/libx.so"), relocations=(257, 283, 1025))
    assert told(odd) == [
        "BM134 lib/libx.so: asks the loader for relocations that it does not do: R_AARCH64_CALL26"
    ]
    assert codes(linked(library("lib/libx.so"), android_relocations=True)) == ["BM134 lib/libx.so"]


def test_a_soft_float_flag_that_no_code_asks_for() -> None:
    """`ld -shared` of assembly alone writes it."""
    arm = replace(library("lib/libx.so"), machine="EM_ARM", eabi=5, float_abi="soft")
    alone = linked(arm, soft_float_flag=True, soft_float_by_header=True)
    policy = AuditPolicy(PI3, provided=LIBC)
    assert codes(alone, policy=policy) == ["BM104 lib/libx.so"]
    assert codes(linked(arm, soft_float_flag=True), policy=policy) == ["BM103 lib/libx.so"]
    start = replace(program(machine="EM_ARM"), eabi=5, float_abi="soft")
    start = linked(start, soft_float_flag=True, soft_float_by_header=True)
    start = linked(start, interpreter="/lib/ld-linux-armhf.so.3")
    assert codes(start, policy=policy) == [], "Linux starts a program with it"


def test_two_widths_of_time_in_one_process() -> None:
    wide, narrow = replace(A, needed=(), time64=True), replace(B, time64=False)
    start = program("liba.so", "libb.so", runpath=ORIGIN)
    (line,) = told(start, wide, narrow)
    assert line.startswith(
        "BM133 bin/prog: time_t has 64 bits in lib/liba.so and 32 in lib/libb.so"
    )
    assert told(start, wide, replace(narrow, time64=True)) == []


def test_what_a_program_opens_by_name_is_a_note() -> None:
    opener = linked(program("libc.so.6"), opens=("libGL.so.1", "libm.so.6", "plug/libb.so"))
    (finding,) = audit.judge_tree(ElfTree((opener, B)), POLICY)
    assert (finding.code, finding.severity.value) == ("BM147", "note")
    assert finding.message.startswith("may open libGL.so.1 at run time")


def test_what_cannot_be_opened_at_run_time() -> None:
    opener = linked(program("libc.so.6", runpath=ORIGIN), opens=("libb.so",))
    assert told(opener, linked(B, flags=("NOOPEN",)))[0].startswith("BM148 lib/libb.so: has DF_1_")
    large = linked(B, flags=("STATIC_TLS",), tls_size=1 << 20)
    assert codes(opener, large) == ["BM148 lib/libb.so", "BM164 lib/libb.so"]
    assert codes(opener, linked(large, tls_size=64)) == ["BM164 lib/libb.so"]
    needing = linked(program("libb.so", runpath=ORIGIN), opens=("libb.so",))
    assert told(needing, large) == [], "loaded at the start it has all the room it asks for"


OPENER = linked(program("libc.so.6", runpath=ORIGIN), opens=("liba.so",))
LACKING = replace(A, needed=(), symbols=Symbols((Import("nobody_has_it"),)))


def test_a_library_that_is_opened_is_given_what_the_program_has_loaded() -> None:
    assert told(OPENER, LACKING) == [
        "BM143 lib/liba.so: nobody_has_it is defined nowhere in what bin/prog loads and opens"
    ]
    assert told(LACKING) == [], "whoever loads it may define the name"
    offering = replace(OPENER, symbols=Symbols((), {"nobody_has_it": ("",)}))
    assert told(offering, LACKING) == []
    other = replace(B, symbols=Symbols((), {"nobody_has_it": ("",)}))
    both = linked(OPENER, opens=("liba.so", "libb.so"))
    assert told(both, LACKING, other) == [], "it may be opened for all (RTLD_GLOBAL)"


def test_a_library_that_is_opened_finds_its_needs_as_the_loader_does() -> None:
    """The program's RUNPATH holds for what it opens, not for what that needs; its RPATH does."""
    (line,) = told(OPENER, A, B)
    assert line.startswith("BM152 lib/liba.so: needs libb.so, which lies in lib: it has no RUNPATH")
    assert told(replace(OPENER, runpath=(), rpath=ORIGIN), A, B) == []
    assert told(linked(replace(OPENER, needed=("libb.so",))), A, B) == [], "it is loaded already"


def test_a_library_that_is_named_to_be_opened_and_not_found_is_a_warning() -> None:
    lost = replace(OPENER, runpath=())
    (finding,) = audit.judge_tree(ElfTree((lost, B, replace(A, needed=()))), POLICY)
    assert (finding.code, finding.severity.value) == ("BM149", "warning")
    assert finding.message.startswith(
        "names liba.so to open it (dlopen), which lies at lib/liba.so"
    )


def test_a_static_program_that_opens_libraries_is_told_of_the_boards_libc() -> None:
    static = linked(program(), interpreter="", opens=("libm.so.6",))
    assert codes(static) == ["BM168 bin/prog"]


def test_a_name_is_thread_local_on_both_sides_or_on_none() -> None:
    asks = Symbols((Import("counter", thread_local=True),))
    start = replace(program("libb.so", runpath=ORIGIN), symbols=asks)
    offered = Symbols((), {"counter": ("",)}, frozenset(("counter",)))
    assert told(start, replace(B, symbols=offered)) == []
    assert told(start, replace(B, symbols=Symbols((), {"counter": ("",)}))) == [
        "BM136 bin/prog: counter is thread-local in it and an ordinary name in lib/libb.so"
    ]
    plain = replace(start, symbols=Symbols((Import("counter"),)))
    assert told(plain, replace(B, symbols=offered)) == [
        "BM136 bin/prog: counter is an ordinary name in it and thread-local in lib/libb.so"
    ]


def test_a_run_begins_with_code() -> None:
    assert codes(linked(program(), entry_is_code=False)) == ["BM167 bin/prog"]
    assert codes(linked(library("lib/libx.so"), entry_is_code=False)) == []


def test_code_without_landing_pads_is_refused_where_the_processor_has_bti() -> None:
    marked = linked(program("libc.so.6"), unlanded=("_start", ".init_array"))
    assert told(marked) == [], "no Raspberry Pi has BTI"
    armv9 = replace(PI4, march="armv8.5-a", cpu_features=("asimd", "bti", "fp"))
    policy = replace(POLICY, target=armv9)
    (line,) = told(marked, policy=policy)
    assert line.startswith(
        "BM119 bin/prog: is marked for BTI, and no landing pad is at _start, .in"
    )
    older = replace(policy, target=replace(armv9, libc_floor="2.31"))
    assert told(marked, policy=older) == [], "its loader maps no code so"
    static = linked(marked, interpreter="")
    assert codes(replace(static, needed=()), policy=older) == ["BM119 bin/prog"]


def test_a_function_without_a_landing_pad_is_refused_where_it_is_called() -> None:
    armv9 = replace(PI4, cpu_features=("asimd", "bti", "fp"))
    policy = replace(POLICY, target=armv9)
    marked = linked(replace(B, symbols=Symbols((), {"f": ("",)})), unlanded_exports=("f", "g"))
    caller = replace(program("libb.so", runpath=ORIGIN), symbols=Symbols((Import("f"),)))
    assert codes(caller, marked, policy=policy) == ["BM119 lib/libb.so"]
    assert codes(replace(caller, symbols=Symbols()), marked, policy=policy) == []


@pytest.mark.parametrize(
    ("floor", "folder", "features", "found"),
    [
        ("2.36", "tls", (), True),
        ("2.36", "aarch64", (), True),
        ("2.36", "tls/aarch64", (), True),
        ("2.36", "atomics", (), False),
        ("2.36", "atomics", ("atomics",), True),
        ("2.36", "tls/aarch64/atomics", ("atomics",), True),
        ("2.36", "aarch64/tls", (), False),
        ("2.37", "tls", (), False),
        ("2.41", "atomics", ("atomics",), False),
        ("", "tls", (), False),
    ],
)
def test_glibc_before_2_37_looks_into_folders_by_feature(
    floor: str, folder: str, features: tuple[str, ...], found: bool
) -> None:
    target = replace(PI4, libc_floor=floor, cpu_features=("asimd", "fp", *features))
    start = program("libb.so", runpath=ORIGIN)
    lines = codes(
        start, replace(B, file=f"lib/{folder}/libb.so"), policy=replace(POLICY, target=target)
    )
    assert lines == ([] if found else ["BM152 bin/prog"])


@pytest.mark.parametrize(
    ("march", "fpu", "folder", "found"),
    [
        ("armv7-a", "neon", "v7l", ["passes"]),
        ("armv7-a", "neon", "v8l", ["BM152 bin/prog"]),
        ("armv8-a", "neon-fp-armv8", "v8l", ["BM153 bin/prog"]),
        ("armv7-a", "neon", "tls/v7l/neon/vfp", ["passes"]),
        ("armv7-a", "vfpv3-d16", "neon", ["BM152 bin/prog"]),
    ],
)
def test_folders_by_platform_hang_on_the_kernel_of_a_64_bit_processor(
    march: str, fpu: str, folder: str, found: list[str]
) -> None:
    target = replace(PI3, march=march, fpu=fpu, libc_floor="2.36")
    start = program("libb.so", runpath=ORIGIN)
    start = linked(replace(start, machine="EM_ARM", eabi=5), interpreter="/lib/ld-linux-armhf.so.3")
    lib = replace(B, file=f"lib/{folder}/libb.so", machine="EM_ARM", eabi=5)
    lines = codes(start, lib, policy=replace(POLICY, target=target))
    assert (lines or ["passes"]) == found


def test_what_lies_in_a_folder_by_feature_comes_first() -> None:
    """A file that is no library ends the search there; the newer loader does not look."""
    start = program("libb.so", runpath=ORIGIN)
    decoys = frozenset(("lib/tls/libb.so",))
    older = replace(POLICY, target=replace(PI4, libc_floor="2.36"))
    newer = replace(POLICY, target=replace(PI4, libc_floor="2.41"))
    assert codes(start, B, policy=older, decoys=decoys) == ["BM152 bin/prog"]
    assert codes(start, B, policy=newer, decoys=decoys) == []


def test_a_static_program_passes_floats_to_nobody() -> None:
    soft = replace(program(), machine="EM_ARM", eabi=5, float_abi="soft")
    policy = AuditPolicy(PI3, provided=LIBC)
    assert told(linked(soft, interpreter=""), policy=policy) == []
    assert codes(linked(soft, interpreter="/lib/ld-linux-armhf.so.3"), policy=policy) == [
        "BM103 bin/prog"
    ]


def test_static_tls_and_auditors_are_notes() -> None:
    tls = linked(library("lib/libx.so"), flags=("STATIC_TLS",), auditors=("libaudit.so",))
    assert codes(tls) == ["BM164 lib/libx.so", "BM165 lib/libx.so"]
