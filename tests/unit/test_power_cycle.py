"""A board that hangs is switched off and on once, by the command of matrix.yaml, and told."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from buildmatrix.boards import power
from buildmatrix.boards.power import Switch
from buildmatrix.boards.reach import Access
from buildmatrix.errors import DeviceError, InputError, LinkLost
from buildmatrix.nouns import BoardAddress
from buildmatrix.protocols import CommandResult
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Board:
    """One that answers from the `after`-th connection on, and was up for `uptime` seconds."""

    def __init__(self, after: int, uptime: str = "0.00 0.00") -> None:
        self.after, self.uptime, self.asked = after, uptime, 0

    @contextmanager
    def connect(self, *_: object, **__: object) -> Iterator[Board]:
        self.asked += 1
        if self.asked < self.after:
            raise LinkLost("no route to the board")
        yield self

    def run(self, _script: str, **_: object) -> CommandResult:
        return CommandResult(0, self.uptime.encode(), b"")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "AGAIN", 0.0)


def switch(command: str) -> Switch:
    return Switch(BoardAddress("pi3", "pi3.lan", cycle=command), Access(), RecordingReporter())


def test_a_board_is_awaited_until_it_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(after=3)
    monkeypatch.setattr(power, "connect", board.connect)
    assert switch(f"echo off >> {tmp_path}/log").cycle() < 60
    assert (tmp_path / "log").read_text() == "off\n"
    assert board.asked == 3


def test_work_that_finds_the_board_gone_is_begun_anew_after_one_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "connect", Board(1).connect)
    tries = []

    def work() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise LinkLost("the connection is lost")
        return "measured"

    value, words = switch(f"echo off >> {tmp_path}/log").saved(work)
    assert (value, len(tries)) == ("measured", 2)
    assert words.startswith("pi3 did not answer (the connection is lost); its power was cycled")
    assert (tmp_path / "log").read_text() == "off\n"
    assert switch("false").saved(lambda: 7) == (7, "")


def test_without_a_command_nothing_is_switched() -> None:
    def work() -> None:
        raise LinkLost("the connection is lost")

    with pytest.raises(LinkLost, match="is lost"):
        switch("").saved(work)
    with pytest.raises(InputError, match="nothing is known that switches pi3"):
        switch("").cycle()


def test_a_command_that_fails_is_told_in_its_own_words() -> None:
    with pytest.raises(DeviceError) as caught:
        switch("echo 'no hub\x1b[31m'; exit 3").cycle()
    assert "ended with status 3" in str(caught.value)
    assert "no hub<1b>[31m" in str(caught.value)


def test_a_board_that_never_went_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "connect", Board(1, "86400.00 1").connect)
    monkeypatch.setattr(power, "BOOTING", 0.05)
    with pytest.raises(DeviceError, match="up for 86400 s: it never went down"):
        switch("true").cycle()


def test_a_board_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "connect", Board(10**9).connect)
    monkeypatch.setattr(power, "BOOTING", 0.05)
    with pytest.raises(DeviceError, match=r"did not come back .*: no route to the board"):
        switch("true").cycle()
