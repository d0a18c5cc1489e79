"""Deploy against a real sh, tar and sha256sum: whole, shared, switched at once, reversible."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from buildmatrix import deploy
from buildmatrix.agent import PREFIX, ask
from buildmatrix.errors import DeviceError, InputError
from buildmatrix.nouns import Bundle, FileRecord
from buildmatrix.protocols import Advanced, Note
from tests.contract import deploy_board
from tests.contract.deploy_board import (
    RUNNER,
    Board,
    Memory,
    complete,
    files,
    leftovers,
    put,
    run,
)
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

shell, store, home = deploy_board.shell, deploy_board.store, deploy_board.home


def test_a_bundle_becomes_a_tree_that_runs(shell: Board, store: Memory) -> None:
    content = files("lib/libcaffe.so.1.0") | {"model/weights.bin": bytes(50_000)}
    bundle = store.bundle("caffe-openblas", content, libcaffe_so="libcaffe.so.1.0")
    pushed = put(shell, store, bundle)
    tree = shell.home / PREFIX / "cells" / "caffe-openblas"
    assert run(shell.home, "caffe-openblas") == "forward\n"
    assert complete(shell.home, bundle)
    assert {p: (tree / p).read_bytes() for p in content} == content
    assert (tree / "lib/libcaffe_so").read_bytes() == content["lib/libcaffe.so.1.0"]
    assert pushed.sent_objects == 3
    assert 50_000 < pushed.sent_bytes < bundle.size - 45_000
    assert pushed.switched == ("caffe-openblas",)
    assert deploy.active(shell) == {"caffe-openblas": bundle.digest}
    assert leftovers(shell.home) == []


def test_content_is_read_only_on_the_board(shell: Board, store: Memory) -> None:
    put(shell, store, store.bundle("a", files("lib/x")))
    modes = {p.stat().st_mode & 0o777 for p in (shell.home / PREFIX / "objects").iterdir()}
    assert modes == {0o444, 0o555}


def test_nothing_changed_is_one_question(shell: Board, store: Memory) -> None:
    bundles = [store.bundle(f"cell{n}", files() | {"n": b"%d" % n}) for n in range(12)]
    put(shell, store, *bundles)
    shell.scripts.clear()
    shell.bytes = 0
    assert put(shell, store, *bundles) == deploy.Pushed(0, 0, ())
    assert len(shell.scripts) == 1
    assert shell.bytes < 5_000
    put(shell, store, *bundles, verify=True)
    assert len(shell.scripts) == 4, "to verify is asked for, not assumed"


def test_a_question_makes_nothing_on_a_board_that_has_nothing(shell: Board) -> None:
    assert deploy.active(shell) == {}
    assert list(shell.home.iterdir()) == []


def test_the_question_can_follow_another_one(shell: Board, store: Memory) -> None:
    bundle = store.bundle("a=1", files("lib/x"))
    put(shell, store, bundle)
    answer = ask(shell, f"echo x=1; echo cell y; {deploy.QUESTION}", timeout=60).stdout
    assert answer.startswith(b"x=1\n")
    known = deploy.read_listing(answer)
    assert known.active == {"a=1": bundle.digest}
    shell.scripts.clear()
    deploy.push(shell, [bundle], store, reporter=RecordingReporter(), subject="pi3", known=known)
    assert shell.scripts == []


def test_shared_content_travels_once_and_is_one_file(shell: Board, store: Memory) -> None:
    common = files("lib/libcaffe.so")
    one = store.bundle("one", common | {"lib/libblas.so": b"A"})
    two = store.bundle("two", common | {"lib/libblas.so": b"B"})
    assert put(shell, store, one, two).sent_objects == 4
    cells = shell.home / PREFIX / "cells"
    assert (cells / "one/lib/libcaffe.so").samefile(cells / "two/lib/libcaffe.so")
    assert not (cells / "one/lib/libblas.so").samefile(cells / "two/lib/libblas.so")


def test_same_bytes_executable_and_not_keep_their_modes(shell: Board, store: Memory) -> None:
    put(shell, store, store.bundle("a", {"bin/runner": RUNNER, "doc/runner.txt": RUNNER}))
    tree = shell.home / PREFIX / "cells/a"
    assert (tree / "bin/runner").stat().st_mode & 0o777 == 0o555
    assert (tree / "doc/runner.txt").stat().st_mode & 0o777 == 0o444


def test_round_trips_do_not_grow_with_files(shell: Board, store: Memory) -> None:
    many = {f"lib/part{n}": str(n).encode() for n in range(300)}
    put(shell, store, *(store.bundle(f"cell{n}", files() | many) for n in range(4)))
    assert len(shell.scripts) == 3, "the first call of all is made again, with the scripts"
    put(shell, store, store.bundle("cell0", files() | many | {"lib/part0": b"new"}))
    assert len(shell.scripts) == 6
    assert max(len(text) for text in shell.scripts) < 100_000  # Linux: 128 KiB an argument


def test_empty_files_and_long_paths_arrive(shell: Board, store: Memory) -> None:
    deep = "/".join(["d" * 60] * 5)
    bundle = store.bundle("a", {"lib/empty": b"", f"{deep}/x": b"y"})
    put(shell, store, bundle)
    assert complete(shell.home, bundle)


def test_a_damaged_object_is_named_and_nothing_is_switched(shell: Board, store: Memory) -> None:
    """One object changes under way, so that neither gzip nor tar notices."""
    bundle = store.bundle("caffe", files("lib/libcaffe.so", "lib/libopenblas.so"))
    original, victim = dict(store.content), bundle.files[1].sha256
    store.content[victim] = bytes(len(store.content[victim]))
    with pytest.raises(DeviceError, match=r"did not arrive whole: lib/libcaffe\.so of caffe\n"):
        put(shell, store, bundle)
    assert deploy.active(shell) == {}
    store.content = original
    assert put(shell, store, bundle).sent_objects == 1
    assert leftovers(shell.home) == []


def test_corruption_on_the_board_is_found_and_mended_in_every_tree(
    shell: Board, store: Memory
) -> None:
    content = files("lib/libcaffe.so")
    bundles = [store.bundle(name, content | {"id": name.encode()}) for name in ("one", "two")]
    put(shell, store, *bundles)
    cells = shell.home / PREFIX / "cells"
    victim = cells / "one/lib/libcaffe.so"
    victim.chmod(0o644)
    victim.write_bytes(b"bit rot")
    (cells / "two/id").unlink()
    assert put(shell, store, *bundles).sent_objects == 0  # not looked for, not found
    reporter = RecordingReporter()
    mended = deploy.push(shell, bundles, store, reporter=reporter, subject="pi3", verify=True)
    assert mended.sent_objects == 1
    assert reporter.events[0] == Note("warning", "pi3: mending lib/libcaffe.so of one")
    assert all(complete(shell.home, bundle) for bundle in bundles)
    again = put(shell, store, *bundles, verify=True)
    assert (again.sent_objects, again.switched) == (0, ())


def test_a_bundle_that_a_link_leads_to_but_is_gone_is_made_again(
    shell: Board, store: Memory
) -> None:
    bundle = store.bundle("c", files("lib/a"))
    put(shell, store, bundle)
    tree = shell.home / PREFIX / "bundles" / bundle.digest
    tree.rename(shell.home / "elsewhere")
    assert put(shell, store, bundle).sent_objects == 0
    assert complete(shell.home, bundle)


def test_the_active_link_never_vanishes(shell: Board, store: Memory) -> None:
    bundles = [store.bundle("c", files() | {"id": str(n).encode()}) for n in range(2)]
    put(shell, store, *bundles)
    link, absent, stop = shell.home / PREFIX / "cells/c", 0, threading.Event()

    def watch() -> None:
        nonlocal absent
        while not stop.is_set():
            absent += not (link / "id").is_file()

    watcher = threading.Thread(target=watch)
    watcher.start()
    for n in range(10):
        put(shell, store, bundles[n % 2])
    stop.set()
    watcher.join()
    assert absent == 0


def test_progress_is_reported_in_bytes(shell: Board, store: Memory) -> None:
    bundle = store.bundle("a", files("lib/x", "lib/y"))
    reporter = RecordingReporter()
    deploy.push(shell, [bundle], store, reporter=reporter, subject="pi3")
    steps = [e for e in reporter.events if isinstance(e, Advanced)]
    assert steps[-1] == Advanced("pi3", bundle.size, bundle.size, "bytes")
    assert [s.done for s in steps] == sorted(s.done for s in steps)


def test_rollback_and_back_again(shell: Board, store: Memory) -> None:
    first, second = (store.bundle("c", files(version=v) | {"v": b"%d" % v}) for v in (1, 2))
    put(shell, store, first)
    with pytest.raises(DeviceError, match="no previous bundle"):
        deploy.rollback(shell, "c")
    put(shell, store, second)
    assert deploy.rollback(shell, "c") == first.digest
    assert deploy.active(shell) == {"c": first.digest}
    assert deploy.rollback(shell, "c") == second.digest
    with pytest.raises(DeviceError, match="no previous bundle"):
        deploy.rollback(shell, "unknown")


def test_a_benchmark_at_work_shows(shell: Board, store: Memory) -> None:
    put(shell, store, store.bundle("c", files()))
    leases = shell.home / PREFIX / "runs/r1/leases"
    leases.mkdir(parents=True)
    (shell.home / PREFIX / "runs/current").symlink_to("r1")
    assert deploy.glance(shell).busy == ""
    (leases.parent / "settings").write_text("owner ann@desk\ngovernor keep\n")
    answer = ask(shell, 'ln -s "$token 12.5" runs/current/leases/1; listing', timeout=60)
    assert deploy.read_listing(answer.stdout).busy == "ann@desk", "alive: it is the shell that asks"
    assert deploy.glance(shell).busy == ""


@pytest.mark.parametrize("hidden", ["gzip", "tar", "sha256sum", "dd"])
def test_a_missing_tool_is_named(home: Path, store: Memory, hidden: str) -> None:
    tools = home.parent / "tools"
    tools.mkdir()
    for name in deploy_board.TOOLS:
        if name != hidden:
            (tools / name).symlink_to(shutil.which(name) or name)
    board = Board(home)
    board.path = str(tools)
    with pytest.raises(DeviceError, match=f"{hidden}.*not found") as caught:
        put(board, store, store.bundle("c", files("lib/a")))
    assert "install the missing tool" in caught.value.hint
    assert not list((home / PREFIX).glob("cells/*")), "without sha256sum it cannot be asked"


def test_upload_is_what_is_not_there() -> None:
    def plan(present: Iterable[str]) -> Iterator[str]:
        same = FileRecord("lib/x", "a" * 64, 10)
        bundles = [
            Bundle("one", "1" * 64, (same, FileRecord("bin/r", "b" * 64, 5, executable=True))),
            Bundle("two", "2" * 64, (same, FileRecord("lib/l", link="x"))),
        ]
        upload = deploy.plan_upload(bundles, frozenset(present))
        yield f"{upload.size}"
        yield from (f"{item.name[0]}{item.name[64:]} {item.file}" for item in upload.objects)

    assert list(plan([])) == ["15", "a lib/x of one", "b.x bin/r of one"]
    assert list(plan(["a" * 64])) == ["5", "b.x bin/r of one"]
    assert list(plan(["b" * 64])) == ["15", "a lib/x of one", "b.x bin/r of one"]


def test_a_bundle_that_cannot_be_a_tree_is_refused(store: Memory) -> None:
    twice = store.bundle("c", {"lib/a": b"x"})
    for files_of in ({"lib/a": b"x", "lib/a/b": b"y"}, {"d" * 256: b"x"}):
        with pytest.raises(InputError, match="may not carry"):
            deploy.check(store.bundle("c", files_of))
    with pytest.raises(InputError, match="twice"):
        deploy.check(Bundle("c", "1" * 64, twice.files * 2))
