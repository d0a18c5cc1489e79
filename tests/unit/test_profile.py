"""Counted blocks of code become functions, kinds of work, and a sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from buildmatrix.boards import profiling
from buildmatrix.cli.profiling import two_cells
from buildmatrix.errors import DeviceError, InputError
from buildmatrix.isa.classes import Set, Work, works
from buildmatrix.profile import counting, mappings
from buildmatrix.profile.folding import folded, per_pass
from buildmatrix.profile.functions import code
from buildmatrix.profile.naming import spoken
from buildmatrix.profile.pages import resettled
from buildmatrix.profile.sentence import difference, sentence
from buildmatrix.profile.summary import Subject, document
from buildmatrix.virtual import plugin
from tests import elf_factory
from tests.documents import valid
from tests.unit.profiles import IM2COL, NEON, WITH_NEON, WITHOUT_NEON, kernel, profile, row

if TYPE_CHECKING:
    from pathlib import Path

WORDS: dict[Set, dict[Work, tuple[int, ...]]] = {
    "a32": {
        Work.QUAD: (0xF2020D54, 0xF2020C54),  # vmla.f32, vfma.f32 q0, q1, q2
        Work.PAIR: (0xF2010D12,),
        Work.NEON: (0xF2020D44,),  # vadd.f32 q0, q1, q2
        Work.SCALAR: (0xEE000A81, 0xEE200A81, 0xEEA00A81, 0x0E000A81),  # vmla, vmul, vfma, vmlaeq
        Work.FLOAT: (0xEE300A81, 0xEEF1FA10, 0xEC510B10),  # vadd, vmrs, vmov r0, r1, d0
        Work.LOAD: (0xE5910000, 0xE1C200D0, 0xE8B1003C, 0xED900A00, 0xF4200A8F, 0xE1910F9F),
        Work.STORE: (0xE5810000, 0xE1C200F0, 0xED800A00, 0xF4000A8F),
        Work.BRANCH: (0x1AFFFFFE, 0xE12FFF1E, 0xEBFFFFFE, 0xFA000000),
        Work.INTEGER: (0xE0810002, 0xE0000291, 0xF5D1F000),  # add, mul, pld
    },
    "t32": {
        Work.QUAD: (0xEF020D54,),
        Work.SCALAR: (0xEE000A81,),
        Work.LOAD: (0xBD10, 0x6808, 0x4801, 0xF8D10000, 0xF9200A8F, 0xE8BD4010, 0xED900A00),
        Work.STORE: (0xB510, 0x6008, 0xF8C10000, 0xE92D4010, 0xED800A00),
        Work.BRANCH: (0xD1FE, 0xB100, 0x4770, 0xE7FE, 0xF000F800),
        Work.INTEGER: (0x1840, 0xBF08, 0xF1010001),  # adds, it eq, add.w
    },
    "a64": {
        Work.QUAD: (0x4F821020, 0x4E22CC20),  # fmla v0.4s, by element and not
        Work.PAIR: (0x0F821020,),
        Work.INTEGER_NEON: (0x4E829420,),  # sdot
        Work.NEON: (0x4E22D420,),
        Work.SCALAR: (0x1F020C20, 0x1E220820),  # fmadd, fmul
        Work.FLOAT: (0x1E222820,),
        Work.LOAD: (0x3DC00000, 0xF9400020, 0xA8C17BFD, 0x58000040, 0xB9800020, 0xF8200020),
        Work.STORE: (0x3D800000, 0xF9000020, 0xA9BF7BFD),
        Work.BRANCH: (0x54000001, 0xD65F03C0, 0x94000000, 0xB4000000, 0xD63F0000),
        Work.INTEGER: (0x8B020020, 0x91000400),
    },
}
MAPS = """\
00010000-00012000 r-xp 00000000 fe:00 7027                               /b/lib/libone.so
00012000-00013000 r--p 00002000 fe:00 7027                               /b/lib/libone.so
f7977000-f7978000 r-xp 00000000 00:00 0                                  [vdso]
"""
ADD, MULTIPLY = bytes.fromhex("020081e0"), bytes.fromhex("810a00ee")


@pytest.mark.parametrize("instructions", WORDS)
def test_each_word_has_its_kind_of_work(instructions: Set) -> None:
    for work, words in WORDS[instructions].items():
        assert set(works(words, instructions)) == {work}, (instructions, work)


def test_counts_of_one_block_that_was_translated_twice_are_one_sum() -> None:
    line = "10000 7f01000 {} 020081e0,810a00ee\n"
    counts = counting.parse(line.format(3) + line.format(4) + "end\n")
    assert counts == {counting.BasicBlock(0x10000, (ADD, MULTIPLY), 0x7F01000): 7}


def test_counts_that_were_cut_are_an_error() -> None:
    with pytest.raises(DeviceError, match="do not end"):
        counting.parse("10000 0 3 020081e0\n")


def test_only_code_of_the_process_is_counted_and_under_its_function() -> None:
    library = elf_factory.make(text=(("$a", ADD + MULTIPLY),), symbols="functions")
    start = 0x10000 + library.index(ADD + MULTIPLY)
    blocks = Counter(
        {
            counting.BasicBlock(start, (ADD, MULTIPLY)): 5,
            counting.BasicBlock(start, (ADD, ADD)): 100,  # another program's, at the same address
            counting.BasicBlock(0x5000, (ADD,)): 100,  # nothing of ours is there
            counting.BasicBlock(0xF7977000, (ADD,)): 2,
        }
    )
    known = {"/b/lib/libone.so": code(library)}
    made = folded(blocks, mappings.parse(MAPS), known.get)
    assert made.functions == {
        ("libone.so", "function_0"): {Work.INTEGER: 5, Work.SCALAR: 5},
        ("[vdso]", "unknown at 0x0"): {Work.INTEGER: 2},
    }


def test_code_that_another_process_was_translated_for_is_found_by_its_page() -> None:
    """As QEMU 10 tells it: of a page that two processes map, only the first one's addresses."""
    library = elf_factory.make(text=(("$a", ADD + MULTIPLY),), symbols="functions")
    start = library.index(ADD + MULTIPLY)
    page, other = 0x7F0000001000, 0x7F0000009000
    blocks = Counter(
        {
            counting.BasicBlock(0x5000 + start, (ADD, MULTIPLY), page + start): 5,
            counting.BasicBlock(0x5004 + start, (MULTIPLY,), page + start + 4): 3,
            counting.BasicBlock(0x9000, (MULTIPLY,) * 9, other): 100,  # a page of no file of ours
            counting.BasicBlock(0xF7977000, (ADD,), 0): 2,  # of none that QEMU could name
        }
    )
    parts, files = mappings.parse(MAPS), {"/b/lib/libone.so": code(library)}
    assert folded(blocks, parts, files.get).functions.keys() == {("[vdso]", "unknown at 0x0")}
    made = folded(resettled(blocks, parts, files.get), parts, files.get)
    assert made.functions == {
        ("libone.so", "function_0"): {Work.INTEGER: 5, Work.SCALAR: 8},
        ("[vdso]", "unknown at 0x0"): {Work.INTEGER: 2},
    }


def test_what_a_page_of_memory_held_before_is_not_taken_for_the_file() -> None:
    library = elf_factory.make(text=(("$a", (ADD + MULTIPLY) * 2),), symbols="functions")
    start, page = library.index(ADD + MULTIPLY), 0x7F0000001000
    ours = counting.BasicBlock(0x5000 + start, (ADD, MULTIPLY, ADD), page + start)
    before = counting.BasicBlock(0x8000 + start, (MULTIPLY, MULTIPLY), page + start)
    parts, files = mappings.parse(MAPS), {"/b/lib/libone.so": code(library)}
    made = resettled(Counter({ours: 5, before: 7}), parts, files.get)
    assert {block.address: count for block, count in made.items()} == {
        0x10000 + start: 5,
        before.address: 7,
    }


def test_a_profile_that_is_far_from_the_boards_own_count_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin, "qemu", lambda: "QEMU emulator version 10.0.13")
    profiling.check(40.9e6, 41.0e6)
    for total in (0.0, 1200.0, 39.0e6, 45.0e6):
        with pytest.raises(DeviceError, match="cannot be believed") as caught:
            profiling.check(total, 41.0e6)
        assert "version 10.0.13" in caught.value.details


def test_a_qemu_that_takes_no_such_plugin_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The words of QEMU 11.1; and a program as Debian's qemu-user-static, that knows no plugins."""
    for said in (
        "plugin requires API version 4, but this QEMU supports only a minimum version of 7",
        "-plugin: invalid option",
    ):
        fake = tmp_path / "qemu-system-aarch64"
        fake.write_text(
            f"#!/bin/sh\n[ $1 != --version ] || {{ echo 'QEMU 11.1.3'; exit 0; }}\n"
            f"echo '{said}' >&2; exit 1\n"
        )
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        with pytest.raises(DeviceError, match=r"QEMU 11\.1\.3 does not take our plugin") as caught:
            plugin.take("blocks.so,socket=tried")
        assert said in caught.value.details


def test_a_function_without_a_symbol_is_told_by_where_it_begins() -> None:
    library = code(elf_factory.make(text=(("$a", ADD * 8),), symbols="none", unwound=(4, 16)))
    assert library is not None
    text = library.data.index(ADD * 8)
    names = [
        function and function.name for function, _ in map(library.at, range(text, text + 32, 4))
    ]
    one, two = "function at 0x10004", "function at 0x10010"
    assert names == [None, one, one, one, two, two, two, two]


def test_a_symbol_is_believed_up_to_its_size_and_no_table_makes_it_longer() -> None:
    library = code(
        elf_factory.make(text=(("$a", ADD * 4), ("$a", ADD * 4)), symbols="functions", unwound=(0,))
    )
    assert library is not None
    text = library.data.index(ADD * 8)
    names = [function and function.name for function, _ in map(library.at, (text, text + 28))]
    assert names == ["function_0", "function_1"]
    assert library.at(text + 32)[0] is None


def test_what_both_runs_did_goes_out_and_the_rest_is_by_pass() -> None:
    library = elf_factory.make(text=(("$a", ADD + MULTIPLY),), symbols="functions")
    start = 0x10000 + library.index(ADD + MULTIPLY)

    def ran(times: int) -> counting.Counts:
        return Counter({counting.BasicBlock(start, (ADD, MULTIPLY)): times})

    parts, files = mappings.parse(MAPS), {"/b/lib/libone.so": code(library)}
    fewer, more = (folded(ran(times), parts, files.get) for times in (1_030, 1_070))
    places = per_pass(fewer, more, 4)
    made = document(places, {}, Subject("one", "d" * 64, "lenet-5", "pi3-counted", 1, 4, 20.0, 2.5))
    valid("profile", made)
    assert (made["instructions"], made["works"]) == (
        20.0,
        {"scalar multiply-adds": 10.0, "integer": 10.0},
    )
    assert made["libraries"] == [{"library": "libone.so", "instructions": 20.0, "share": 1.0}]


def test_the_sentence_names_function_kind_and_amount() -> None:
    words = sentence(WITHOUT_NEON, WITH_NEON)
    assert words == sentence(WITH_NEON, WITHOUT_NEON)
    assert words == (
        "0.3.34 executes 2.04 times the instructions of 0.3.34-neon "
        "(83.5 M against 41.0 M an image): sgemm_kernel in libopenblas.so.0 does "
        "50.1 M scalar multiply-adds where its twin does 12.5 M quad multiply-adds; "
        "that is 42.5 M of the 42.6 M more"
    )


def test_a_kernel_of_another_name_has_the_twins_place() -> None:
    renamed = profile("blis", 40959234.5, kernel(NEON, "bli_sgemm_armv7a_int_4x4"))
    assert (
        "where bli_sgemm_armv7a_int_4x4 in libopenblas.so.0 does 12.5 M quad multiply-adds"
    ) in sentence(WITHOUT_NEON, renamed)


def test_the_same_kind_of_work_is_told_by_what_is_more_of() -> None:
    slower = profile("slow", 50e6, kernel({**NEON, "loads": 16e6}))
    assert "does 16.0 M loads where its twin does 6.7 M loads" in sentence(slower, WITH_NEON)


def test_a_twin_that_multiplies_nothing_is_told_by_what_is_more_of() -> None:
    packing = row("libx.so", "pack", "pack", {"loads": 1e6, "integer": 2e6})
    words = sentence(WITHOUT_NEON, profile("packed", 40e6, packing))
    assert "where pack in libx.so does 0.0 M scalar multiply-adds" in words
    bookkeeping = kernel({**NEON, "integer": 10.6e6}, "bli_sgemm_armv7a_int_4x4")
    words = sentence(profile("blis", 52e6, bookkeeping), WITH_NEON)
    assert (
        "bli_sgemm_armv7a_int_4x4 in libopenblas.so.0 does 10.6 M integer instructions where "
        "sgemm_kernel in libopenblas.so.0 does 2.1 M integer instructions"
    ) in words


def test_a_kernel_that_does_less_is_not_blamed_for_what_another_function_does_more() -> None:
    """As Caffe on BLIS beside TensorFlow Lite's wheel: BLIS's kernel is the leaner one."""
    slower = profile("blis", 52e6, kernel(NEON, "bli_sgemm"), row(*IM2COL))
    faster = profile("tflite", 43e6, kernel({**NEON, "integer": 4e6}, "gebp"))
    assert sentence(slower, faster).endswith(
        "void caffe::im2col_cpu<float> in libcaffe.so.1.0.0, which the other has not, executes "
        "8.7 M; that is 8.7 M of the 9.0 M more"
    )


def test_a_function_that_makes_more_than_the_difference_says_so() -> None:
    slower = profile("tflite", 43.2e6, kernel({**NEON, "other scalar float": 10.3e6}, "gebp"))
    words = sentence(slower, WITH_NEON)
    assert words.endswith("that is 10.3 M more, and all else together 8.1 M less")


def test_cells_that_multiply_by_another_kind_of_work_say_which() -> None:
    """As ncnn in float32 beside int8: what makes most of the difference is no multiply-add."""
    works = {"quad multiply-adds": 12.3e6}, {"integer NEON multiply-adds": 6.2e6}
    float32 = profile("ncnn", 34.5e6, row("n.so", "packed", "packed", {"integer": 15.4e6}))
    int8 = profile("ncnn-int8", 27.3e6, row("n.so", "gemm", "gemm", works[1]))
    words = sentence({**float32, "works": works[0]}, {**int8, "works": works[1]})
    assert "packed in n.so, which the other has not, executes 15.4 M" in words
    assert words.endswith(
        "; in all, ncnn does 12.3 M quad multiply-adds where ncnn-int8 does 6.2 M integer NEON "
        "multiply-adds"
    )
    slow, fast = profile("slow", 83e6, kernel(works[0])), profile("fast", 41e6, kernel(works[1]))
    told = sentence({**slow, "works": works[0]}, {**fast, "works": works[1]})
    assert "in all" not in told, "it was said of the two functions"


def test_cells_that_execute_the_same_need_no_sentence() -> None:
    assert "execute the same within 1%" in sentence(WITH_NEON, {**WITH_NEON, "cell": "again"})


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("(anonymous namespace)::probe()", "anonymous::probe"),
        ("f(int)::{lambda(int)#1}::operator()(int) const", "f::{lambda#1}::operator()"),
        (
            "std::function<void (int)>::operator()(int) const",
            "std::function<void (int)>::operator()",
        ),
        ("ncnn::Layer::forward(ncnn::Mat const&) const", "ncnn::Layer::forward"),
        ("std::ostream& operator<< <int>(std::ostream&, int)", "std::ostream& operator<< <int>"),
        ("a::b<(x > y)>::e(int) [clone .isra.0]", "a::b<(x > y)>::e"),
        ("gebp<float, float, int, mapper<float, 0>, 4, 4>::run(int)", "gebp<…>::run"),
        ("void caffe::im2col_cpu<float>(float const*)", "void caffe::im2col_cpu<float>"),
        ("sgemm_kernel", "sgemm_kernel"),
        ("half(open", "half(open"),
    ],
)
def test_a_function_is_spoken_of_without_its_arguments(name: str, short: str) -> None:
    assert spoken(name) == short


def test_two_profiles_make_a_document_and_unlike_ones_do_not() -> None:
    made = valid("profile-difference", difference(WITH_NEON, WITHOUT_NEON))
    assert (made["slower"], made["faster"]) == ("0.3.34", "0.3.34-neon")
    with pytest.raises(
        InputError, match=r"0\.3\.34 was profiled with batch 1, 0\.3\.34-neon with 4"
    ):
        difference(WITHOUT_NEON, {**WITH_NEON, "batch": 4})


def test_a_second_word_behind_profile_is_a_second_cell() -> None:
    assert two_cells(["inv", "profile", "one", "two", "--host", "pi"])
    assert not two_cells(["inv", "profile", "one", "--host", "pi"])
    assert two_cells(["inv", "profile", "--json", "--host=pi", "-b", "2", "one", "two"])
    assert two_cells(["inv", "profile", "one", "--host", "pi", "two"])
    assert not two_cells(["inv", "profile", "--host", "pi", "one"])
    assert not two_cells(["inv", "--list"])
