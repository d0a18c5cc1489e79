"""Room on the board: what a prune leaves, what a quota lets in, what a dry run foretells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix import deploy
from buildmatrix.agent import PREFIX
from buildmatrix.errors import DeviceError, LinkLost
from tests.contract import deploy_board
from tests.contract.deploy_board import (
    Board,
    CutLink,
    Memory,
    complete,
    files,
    leftovers,
    noise,
    objects,
    put,
)

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.nouns import Bundle

shell, store, home = deploy_board.shell, deploy_board.store, deploy_board.home

MIB = 1 << 20


def everything(home: Path) -> dict[str, tuple[int, int]]:
    """Every path below the board's home with its inode and its time of change."""
    return {str(p): (p.lstat().st_ino, p.lstat().st_ctime_ns) for p in home.rglob("*")}


@pytest.mark.parametrize(
    ("keep", "left"), [(1, {4}), (2, {3, 4}), (3, {2, 3, 4}), (9, {1, 2, 3, 4})]
)
def test_prune_keeps_the_last_n(shell: Board, store: Memory, keep: int, left: set[int]) -> None:
    made = {v: store.bundle("c", {"v": b"%d" % v, "same": noise("same")}) for v in (1, 2, 3, 4)}
    for version in (1, 2, 3):
        put(shell, store, made[version])
    told = deploy.forecast(shell, [made[4]], store, keep=keep).removed
    put(shell, store, made[4])
    assert set(told) == {made[v].digest for v in {1, 2, 3, 4} - left}
    assert deploy.prune(shell, keep=keep) == 4 - len(left)
    assert {p.name for p in (shell.home / PREFIX / "bundles").iterdir()} == {
        made[v].digest for v in left
    }
    assert len(objects(shell.home)) == len(left) + 1
    assert (shell.home / PREFIX / "cells/c/v").read_bytes() == b"4"
    assert put(shell, store, made[1]).sent_objects == (0 if 1 in left else 1)


def test_prune_spares_what_a_run_holds(shell: Board, store: Memory) -> None:
    made = [store.bundle("c", {"v": b"%d" % v}) for v in range(3)]
    for bundle in made:
        put(shell, store, bundle)
    held = hold(shell.home, made[0])
    assert deploy.prune(shell, keep=1) == 1
    assert (held / "v").read_bytes() == b"0"


def hold(home: Path, bundle: Bundle) -> Path:
    """As a benchmark run does with the bundles it measures."""
    held = home / PREFIX / "runs/r1/cells/c"
    held.parent.mkdir(parents=True)
    held.symlink_to(f"../../../bundles/{bundle.digest}")
    return held


def test_prune_takes_what_cut_pushes_left(home: Path, store: Memory) -> None:
    put(Board(home), store, store.bundle("c", files()))
    with pytest.raises(LinkLost):
        put(CutLink(home, "busybox", 80_000), store, store.bundle("c", files("lib/a", "lib/b")))
    assert leftovers(home)
    deploy.prune(Board(home))
    assert leftovers(home) == []


def test_a_quota_removes_what_is_superseded_and_no_more(shell: Board, store: Memory) -> None:
    made = [store.bundle("c", {"v": noise(str(n), MIB), "same": noise("x", MIB)}) for n in range(5)]
    for bundle in made[:4]:
        put(shell, store, bundle)
    hold(shell.home, made[0])
    assert deploy.make_room(shell, [made[4]], store, quota_mib=7) == 0
    assert deploy.make_room(shell, [made[4]], store, quota_mib=6) == 1, (
        "not active, not the way back"
    )
    put(shell, store, made[4])
    there = {p.name for p in (shell.home / PREFIX / "bundles").iterdir()}
    assert there == {made[n].digest for n in (0, 2, 3, 4)}
    used = sum(p.stat().st_blocks * 512 for p in (shell.home / PREFIX / "objects").iterdir())
    assert used < 6 * MIB


def test_a_quota_too_small_is_refused_with_figures(shell: Board, store: Memory) -> None:
    old, new = (store.bundle("c", {"v": noise(str(n), 2 * MIB)}) for n in range(2))
    put(shell, store, old)
    with pytest.raises(DeviceError, match=r"quota of 3 MiB.* 2\.\d MiB are in use.* 2\.0 MiB more"):
        deploy.make_room(shell, [new], store, quota_mib=3)
    assert complete(shell.home, old)


def test_a_quota_asks_for_no_more_room_than_is_lacking(home: Path, store: Memory) -> None:
    """What the bundle shares with others and what a cut push brought is there already."""
    common = {"same": noise("same", MIB)}
    put(Board(home), store, store.bundle("c", common))
    new = store.bundle("d", common | {"v": noise("v", MIB)})
    with pytest.raises(LinkLost):
        put(CutLink(home, "busybox", MIB * 3 // 4), store, new)
    assert deploy.make_room(Board(home), [new], store, quota_mib=3) == 0
    with pytest.raises(DeviceError, match=r" 0\.3 MiB more"):
        deploy.make_room(Board(home), [new], store, quota_mib=2)


def test_a_forecast_comes_true_and_writes_nothing(shell: Board, store: Memory) -> None:
    old, new = (store.bundle("c", files("lib/a", "lib/b", version=v)) for v in (1, 2))
    empty = deploy.forecast(shell, [old], store)
    assert list(shell.home.iterdir()) == []
    assert (empty.objects, empty.bytes, empty.switched) == (3, old.size, ("c",))
    first = put(shell, store, old)
    assert (first.sent_objects, first.sent_bytes) == (empty.objects, empty.wire_bytes)
    before = everything(shell.home)
    told = deploy.forecast(shell, [new], store)
    assert everything(shell.home) == before
    done = put(shell, store, new)
    assert (told.objects, told.wire_bytes) == (done.sent_objects, done.sent_bytes)
    assert told.switched == done.switched == ("c",)
    assert 0 < told.seconds < 60
    grown = deploy.forecast(shell, [new], store)
    assert (grown.objects, grown.wire_bytes, grown.switched, grown.seconds) == (0, 0, (), 0)
    assert abs(grown.used_kib - told.used_kib - told.adds_kib) < 20


def test_a_forecast_knows_what_a_cut_push_left(home: Path, store: Memory) -> None:
    bundle = store.bundle("c", files("lib/a", "lib/b"))
    with pytest.raises(LinkLost):
        put(CutLink(home, "busybox", 80_000), store, bundle)
    before = everything(home)
    told = deploy.forecast(Board(home, "busybox"), [bundle], store)
    assert everything(home) == before
    assert told.kept_bytes > 40_000
    assert told.bytes + told.kept_bytes == bundle.size
    assert put(Board(home, "busybox"), store, bundle).kept_bytes == told.kept_bytes
