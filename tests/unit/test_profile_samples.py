"""What perf wrote becomes functions and kinds of work, as counted blocks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.boards import sampling as board_sampling
from buildmatrix.errors import BenchError, DeviceError
from buildmatrix.isa.classes import Work
from buildmatrix.nouns import BoardAddress
from buildmatrix.page.executed import tables
from buildmatrix.profile import sampling
from buildmatrix.profile.folding import folded
from buildmatrix.profile.functions import code
from buildmatrix.profile.mappings import Mapping
from tests import elf_factory
from tests.contract.bench_board import DIGEST, Board, bundle
from tests.unit.profiles import WITH_NEON
from tests.unit.test_profile import ADD, MULTIPLY

if TYPE_CHECKING:
    from pathlib import Path

# Of perf 6.1.192 (Debian 12), x86-64, event cpu-clock:u; the last mapping as since perf 5.12 where
# build ids are asked for, and a line of another kind.
PERF = """\
dd  3609/3609  PERF_RECORD_COMM exec: dd:3609/3609
 PERF_RECORD_MMAP2 3609/3609: [0x55fe6ef5c000(0xe000) @ 0x2000 fe:00 260189 0]: r-xp /usr/bin/dd
 PERF_RECORD_MMAP2 3609/3609: [0x7f88f2e59000(0x2000) @ 0 00:00 0 0]: r-xp [vdso]
 3609     250000      7f88f2e703e0
 3609     250000      7f88f2e59010
 3609     250000      7f88f2e59010
 PERF_RECORD_MMAP2 3609/3609: [0x7f88f2c8a000(0x156000) @ 0x26000 <1d2ab7>]: r-xp /lib/libc.so.6
 PERF_RECORD_MMAP2 3609/3609: [0x7f88f2000000(0x1000) @ 0 <1d2ab7>]: rw-p /lib/libdata.so
"""
TOOL = """\
case $1 in
    record)
        while [ "$1" != -- ]; do [ "$1" != -o ] || data=$2; shift; done
        shift; "$@" && echo data > "$data" ;;
    script) cat "$HOME/perf.txt" ;;
esac"""
BOARD = BoardAddress("pi3", "pi3.local")


def test_mappings_of_code_and_samples_are_read_and_all_else_is_left_out() -> None:
    samples = sampling.parse(PERF)
    assert samples.parts == (
        Mapping(0x55FE6EF5C000, 0x55FE6EF6A000, 0x2000, "/usr/bin/dd"),
        Mapping(0x7F88F2E59000, 0x7F88F2E5B000, 0, "[vdso]"),
        Mapping(0x7F88F2C8A000, 0x7F88F2DE0000, 0x26000, "/lib/libc.so.6"),
    )
    assert samples.instructions == {0x7F88F2E703E0: 250000, 0x7F88F2E59010: 500000}
    assert samples.count == 3


def test_a_sample_is_its_function_and_the_kind_of_the_instruction_there() -> None:
    library = elf_factory.make(text=(("$a", ADD + MULTIPLY),), symbols="functions")
    offset = library.index(ADD + MULTIPLY)
    text = (
        " PERF_RECORD_MMAP2 7/7: [0x10000(0x2000) @ 0 fe:00 1 0]: r-xp /b/lib/libone.so\n"
        f" 7 1000 {0x10000 + offset:x}\n 7 1000 {0x10004 + offset:x}\n"
        f" 7 1000 {0x10004 + offset:x}\n 7 1000 99\n"
    )
    samples = sampling.parse(text)
    files = {"/b/lib/libone.so": code(library)}.get
    made = folded(sampling.counts(samples, files), samples.parts, files)
    assert made.functions == {
        ("libone.so", "function_0"): {Work.INTEGER: 1000, Work.SCALAR: 2000},
    }


def test_code_of_no_file_is_counted_where_it_lies() -> None:
    samples = sampling.parse(PERF)
    files = dict.fromkeys(part.path for part in samples.parts).get
    made = folded(sampling.counts(samples, files), samples.parts, files)
    assert {place: amounts.total() for place, amounts in made.functions.items()} == {
        ("[vdso]", "unknown at 0x0"): 500000
    }


def shell(home: Path, *, perf: str = TOOL) -> Board:
    board = Board(home)
    bundle(home, "one")
    (home / "perf.txt").write_text(PERF)
    if perf:
        board.tool("perf", perf)
    return board


def test_a_board_with_perf_gives_the_harness_count_and_the_samples(tmp_path: Path) -> None:
    counted, samples = board_sampling.sampled(shell(tmp_path), BOARD, DIGEST["one"], 2, 3)
    assert (counted, samples.count) == (12345, 3)
    assert (tmp_path / "calls").read_text() == "1 2\n"


@pytest.mark.parametrize(
    ("perf", "digest", "words", "way_out"),
    [
        ("echo 'No permission to enable it' >&2; exit 255", "one", "No permission", "paranoid"),
        ("true", "none", "the bundle is not there", "inv deploy"),
    ],
)
def test_a_board_that_cannot_be_sampled_says_why(
    tmp_path: Path, perf: str, digest: str, words: str, way_out: str
) -> None:
    board = shell(tmp_path, perf=perf)
    with pytest.raises(DeviceError, match="pi3 cannot be profiled") as caught:
        board_sampling.sampled(board, BOARD, DIGEST.get(digest, "9" * 64), 1, 1)
    assert words in (caught.value.details or "")
    assert way_out in caught.value.hint


def test_a_runner_that_does_not_count_is_an_error(tmp_path: Path) -> None:
    board = shell(tmp_path)
    bundle(tmp_path, "one", "exit 4")
    with pytest.raises(DeviceError, match="cannot be profiled"):
        board_sampling.sampled(board, BOARD, DIGEST["one"], 1, 1)
    line = '{"status":"oom","message":"no room","instructions":null}'
    bundle(tmp_path, "one", f"echo '{line}'; exit")
    with pytest.raises(BenchError, match="did not count: oom no room"):
        board_sampling.sampled(board, BOARD, DIGEST["one"], 1, 1)


def test_the_page_marks_a_sampled_profile_as_of_a_board() -> None:
    (table,) = tables([{**WITH_NEON, "samples": 8000, "board": "pi3"}])
    assert not table.emulated


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[]", "printed no result"),
        ("{}", "printed no result"),
        ('{"status":"ok","instructions":1e999}', "printed no result"),
        ('{"status":"ok","instructions":"many"}', "none: instructions"),
        ('{"status":"ok"}', "did not count: ok"),
    ],
)
def test_a_runner_that_answers_in_another_form_is_an_error(
    tmp_path: Path, line: str, words: str
) -> None:
    board = shell(tmp_path)
    bundle(tmp_path, "one", f"echo '{line}'; exit")
    with pytest.raises(BenchError, match=words):
        board_sampling.sampled(board, BOARD, DIGEST["one"], 1, 1)
