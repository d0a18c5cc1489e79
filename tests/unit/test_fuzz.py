"""A few spoilt inputs for every reader, the same each time; `python -m tests.fuzz` goes on."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from buildmatrix import bench
from buildmatrix.errors import BenchError, BuildmatrixError, DeviceError
from buildmatrix.selector import fits
from tests.fuzz.boards import Answering
from tests.fuzz.mutation import mutated
from tests.fuzz.readers import READERS

SMALL = 2_000  # bytes; up to a megabyte is for the nightly lane
AS_GOOD = {"mirror": 2, "archive": 5}  # the other seeds are refused, as they must be


@pytest.mark.parametrize("name", READERS)
def test_seeds_are_read_so_that_what_follows_is_fuzzed_too(name: str, tmp_path: Path) -> None:
    for number, seed in enumerate(READERS[name].seeds()[: AS_GOOD.get(name)]):
        (tmp_path / f"{number}").mkdir()
        READERS[name].read(seed, tmp_path / f"{number}")


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_spoilt_input_raises_only_errors_of_ours(name: str) -> None:
    reader = READERS[name]

    @settings(
        max_examples=15,
        derandomize=True,  # new ones are the nightly lane's
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(mutated(reader.seeds(), SMALL))
    def each(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BuildmatrixError):
            reader.read(data, Path(folder))

    each()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"=",
        b"{}",
        b'{"block":0}',
        b"cpu=0|",
        b"cpuinfo=a:",
        b"library=/lib/a GLIBC_2",
        b"size 1 p/%b\nsum %b  p/%b" % ((b"a" * 64,) * 3),
    ],
)
def test_an_answer_of_one_line_again_and_again_is_read_in_one_go(line: bytes) -> None:
    """What copied all before it for each line took minutes for a megabyte of them."""
    data = (line + b"\n") * (1_000_000 // (len(line) + 1))
    for name in ("probe", "listing", "journal"):
        with contextlib.suppress(BuildmatrixError):
            READERS[name].read(data, Path())


def test_a_glob_that_is_longer_than_any_name_fits_nothing() -> None:
    assert fits("a", "*" * 1_000)
    assert not fits("a", "*" * 1_001)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"r1 done 2\n{}", "no answer"),
        (b"r1 sleeping 2 4 0\n{}", "no answer"),
        (b"r1 done " + b"9" * 5_000 + b" 4 0\n{}", "no answer"),
        (b"r1 done 2 4 0\n{", "cannot be read"),
        (b'r1 done 2 4 0\n{"version": 2}', "cannot be read"),
        (b'r1 done 2 4 0\n{"version": 1}', "older buildmatrix"),
        (b'r1 done 2 4 0\n{"version": 99, "tool": "9.9"}', "buildmatrix 9.9"),
    ],
)
def test_what_a_board_says_of_its_run_is_judged(answer: bytes, message: str) -> None:
    with pytest.raises((DeviceError, BenchError), match=message):
        bench.state(Answering(answer))
