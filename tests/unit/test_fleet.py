"""Several boards: which are meant, and that one that fails does not stop the others."""

from __future__ import annotations

from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from buildmatrix.boards.fleet import chosen, each, raise_worst, values
from buildmatrix.errors import BuildmatrixError, DeviceError, InputError, LinkLost
from buildmatrix.nouns import BoardAddress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEVICES = {name: BoardAddress(name, f"{name}.local") for name in ("pi2", "pi3-a", "pi3-b", "pi4")}
GROUPS = {"lab": ("pi3-*", "pi4")}
TARGETS = tuple(DEVICES.values())


def names(hosts: Sequence[str], tmp_path: Path) -> list[str]:
    found = chosen(hosts, devices=DEVICES, groups=GROUPS, state=tmp_path)
    return [target.name for target in found]


@pytest.mark.parametrize(
    ("hosts", "meant"),
    [
        (["pi2"], ["pi2"]),
        (["pi3-*"], ["pi3-a", "pi3-b"]),
        (["lab"], ["pi3-a", "pi3-b", "pi4"]),
        (["lab", "pi3-a", "pi3-a.local"], ["pi3-a", "pi3-b", "pi4"]),
        (["root@10.0.0.9:2222", "pi[24]"], ["10.0.0.9", "pi2", "pi4"]),
    ],
)
def test_names_groups_globs_and_addresses(
    hosts: list[str], meant: list[str], tmp_path: Path
) -> None:
    assert names(hosts, tmp_path) == meant


def test_two_boards_behind_one_address_want_names(tmp_path: Path) -> None:
    """The second one was left out without a word."""
    with pytest.raises(InputError, match=r"two boards at 10.0.0.9: 10.0.0.9:2201 and 10.0.0.9"):
        names(["10.0.0.9:2201", "10.0.0.9"], tmp_path)
    assert names(["10.0.0.9:22", "10.0.0.9"], tmp_path) == ["10.0.0.9"]


def test_what_fits_no_board_is_an_error_that_lists_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no board fits 'pi5\*'") as caught:
        names(["pi5*"], tmp_path)
    assert "lab, pi2, pi3-a" in caught.value.hint
    with pytest.raises(InputError, match="which board"):
        names([], tmp_path)


def test_boards_work_side_by_side_and_keep_their_order() -> None:
    together = Barrier(len(TARGETS), timeout=10)

    def work(board: BoardAddress) -> str:
        together.wait()
        return board.host

    ended = each(TARGETS, work)
    assert values(ended) == tuple(target.host for target in TARGETS)
    raise_worst(ended)


def test_a_dead_board_stops_nobody_and_is_named() -> None:
    def work(board: BoardAddress) -> str:
        if board.name == "pi3-a":
            raise LinkLost("no answer within 30 s", hint="switch it on")
        return board.name

    ended = each(TARGETS, work)
    assert values(ended) == ("pi2", "pi3-b", "pi4")
    with pytest.raises(DeviceError, match="1 of 4 boards failed: pi3-a") as caught:
        raise_worst(ended)
    assert "no answer within 30 s" in str(caught.value)
    (alone,) = each(TARGETS[1:2], work)
    with pytest.raises(LinkLost, match="no answer within 30 s"):
        raise_worst([alone])


def test_a_fault_of_ours_in_a_thread_is_not_waited_for() -> None:
    def work(board: BoardAddress) -> float:
        return 1 / len(board.name.removeprefix("pi2"))

    ended = each(TARGETS, work)
    with pytest.raises(BuildmatrixError, match="1 of 4 boards failed: pi2") as caught:
        raise_worst(ended)
    assert "ZeroDivisionError" in str(caught.value)
