"""A board met for the first time: asked and served by one call, or left as it was."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from buildmatrix import deploy, device
from buildmatrix.agent import PREFIX, program
from buildmatrix.deploy import meeting, stream
from buildmatrix.errors import DeviceError, LinkLost
from tests.contract import deploy_board
from tests.contract.deploy_board import Board, Memory, at_once, complete, files, leftovers, put, run
from tests.contract.test_deploy_faults import Dying
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from buildmatrix.deploy.stream import Codec, Squeezer
    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import CommandResult

store, home = deploy_board.store, deploy_board.home


def fits(answer: bytes) -> bool:
    device.parse("pi3", answer.decode())
    return deploy.read_listing(answer).fresh


def unfit(answer: bytes) -> bool:
    assert fits(answer)
    raise DeviceError("no bundle can run there")


def packing(home: Path, userland: str = "debian", kind: type[Board] = Board) -> Board:
    """A board in front of which something unpacks, as SSH does."""
    board = kind(home, userland)
    board.packed = 0
    return board


def meet(
    board: Board, store: Memory, *bundles: Bundle, judge: Callable[[bytes], bool] = fits
) -> deploy.Pushed | None:
    reporter = RecordingReporter()
    return deploy.meet(board, bundles, store, judge, reporter=reporter, subject="pi3")


@pytest.fixture(params=["zstd", "deb", "plain"])
def board(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """One that has zstd, and two with busybox and nothing else: a Debian, and any."""

    def squeezer(codec: Codec) -> Squeezer:
        assert codec == request.param
        return stream.squeezer(codec)

    monkeypatch.setattr(meeting, "squeezer", squeezer)
    monkeypatch.setattr(meeting, "zstd_here", lambda: request.param != "plain")
    return packing(home, "debian" if request.param == "zstd" else "busybox")


def test_what_no_package_can_bring_the_push_does(
    home: Path, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where dpkg-deb knows no zstd, though its Debian is one whose dpkg-deb does."""
    monkeypatch.setattr(stream, "PACKAGE", stream.PACKAGE.replace(".zst", ".new"))
    bundle, board = store.bundle("c", files("lib/a")), packing(home, "busybox")
    assert meet(board, store, bundle) is None
    put(board, store, bundle)
    assert complete(home, bundle)
    assert leftovers(home) == []


def test_it_is_one_call_and_leaves_what_two_would(board: Board, store: Memory) -> None:
    one, two = (store.bundle(n, files("lib/a", "lib/b") | {"id": n.encode()}) for n in ("1", "2"))
    assert meet(board, store, one, two) == deploy.Pushed(5, 0, ("1", "2"))
    assert len(board.scripts) == 1
    assert complete(board.home, one)
    assert complete(board.home, two)
    assert run(board.home, "1") == "forward\n"
    assert leftovers(board.home) == []
    elsewhere = board.home.with_name("elsewhere")
    elsewhere.mkdir()
    put(packing(elsewhere), store, one, two)
    kept, like = (
        {str(p.relative_to(place)): (p.is_symlink(), p.lstat().st_mode) for p in place.rglob("*")}
        for place in (board.home, elsewhere)
    )
    assert kept == like
    history = (board.home / PREFIX / "history").read_text().split()
    assert [history[1:3], history[4:]] == [["1", one.digest], ["2", two.digest]]
    board.scripts.clear()
    assert put(board, store, one, two) == deploy.Pushed(0, 0, ())
    assert len(board.scripts) == 1, "the scripts are there, and whole"


@pytest.mark.parametrize("size", [5_000, 3_000_000])
def test_a_board_that_is_not_for_it_is_left_as_it_was(
    board: Board, store: Memory, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "AHEAD", 1_000_000)
    bundle = store.bundle("c", files("lib/a", "lib/b", size=size))
    with pytest.raises(DeviceError, match="no bundle can run there"):
        meet(board, store, bundle, judge=unfit)
    assert list(board.home.iterdir()) == []
    assert board.bytes < 1_000_000 + 200_000, "no more than that is sent unasked"
    assert meet(board, store, bundle, judge=lambda _: False) is None
    assert list(board.home.iterdir()) == []
    put(board, store, bundle)
    assert complete(board.home, bundle)
    assert leftovers(board.home) == []


def test_where_something_stands_nothing_is_sent_unasked(board: Board, store: Memory) -> None:
    one, two = (store.bundle(n, files("lib/a", size=500_000)) for n in ("one", "two"))
    put(board, store, one)
    board.bytes = 0

    def stands(answer: bytes) -> bool:
        assert deploy.read_listing(answer).active == {"one": one.digest}
        return True

    assert meet(board, store, two, judge=stands) is None
    assert board.bytes < 50_000
    assert complete(board.home, one)


def test_a_home_where_nothing_can_be_written_is_told_of(home: Path, store: Memory) -> None:
    """By the push that follows: a person other than root cannot even begin there."""
    (home / PREFIX).write_text("in the way")
    with pytest.raises(DeviceError) as told:
        meet(packing(home), store, store.bundle("c", files()))
    assert "File exists" in told.value.details or "Not a directory" in told.value.details


def test_content_that_arrives_damaged_is_named_and_nothing_is_switched(
    board: Board, store: Memory
) -> None:
    bundle = store.bundle("c", files("lib/a", "lib/b"))
    original, victim = dict(store.content), bundle.files[1].sha256
    store.content[victim] = bytes(len(store.content[victim]))
    with pytest.raises(DeviceError, match=r"did not arrive whole: lib/a of c\n"):
        meet(board, store, bundle)
    assert deploy.active(board) == {}
    store.content = original
    assert put(board, store, bundle).sent_objects == 1
    assert complete(board.home, bundle)
    assert leftovers(board.home) == []


class Cut(Board):
    """What is sent ends after `after` bytes, and so does the link."""

    after = 0

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        def cut() -> Iterable[bytes]:
            left = self.after
            for chunk in stdin:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

        super().converse(script, timeout=timeout, stdin=cut(), heard=heard)
        raise LinkLost("the connection broke")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.8, 0.999])
def test_what_a_cut_meeting_brought_is_gone_on_from(
    home: Path, store: Memory, share: float
) -> None:
    bundle = store.bundle("c", files("lib/a", "lib/b", size=400_000))
    cut = packing(home, kind=Cut)
    assert isinstance(cut, Cut)
    cut.after = len(program().carried) + int(share * bundle.size)
    with pytest.raises(LinkLost):
        meet(cut, store, bundle)
    board = packing(home)
    assert meet(board, store, bundle, judge=lambda _: True) is None or share == 0
    pushed = put(board, store, bundle)
    assert complete(home, bundle)
    assert leftovers(home) == []
    assert pushed.kept_bytes > bundle.size * share - 20_000 or share == 0


def test_killed_at_any_command_the_next_deploy_makes_it_whole(home: Path, store: Memory) -> None:
    bundle = store.bundle("c", files("lib/a", "lib/b", size=5_000), l="a")
    for limit in range(1, 100):
        shutil.rmtree(home)
        home.mkdir()
        dying = Dying(home, limit)
        dying.packed = 0
        try:
            met = meet(dying, store, bundle)
        except DeviceError:
            cell = home / PREFIX / "cells" / "c"
            assert not cell.is_symlink() or complete(home, bundle), f"command {limit}"
        else:
            if met is not None:
                break
        put(Board(home), store, bundle)
        deploy.prune(Board(home))
        assert complete(home, bundle), f"command {limit}"
        assert leftovers(home) == [], f"command {limit}"
    assert limit > 12


def test_two_meet_a_board_at_once(home: Path, store: Memory) -> None:
    common = files(*(f"lib/{n}" for n in range(6)))
    bundles = [store.bundle(f"c{n % 2}", common | {"id": b"%d" % n}) for n in range(4)]

    def attempt(bundle: Bundle) -> None:
        if meet(packing(home), store, bundle, judge=lambda _: True) is None:
            put(packing(home), store, bundle)

    assert at_once(attempt, bundles) == []
    for bundle in bundles:
        put(Board(home), store, bundle)
        assert complete(home, bundle)
    assert leftovers(home) == []


def test_few_programs_are_started(home: Path, store: Memory) -> None:
    board = Dying(home, 1_000_000)
    board.packed = 0
    bundle = store.bundle("c", files(*(f"lib/{n}" for n in range(16))))
    assert meet(board, store, bundle) is not None
    assert complete(home, bundle)
    assert len(board.count.read_bytes()) == 15, "the probe's own apart"
