"""What ends a program at its start beside libraries and names: room, lists, weak functions."""

from __future__ import annotations

import os
import struct
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import audit, elf
from buildmatrix.baseline import kinds
from buildmatrix.nouns import (
    AuditPolicy,
    ElfFacts,
    ElfTree,
    FeatureUse,
    Import,
    Symbols,
    Unasked,
    Unchosen,
)
from buildmatrix.pipeline.auditing import audit_path
from tests.elf_factory import headerless, make
from tests.unit.test_audit_loader import (
    LIBC,
    ORIGIN,
    PI4,
    POLICY,
    asking,
    codes,
    library,
    linked,
    offering,
    program,
    told,
)

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
USER = program("liba.so", "libc.so.6", runpath=ORIGIN)


def calls_maybe(facts: ElfFacts, *, path: tuple[str, ...] = (), exports: str = "") -> ElfFacts:
    unasked = Unasked(Import("maybe"), path, (exports,) if exports else ())
    return replace(facts, symbols=Symbols(unasked=(unasked,)))


def test_a_weak_function_that_is_called_without_a_look_must_be_there() -> None:
    start = calls_maybe(program("libc.so.6"), path=("_start", "main"))
    assert told(start) == [
        "BM137 bin/prog: calls maybe, a weak name, without a look whether it is there, and nothing "
        "that bin/prog loads defines it: _start, main jumps to address 0"
    ]
    there = offering(library("lib/liba.so", "libc.so.6"), "maybe")
    assert told(calls_maybe(USER, path=("main",)), there) == []


def test_of_a_library_it_counts_where_somebody_calls_what_leads_to_it() -> None:
    weak = calls_maybe(library("lib/liba.so", "libc.so.6"), exports="value")
    offers = replace(weak, symbols=replace(weak.symbols or Symbols(), exports={"value": ("",)}))
    assert [line.partition(", and")[0] for line in told(asking(USER, "value"), offers)] == [
        "BM137 lib/liba.so: calls maybe, a weak name, without a look whether it is there"
    ]
    assert told(USER, offers) == []
    assert told(offers) == [], "who opens it may bring the name"


@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        ((0, 0), []),
        ((0x400000, 0x410000), []),
        ((0, 0x10000), ["BM169 bin/prog"]),
        ((0x1000, 0x10000), []),
        ((1 << 40, (1 << 40) + 4096), ["BM154 bin/prog"]),
        ((1 << 48, (1 << 48) + 4096), ["BM169 bin/prog"]),
    ],
)
def test_addresses_that_linux_gives_a_64_bit_program(
    fixed: tuple[int, int], expected: list[str]
) -> None:
    assert codes(linked(program(elf_type="ET_EXEC"), fixed=fixed)) == expected


@pytest.mark.parametrize(
    ("board", "fixed", "expected"),
    [
        ("pi2-32", (0x1000, 0x2000), "BM169"),
        ("pi2-32", (0x2000, 0x4000), ""),
        ("pi2-32", (0xBF000000, 0xBF001000), "BM169"),
        ("pi3-32", (0x1000, 0x2000), "BM154"),
        ("pi3-32", (0xBF000000, 0xBF001000), "BM154"),
        ("pi3-32", (0xFFFEF000, 0xFFFEF800), "BM154"),
        ("pi3-32", (0xFFFF0000, 0xFFFF1000), "BM169"),
    ],
)
def test_addresses_that_linux_gives_a_32_bit_program(
    board: str, fixed: tuple[int, int], expected: str
) -> None:
    """As Debian 12's kernels for armhf and arm64 did in QEMU."""
    facts = linked(program(elf_type="ET_EXEC", machine="EM_ARM", float_abi="hard"), fixed=fixed)
    policy = AuditPolicy(kinds.kind(board, "EM_ARM").target, provided=LIBC)
    found = {f.code for f in audit.judge_tree(ElfTree((facts,)), policy)}
    assert found & {"BM154", "BM169"} == ({expected} if expected else set())


def test_larger_pages_reach_further_up() -> None:
    facts = linked(program(elf_type="ET_EXEC"), fixed=(0x1000, 0x10000), alignment=65536)
    assert codes(facts, policy=replace(POLICY, page_size=16384)) == ["BM169 bin/prog"]


def test_variables_need_memory() -> None:
    pi4 = replace(POLICY, memory=kinds.kind("pi4-64", "").memory)
    assert pi4.memory == 8 * GIB
    assert told(linked(program(), variables=17 * GIB), policy=pi4) == [
        "BM170 bin/prog: has 17.0 GiB of variables, the board at most 8.0 GiB of memory: Linux "
        "promises none of them"
    ]
    assert told(linked(program(), variables=16 * GIB), policy=pi4) == [], "with swap"
    assert told(linked(program(), variables=17 * GIB)) == [], "of no board that is known"


def test_the_loader_is_given_functions_to_call() -> None:
    assert told(linked(library("lib/liba.so"), no_functions=("DT_INIT_ARRAY 0x0",))) == [
        "BM155 lib/liba.so: has the loader call what is no code of the file: DT_INIT_ARRAY 0x0"
    ]


OPENER = linked(program("libc.so.6", runpath=ORIGIN), opens=("liba.so", "libb.so"))


def opened(name: str, size: int, aligned: int = 8) -> ElfFacts:
    made = library(f"lib/{name}", "libc.so.6")
    return linked(made, flags=("STATIC_TLS",), tls_size=size, tls_alignment=aligned)


def test_opened_libraries_share_the_room_for_thread_local_variables() -> None:
    both = told(OPENER, opened("liba.so", 1000), opened("libb.so", 1000))
    assert both[0] == (
        "BM156 bin/prog: names libraries to open (dlopen) that want 2000 bytes of static TLS "
        "together, and the loader keeps 1664: lib/liba.so, lib/libb.so"
    )
    few = codes(OPENER, opened("liba.so", 600), opened("libb.so", 600))
    assert few == ["BM164 lib/liba.so", "BM164 lib/libb.so"]


def test_the_room_is_aligned_as_at_the_start() -> None:
    libb = library("lib/libb.so", "libc.so.6")
    (line, _note) = told(OPENER, opened("liba.so", 64, 64), libb)
    assert line == (
        "BM148 lib/liba.so: needs 64 bytes aligned to 64 of static TLS, and bin/prog names it to "
        "open it: 'cannot allocate memory in static TLS block'"
    )
    assert codes(OPENER, opened("liba.so", 64, 32), libb) == ["BM164 lib/liba.so"]
    so_too = linked(OPENER, tls_size=8, tls_alignment=64)
    assert codes(so_too, opened("liba.so", 64, 64), libb) == ["BM164 lib/liba.so"]


def test_a_library_may_make_another_ones_variables_static() -> None:
    cell = Import("cell", thread_local=True)
    taker = linked(library("lib/liba.so", "libb.so", runpath=("$ORIGIN",)), relocations=(1030,))
    taker = replace(taker, symbols=Symbols((cell,)))
    giver = linked(library("lib/libb.so", "libc.so.6"), tls_size=4000, tls_alignment=4)
    giver = replace(giver, symbols=Symbols((), {"cell": ("",)}, frozenset(("cell",))))
    assert "BM148 lib/libb.so" in codes(linked(OPENER, opens=("liba.so",)), taker, giver)


def test_stubs_bound_late_have_relocations_of_their_own() -> None:
    odd = linked(program(), stub_relocations=(0, 1026))
    assert told(odd) == ["BM134 bin/prog: has relocations of stubs that the loader refuses: type 0"]
    assert told(linked(odd, flags=("BIND_NOW", "PIE"))) == []


def test_what_a_static_program_says_to_no_loader_is_not_judged() -> None:
    alone = linked(program(elf_type="ET_EXEC"), interpreter="", flags=(), relr=True)
    old = replace(POLICY, target=replace(PI4, libc_floor="2.31"))
    assert told(alone, policy=old) == []
    assert codes(linked(program(), relr=True), policy=old) == ["BM132 bin/prog"]


def test_a_segment_without_bytes_in_the_file_may_lie_behind_its_end(tmp_path: Path) -> None:
    """As GNU ld places variables of a program that has nothing else to write."""
    image = bytearray(make(machine="EM_AARCH64"))
    table = int.from_bytes(image[32:40], "little")
    row = table + 56  # PT_GNU_STACK, the second of the factory
    image[row + 8 : row + 16] = (1 << 20).to_bytes(8, "little")
    path = tmp_path / "x.so"
    path.write_bytes(image)
    assert elf.survey_file(path).odd == ()
    image[row + 32 : row + 40] = (1).to_bytes(8, "little")
    path.write_bytes(image)
    (odd,) = elf.survey_file(path).odd
    assert "ends at byte 1048577" in odd.details


def test_a_weak_variable_that_is_read_without_a_look_must_be_there() -> None:
    unasked = Unasked(Import("maybe"), ("main",), called=False)
    reads = replace(program("libc.so.6"), symbols=Symbols(unasked=(unasked,)))
    assert told(reads) == [
        "BM137 bin/prog: uses maybe, a weak name, without a look whether it is there, and nothing "
        "that bin/prog loads defines it: main comes to address 0"
    ]


def test_a_resolver_that_chooses_nothing() -> None:
    offers = Symbols(exports={"value": ("",)}, unchosen=(Unchosen("value", offered=True),))
    empty = replace(library("lib/liba.so", "libc.so.6"), symbols=offers)
    assert told(asking(USER, "value"), empty) == [
        "BM172 lib/liba.so: its resolver chooses nothing for value: who calls value jumps to "
        "address 0"
    ]
    assert told(USER, empty) == [], "nobody binds to it"
    own = Symbols(unchosen=(Unchosen("value", offered=False, path=("_start", "main")),))
    assert told(replace(program("libc.so.6"), symbols=own)) == [
        "BM172 bin/prog: its resolver chooses nothing for value: _start, main jumps to address 0"
    ]


def test_a_library_without_a_segment_to_be_mapped() -> None:
    empty = linked(library("lib/liba.so", "libc.so.6"), loaded=False)
    assert told(USER, empty) == [
        "BM148 lib/liba.so: has no segment to be mapped: 'object file has no loadable segments'"
    ]


def test_a_pipe_in_the_place_of_a_library_ends_the_search(tmp_path: Path) -> None:
    """The loader waits for who writes into it, for ever."""
    for folder in ("bin", "first", "lib"):
        (tmp_path / folder).mkdir()
    start, library = tmp_path / "bin" / "start", tmp_path / "lib" / "libx.so"
    path = "$ORIGIN/../first:$ORIGIN/../lib"
    start.write_bytes(make(machine="EM_AARCH64", needed=("libx.so",), runpath=path))
    library.write_bytes(make(machine="EM_AARCH64", soname="libx.so"))
    os.mkfifo(tmp_path / "first" / "libx.so")
    messages = [f["message"] for f in audit_path(tmp_path)["findings"]]
    assert "needs libx.so; first/libx.so is no library, and looking ends there" in messages


def test_a_library_that_lost_what_the_loader_does_not_read(tmp_path: Path) -> None:
    """It starts; one that lost more is damaged."""
    kept = bytearray(headerless(needed=("libc.so.6",), runpath="", asks=()))
    struct.pack_into("<Q", kept, 40, len(kept))  # e_shoff: they were behind it
    struct.pack_into("<HH", kept, 58, 64, 9)  # so large, and so many
    (tmp_path / "libx.so").write_bytes(kept)
    shown = {f["code"]: f["message"] for f in audit_path(tmp_path)["findings"]}
    assert shown["BM176"] == "ends before its section headers: the end is gone"
    assert "BM105" not in shown
    (tmp_path / "libx.so").write_bytes(kept[: len(kept) // 2])
    shown = {f["code"]: f["message"] for f in audit_path(tmp_path)["findings"]}
    assert ("BM105" in shown, "BM176" in shown) == (True, False)


def test_an_object_among_programs(tmp_path: Path) -> None:
    """Elsewhere, or called one, it is for a linker."""
    there = {"bin/start": ["BM175"], "bin/start.o": [], "lib/modules/x.ko": [], "start": []}
    for name in there:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(elf_type="ET_REL", machine="EM_AARCH64"))
    shown = audit_path(tmp_path / "tree")["findings"]
    for name, wanted in there.items():
        assert [f["code"] for f in shown if f["file"] == name] == wanted


def test_a_program_that_nobody_may_execute(tmp_path: Path) -> None:
    """Of a tree as it lies there; of a package whoever installs it sets the modes."""
    start = tmp_path / "tree" / "start"
    start.parent.mkdir()
    start.write_bytes(make(elf_type="ET_EXEC", machine="EM_AARCH64"))
    shown = [f for f in audit_path(start.parent)["findings"] if f["code"] == "BM171"]
    assert [(f["file"], f["message"]) for f in shown] == [
        ("start", "is a program that nobody may execute: 'Permission denied'")
    ]
    start.chmod(0o700)
    assert not [f for f in audit_path(start.parent)["findings"] if f["code"] == "BM171"]
    start.chmod(0o600)
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.write(start, "start")
    assert not [f for f in audit_path(wheel)["findings"] if f["code"] == "BM171"]


def test_a_protected_variable_of_which_the_program_has_its_own() -> None:
    import_ = Symbols(imports=(Import("cell", copied=True),), exports={"cell": ("",)})
    start = replace(USER, symbols=import_)
    offers = Symbols(exports={"cell": ("",)}, protected=frozenset(["cell"]))
    kept = replace(library("lib/liba.so", "libc.so.6"), symbols=offers)
    assert told(start, kept) == [
        "BM138 bin/prog: has room of its own for cell, and lib/liba.so goes on with its own, which "
        "is protected: neither sees what the other writes"
    ]
    assert told(start, replace(kept, symbols=replace(offers, protected=frozenset()))) == []


def test_a_run_that_cannot_but_stop() -> None:
    stop = linked(program("libc.so.6"), stops=("main",))
    assert told(stop) == ["BM173 bin/prog: main: comes to a trap, or aborts"]
    assert told(asking(stop, "sigaction")) == [
        "BM174 bin/prog: main: comes to a trap, and a handler may take its signal",
    ]
    assert told(linked(program("libc.so.6"), may_stop=("main",))) == [
        "BM174 bin/prog: main: comes to a trap, unless something that it calls first ends the "
        "process"
    ]


NEWER = (FeatureUse("atomics", 1, ("helper",), 1, exports=("helper",)),)
HELPER = Symbols(exports={"helper": ("",)})
ASKS_BACK = replace(HELPER, asked_back=frozenset(["helper"]))


def test_a_function_of_the_program_in_the_place_of_a_librarys_own() -> None:
    start = replace(USER, symbols=HELPER, features=NEWER)
    own = replace(library("lib/liba.so", "libc.so.6"), symbols=ASKS_BACK)
    assert codes(start, own) == ["BM116 bin/prog"]
    assert codes(start, linked(own, flags=("SYMBOLIC",))) == ["BM117 bin/prog"]
    assert codes(start, replace(own, symbols=HELPER)) == ["BM117 bin/prog"]


def test_the_first_library_that_offers_a_name_is_the_one_that_is_called() -> None:
    start = asking(program("liba.so", "libb.so", "libc.so.6", runpath=ORIGIN), "helper")
    plain = replace(library("lib/liba.so", "libc.so.6"), symbols=HELPER)
    newer = replace(library("lib/libb.so", "libc.so.6"), symbols=HELPER, features=NEWER)
    assert codes(start, plain, newer) == ["BM117 lib/libb.so"]
    assert codes(start, replace(plain, symbols=Symbols()), newer) == ["BM116 lib/libb.so"]


OLD, NEW = (replace(POLICY, target=replace(PI4, libc_floor=floor)) for floor in ("2.31", "2.41"))


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            linked(library("lib/liba.so", "libc.so.6"), found=False),
            "BM148 lib/liba.so: has no PT_DYNAMIC: 'object file has no dynamic section'",
        ),
        (
            linked(library("lib/liba.so", "libc.so.6"), addends=False),
            "BM134 lib/liba.so: has relocations of stubs without addends, and glibc stops there",
        ),
        (
            linked(library("lib/liba.so", "libc.so.6"), addends=True, forms=("REL", "RELA")),
            "BM134 lib/liba.so: has relocations without addends, which glibc does not do: pointers "
            "in its data are left as they are",
        ),
    ],
)
def test_what_the_loader_wants_of_a_library(facts: ElfFacts, line: str) -> None:
    assert told(USER, facts) == [line]


def test_a_loaders_name_without_an_end() -> None:
    assert told(linked(program("libc.so.6"), interpreter_cut=True)) == [
        "BM145 bin/prog: names /lib/ld-linux-aarch64.so.1 without a zero byte behind it, and Linux "
        "refuses it"
    ]


def test_a_dynamic_section_that_may_not_be_written() -> None:
    """lld's -z rodynamic: glibc 2.31 ends with a segmentation fault, 2.36 does not."""
    fixed = linked(library("lib/liba.so", "libc.so.6"), fixed_dynamic=True)
    assert told(USER, fixed, policy=OLD) == [
        "BM148 lib/liba.so: its dynamic section may not be written, and glibc 2.31 writes there"
    ]
    assert told(USER, fixed, policy=NEW) == []


def test_addends_on_the_machine_that_has_none() -> None:
    """lld's -z rela: glibc 2.36 takes such a program of 32 bits, 2.41 does not."""
    small = program(elf_type="ET_DYN", machine="EM_ARM", float_abi="hard")
    for facts in (linked(small, addends=True), linked(small, forms=("RELA",))):
        for floor, codes_of in (("2.36", set[str]()), ("2.41", {"BM134"})):
            target = replace(kinds.kind("pi2-32", "EM_ARM").target, libc_floor=floor)
            found = audit.judge_tree(ElfTree((facts,)), AuditPolicy(target, provided=LIBC))
            assert {f.code for f in found} & {"BM134"} == codes_of
