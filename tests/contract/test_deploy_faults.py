"""Deploys that are cut, killed, crowded or out of space: the active variant stays whole, and the
next push goes on from where the last one stopped."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import deploy
from buildmatrix.agent import PREFIX, failure
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.protocols import CommandResult
from tests.contract import deploy_board
from tests.contract.deploy_board import (
    TOOLS,
    Altered,
    Board,
    CutLink,
    Memory,
    at_once,
    begin_of_stream,
    complete,
    files,
    leftovers,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from buildmatrix.nouns import Bundle

store, home = deploy_board.store, deploy_board.home

# What may travel twice after a cut: what the unpackers hold back. GNU gzip and tar write all they
# can, busybox keeps a window of 32 KiB of each, zstd a block of 128 KiB.
# Trees and orders, which travel again, are some 9 KB when they are not packed.
HELD_BACK = {"gzip": 2_000, "plain": 16_000, "busybox": 66_000, "zstd": 140_000}
SIZE = 400_000


class Cut(CutLink):
    """A cut link to a board with one of four kinds of unpackers; "plain" is SSH's, before tar."""

    def __init__(self, home: Path, tools: str, after: int) -> None:
        super().__init__(home, "busybox" if tools == "busybox" else "debian", after)
        self.zstd = tools == "zstd"
        if tools == "plain":
            self.packed = 0

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        result = super().run(script, timeout=timeout, stdin=stdin)
        if self.zstd:
            return result
        return replace(result, stdout=result.stdout.replace(b"\nzstd\n", b"\n"))


def stream_size(board: Board, store: Memory, bundle: Bundle) -> int:
    names = [item.name for item in deploy.plan_upload([bundle], frozenset()).objects]
    listing = deploy.survey(board, names, mode="dry")
    shipment = deploy.ship([bundle], listing, store, packed=board.packed is not None)
    return sum(len(chunk) for chunk in deploy.tar_stream(shipment, store, lambda _: None))


@pytest.mark.parametrize("tools", HELD_BACK)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.99, 0.9999])
def test_a_cut_push_goes_on_from_the_byte(
    home: Path, store: Memory, share: float, tools: str
) -> None:
    before, after = (
        store.bundle("c", files("lib/a", "lib/b", "lib/c", version=v, size=SIZE)) for v in (1, 2)
    )
    put(Board(home), store, before)
    whole = stream_size(Cut(home, tools, 0), store, after)
    link = Cut(home, tools, int(whole * share))
    with pytest.raises(LinkLost):
        put(link, store, after)
    if tools == "plain" and share > 0.999:  # into the zeros at the end, behind the last order
        assert complete(home, after)
        return
    assert complete(home, before), "nothing is switched"
    resumed = put(link, store, after)
    assert complete(home, after)
    assert leftovers(home) == []
    twice = int(whole * share) + resumed.sent_bytes - whole
    assert twice < HELD_BACK[tools]
    assert resumed.kept_bytes > whole * share - HELD_BACK[tools]


def test_cut_again_and_again_every_byte_travels_once(home: Path, store: Memory) -> None:
    """One object, in nine pieces: each cut falls into the rest of a rest."""
    bundle = store.bundle("c", {"model": deploy_board.noise("model", 1_000_000)})
    total = 0
    for _ in range(8):
        link = Cut(home, "gzip", 120_000)
        with pytest.raises(LinkLost):
            put(link, store, bundle)
        total += 120_000
    total += put(Board(home), store, bundle).sent_bytes
    assert complete(home, bundle)
    assert total < 1_000_000 + 9 * HELD_BACK["gzip"]


def test_a_dead_link_that_the_board_does_not_notice(home: Path, store: Memory) -> None:
    """The first push still waits for its stream; the second takes a copy of what it has got."""
    bundle = store.bundle("c", files("lib/a", "lib/b", size=SIZE))
    half, arrived, ended = (
        stream_size(Cut(home, "gzip", 0), store, bundle) // 2,
        False,
        threading.Event(),
    )

    class Stuck(Cut):
        def run(
            self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
        ) -> CommandResult:
            def waiting() -> Iterable[bytes]:
                whole = b"".join(stdin or ())
                yield whole[: begin_of_stream(whole) + half]
                ended.wait(60)

            halted = "receive " in script
            return Board.run(self, script, timeout=90, stdin=waiting() if halted else stdin)

    def stuck() -> None:
        with pytest.raises(DeviceError):
            put(Stuck(home, "gzip", 0), store, bundle)

    thread = threading.Thread(target=stuck)
    thread.start()
    while not arrived:
        sizes = [p.stat().st_size for p in (home / PREFIX).glob("tmp/*/in/objects/*")]
        arrived = sum(sizes) > half * 0.8
    resumed = put(Board(home), store, bundle)
    ended.set()
    thread.join()
    assert complete(home, bundle)
    assert resumed.kept_bytes > half * 0.8
    put(Board(home), store, bundle, verify=True)
    assert leftovers(home) == []


@pytest.mark.parametrize("rot", ["zeros", "longer", "garbage"])
def test_a_part_that_is_no_beginning_is_not_gone_on_from(
    home: Path, store: Memory, rot: str
) -> None:
    """As a power cut leaves it: the size is there, the content is not."""
    content = deploy_board.noise("a", 10_000)
    bundle = store.bundle("c", {"lib/a": content})
    put(Board(home), store, store.bundle("d", files()))
    part = home / PREFIX / "parts" / bundle.files[0].sha256
    part.write_bytes(
        {"zeros": bytes(5000), "longer": content + b"x", "garbage": b"y" * 10_000}[rot]
    )
    pushed = put(Board(home), store, bundle)
    assert (pushed.sent_objects, pushed.kept_bytes) == (1, 0)
    assert complete(home, bundle)
    assert leftovers(home) == []


WRAPPER = """#!/bin/sh
printf x >> {count}
[ "$({wc} -c < {count})" -lt {limit} ] || kill -KILL 0
exec {tool} "$@"
"""


class Dying(Board):
    """All of the board's processes are killed just before the command number `limit`."""

    def __init__(self, home: Path, limit: int) -> None:
        super().__init__(home)
        self.count = home.parent / "count"
        self.count.write_bytes(b"")
        tools = home.parent / "wrapped"
        tools.mkdir(exist_ok=True)
        for name in TOOLS:
            if tool := shutil.which(name):
                words = {"count": self.count, "limit": limit, "tool": tool}
                (tools / name).write_text(WRAPPER.format(wc=shutil.which("wc"), **words))
                (tools / name).chmod(0o755)
        (tools / "sh").unlink()
        self.path = f"{tools}:{self.path}"

    def converse(
        self,
        script: str,
        *,
        timeout: float,
        stdin: Iterable[bytes],
        heard: Callable[[bytes], None],
    ) -> CommandResult:
        session = f"exec setsid sh -c {shlex.quote(script)}"
        return super().converse(session, timeout=timeout, stdin=stdin, heard=heard)


def pushed(board: Board, store: Memory, old: Bundle, new: Bundle) -> None:
    put(board, store, new)


def pushed_whole(board: Board, store: Memory, old: Bundle, new: Bundle) -> None:
    """Nothing of it is there: its trees are made by what unpacks the stream."""
    put(board, store, new)


def mended(board: Board, store: Memory, old: Bundle, new: Bundle) -> None:
    put(board, store, old, verify=True)


def rolled_back(board: Board, store: Memory, old: Bundle, new: Bundle) -> None:
    deploy.rollback(board, "c")


def pruned(board: Board, store: Memory, old: Bundle, new: Bundle) -> None:
    deploy.prune(board, keep=1)


@pytest.mark.parametrize("work", [pushed, pushed_whole, mended, rolled_back, pruned])
def test_killed_at_any_command_the_active_variant_is_whole(
    home: Path, store: Memory, work: Callable[[Board, Memory, Bundle, Bundle], None]
) -> None:
    versions = [files("lib/a", "lib/b", version=v, size=5_000) for v in (0, 1, 2)]
    for v, content in enumerate(versions):
        content["bin/runner"] += b"#%d\n" % v if work is pushed_whole else b""
    first, old, new = (store.bundle("c", content, l="a") for content in versions)
    put(Board(home), store, first)
    put(Board(home), store, old)
    kept, killed = home.with_name("kept"), 0
    home.rename(kept)
    for limit in range(1, 500):
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["cp", "-a", kept, home], check=True)
        try:
            work(Dying(home, limit), store, old, new)
        except DeviceError as error:
            killed += "was killed" in error.brief
        else:
            break
        assert killed == limit
        if work is rolled_back:
            assert complete(home, old) or complete(home, first), f"command {limit}"
        else:
            assert complete(home, old) or complete(home, new), f"command {limit}"
        put(Board(home), store, new)
        deploy.prune(Board(home))
        assert complete(home, new), f"command {limit}"
        assert leftovers(home) == [], f"command {limit}"
    least = {"pushed": 20, "pushed_whole": 15, "mended": 20, "rolled_back": 5, "pruned": 5}
    assert killed > least[work.__name__]


def test_two_pushes_at_once(home: Path, store: Memory) -> None:
    content = files(*(f"lib/{n}" for n in range(8)))
    bundles = [store.bundle("cell", content | {"id": str(n).encode()}) for n in range(4)]
    assert at_once(lambda bundle: put(Board(home), store, bundle), bundles) == []
    assert any(complete(home, b) for b in bundles)
    assert {p.name for p in (home / PREFIX / "bundles").iterdir()} == {b.digest for b in bundles}
    assert leftovers(home) == []


def test_a_push_beside_a_prune_sends_again_what_the_prune_took(home: Path, store: Memory) -> None:
    put(Board(home), store, store.bundle("other", files()))
    bundle = store.bundle("c", files("lib/a", "lib/b"))
    once = "[ -e ../once ] || { : > ../once; rm -f objects/*; }"
    board = Altered(home, "receive ", f'ln() {{ {once}; command ln "$@"; }}; receive ')
    assert put(board, store, bundle).sent_objects == 5  # two objects, then these and the runner
    assert complete(home, bundle)
    assert leftovers(home) == []


def test_a_full_disk_is_told_with_a_way_out(home: Path, store: Memory) -> None:
    full = 'tar() { cat > /dev/null; echo "tar: lib: No space left on device" >&2; return 2; }'
    board = Altered(home, "receive ", f"{full}; receive ")
    with pytest.raises(DeviceError, match="No space left") as caught:
        put(board, store, store.bundle("c", files("lib/large")))
    assert "free space on the board" in caught.value.hint
    assert "free space" in failure(CommandResult(1, b"", b"x: No space left on device")).hint


def test_a_first_deploy_starts_few_programs(home: Path, store: Memory) -> None:
    """On an emulated board each costs 0.1 s of CPU, more than a megabyte of content does."""
    board = Dying(home, 1_000_000)
    board.packed = 0
    put(board, store, store.bundle("c", files(*(f"lib/{n}" for n in range(16)))))
    assert complete(home, store.bundle("c", files(*(f"lib/{n}" for n in range(16)))))
    assert len(board.count.read_bytes()) == 18, "3 of them for the question; 25 before"
