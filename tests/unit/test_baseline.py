"""What a tree is judged against: the kinds as data, and what a toolchain or a board makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import baseline, device
from buildmatrix.baseline import kinds
from buildmatrix.boards import reach, seen
from buildmatrix.device import parse
from buildmatrix.errors import DeviceError, LinkLost, UsageError
from buildmatrix.nouns import FPU_RANK, BoardAddress
from buildmatrix.pipeline import baselines
from buildmatrix.pipeline.auditing import audit_path
from tests.elf_factory import make
from tests.fakes import LocalShell
from tests.unit.test_device import VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Callable

TOOLCHAINS = Path(__file__).parents[2] / "toolchains"
BOTH = ["EM_ARM", "EM_AARCH64"]


@pytest.mark.parametrize("name", kinds.names())
@pytest.mark.parametrize("suite", kinds.suites())
def test_every_kind_says_all_that_an_audit_asks(name: str, suite: str) -> None:
    kind = baselines.named(f"{name}@{suite}", TOOLCHAINS)(BOTH)
    assert kind.name == f"{name}@{suite}"
    assert kind.target.fpu in FPU_RANK
    assert kind.target.machine == ("EM_AARCH64" if name.endswith("-64") else "EM_ARM")
    assert ("asimd" in kind.features) == name.endswith("-64")
    assert kind.page_size == (16384 if name.startswith("pi5") else 4096)
    assert kind.limits_off == ()
    assert set(kind.libraries) == set(kind.provided)


@pytest.mark.parametrize(
    ("word", "glibc", "libstdcxx", "crypto"),
    [
        ("pi4-64", "2.36", "3.4.30", False),
        ("pi4-64@trixie", "2.41", "3.4.33", False),
        ("pi3-32@bullseye", "2.31", "3.4.28", False),
        ("pi5-64", "2.36", "3.4.30", True),
        ("pi5-32", "2.36", "3.4.30", True),
        ("zero", "2.36", "3.4.30", False),
    ],
)
def test_kinds_as_they_are(word: str, glibc: str, libstdcxx: str, crypto: bool) -> None:
    kind = baselines.named(word, TOOLCHAINS)(BOTH)
    assert (kind.target.libc_floor, kind.libstdcxx) == (glibc, libstdcxx)
    assert ("aes" in kind.features) is crypto


@pytest.mark.parametrize(
    ("machines", "name", "words"),
    [
        (["EM_AARCH64"], "pi3-64", "as the file is"),
        (["EM_ARM", "EM_ARM"], "pi3-32", "as all files are"),
        (["EM_AARCH64", "EM_ARM", "EM_AARCH64", "EM_X86_64"], "pi3-64", "as 2 of 4 files are"),
        (["EM_AARCH64", "EM_ARM"], "pi3-32", "as 1 of 2 files are"),
        (["EM_X86_64"], "pi3-32", "no file is for ARM"),
    ],
)
def test_the_default_is_a_pi_3_of_most_files_width_and_says_what_it_leaves_out(
    machines: list[str], name: str, words: str
) -> None:
    one = baselines.by_default(machines)
    assert (one.name, one.origin) == (name, "default")
    assert one.summary.endswith(f"by default, {words}")
    assert one.limits_off == (
        "no glibc floor: name a board with --target or --host",
        "no versions of libstdc++, libgcc_s, libgomp and the like: "
        "name a board with --target or --host",
    )


def test_a_kind_without_a_width_has_the_one_of_the_files() -> None:
    choice = baselines.named("pi4", TOOLCHAINS)
    assert choice(["EM_AARCH64"]).name == "pi4-64@bookworm"
    assert choice(["EM_ARM"]).name == "pi4-32@bookworm"


def test_a_toolchain_is_all_boards_that_it_builds_for() -> None:
    one = baselines.named("armv7hf-bookworm", TOOLCHAINS)([])
    assert (one.origin, one.target.march, one.target.libc_floor) == ("toolchain", "armv7-a", "2.36")
    assert one.libstdcxx == "3.4.30"
    assert one.limits_off[0].startswith("no page size")


@pytest.mark.parametrize("word", ["pi6", "pi4-64@buster", "armv7hf-bookwor", "pi4_64"])
def test_a_word_that_means_nothing_is_named_with_those_that_do(word: str) -> None:
    with pytest.raises(UsageError, match=word) as fault:
        baselines.named(word, TOOLCHAINS)(BOTH)
    assert "bookworm" in str(fault.value.hint)


def test_a_board_is_what_it_said() -> None:
    info = replace(
        parse("desk", VIRTUAL),
        page_size=16384,
        libraries={"libstdc++.so.6": ("CXXABI_1.3.13", "GLIBCXX_3.4.30")},
    )
    has = ("libasound.so.2", "libstdc++.so.6")
    one = baselines.of_board(info, seen="2026-11-28T01:00:00Z", cached=True, sonames=has)([])
    assert one.provided == has
    assert (one.target.march, one.target.fpu) == ("armv8-a+crc", "neon-fp-armv8"), "by its CPU part"
    assert (one.target.libc_floor, one.libstdcxx, one.page_size) == ("2.36", "3.4.30", 16384)
    assert one.summary.endswith("off now, as last seen 2026-11-28T01:00:00Z")
    assert one.limits_off == ()


def test_a_32_bit_userland_whose_kernel_lists_64_bit_words_has_its_own_words_too() -> None:
    info = replace(parse("desk", VIRTUAL), features=frozenset({"fp", "asimd", "crc32"}))
    one = baselines.of_board(info, seen="", cached=False)([])
    assert {"neon", "vfpv4", "idiva", "crc32"} <= one.features


def test_a_board_that_says_little_leaves_limits_off() -> None:
    info = replace(parse("alpine", VIRTUAL), libc="musl 1.2.5", features=frozenset(), cpu_parts=())
    one = baselines.of_board(info, seen="", cached=False)([])
    assert [words.split(":")[0] for words in one.limits_off] == [
        "no glibc floor",
        "no versions of libstdc++, libgcc_s, libgomp and the like",
        "no page size",
        "no list of CPU features",
    ]


def test_a_board_that_is_no_arm_is_told_by_its_machine_alone() -> None:
    info = replace(parse("pc", VIRTUAL), elf_machine="EM_X86_64", cpu_parts=())
    assert baselines.of_board(info, seen="", cached=False)([]).target.machine == "EM_X86_64"


def test_the_document_says_it_all() -> None:
    one = baselines.named("pi5-64", TOOLCHAINS)([]).document()
    assert one["name"] == "pi5-64@bookworm"
    assert (one["glibc"], one["libstdcxx"], one["page_size"]) == ("2.36", "3.4.30", 16384)
    assert baseline.by_majority([]) == ("EM_ARM", "no file is for ARM")


def test_a_board_that_is_off_is_remembered_as_it_was_last_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = parse("pi5", f"pagesize=16384\nlibrary=/lib/libgomp.so.1 GOMP_5.1\n{VIRTUAL}")
    monkeypatch.setattr(reach, "connect", raising(LinkLost("no answer")))
    with pytest.raises(LinkLost, match="no answer"):
        remembered(tmp_path)
    asked = seen.Look(info, ("libasound.so.2", "libc.so.6"), "2026-11-28T01:00:00Z", cached=False)
    seen.keep(asked, tmp_path)
    assert remembered(tmp_path) == replace(asked, cached=True)


def test_a_board_that_refuses_is_not_the_one_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.keep(seen.Look(parse("pi5", VIRTUAL), (), "2026-11-28T01:00:00Z", cached=False), tmp_path)
    monkeypatch.setattr(reach, "connect", raising(DeviceError("not the pinned host key")))
    with pytest.raises(DeviceError, match="host key"):
        remembered(tmp_path)


def raising(fault: Exception) -> Callable[..., None]:
    def connect(*_: object, **__: object) -> None:
        raise fault

    return connect


def remembered(state: Path) -> seen.Look:
    devices = {"pi5": BoardAddress("pi5", "pi5.local")}
    return seen.look_or_recall("pi5", devices=devices, access=reach.Access(), state=state)


def test_a_board_names_the_libraries_of_its_own_loader(tmp_path: Path) -> None:
    names = device.sonames(LocalShell(tmp_path), "here")
    assert {"libc.so.6", "libm.so.6"} <= set(names)
    assert not [name for name in names if "/" in name]


@pytest.mark.parametrize(
    ("name", "board", "codes"),
    [
        ("libgomp.so.1.0.0", "pi4-64", []),
        ("libstdc++.so.6.0.33", "pi4-64@trixie", []),
        ("libstdc++.so.6.0.33", "pi4-64@bookworm", ["BM140"]),
        ("libgomp.so.1.0.1", "pi4-64", ["BM140"]),
    ],
)
def test_a_library_of_the_board_may_be_asked_for_by_the_name_of_its_file(
    name: str, board: str, codes: list[str], tmp_path: Path
) -> None:
    """The loader opens files; numba's wheel for aarch64 asks so, and loads."""
    (tmp_path / "x.so").write_bytes(make(machine="EM_AARCH64", soname="x.so", needed=[name]))
    findings = audit_path(tmp_path, baselines.named(board, tmp_path))["findings"]
    assert [finding["code"] for finding in findings] == codes
