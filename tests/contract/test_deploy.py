"""Deploy against a real sh, tar and sha256sum: whole, resumable, verified, reversible."""

from __future__ import annotations

import hashlib
import io
import random
import shlex
import subprocess
import threading
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import deploy
from buildmatrix.agent import PREFIX, failure, script
from buildmatrix.errors import DeviceError, InputError, LinkLost, UsageError
from buildmatrix.model import Bundle, FileRecord
from buildmatrix.protocols import Advanced, CommandResult, Note
from tests.fakes import LocalShell, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from buildmatrix.protocols import Connection


class Memory:
    """An ObjectReader over a dictionary."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def add(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.content[digest] = content
        return digest

    def open(self, sha256: str) -> BinaryIO:
        return io.BytesIO(self.content[sha256])

    def bundle(self, cell: str, files: dict[str, bytes], **links: str) -> Bundle:
        records = [
            FileRecord(path, self.add(data), len(data), executable=path.startswith("bin/"))
            for path, data in files.items()
        ]
        records += [FileRecord(f"lib/{name}", link=target) for name, target in links.items()]
        return Bundle(cell, hashlib.sha256(repr(records).encode()).hexdigest(), tuple(records))


class CutLink(LocalShell):
    """The link breaks once, after `after` bytes of the first stream of that size."""

    def __init__(self, home: Path, after: int) -> None:
        super().__init__(home)
        self.after: int | None = after

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        if self.after is None or "receive\n" not in script[-20:]:
            return super().run(script, timeout=timeout, stdin=stdin)
        head, self.after = b"".join(stdin or ())[: self.after], None
        super().run(script, timeout=timeout, stdin=[head])
        raise LinkLost("the connection broke")


RUNNER = b"#!/bin/sh\necho forward\n"
NOISE = random.Random(1).randbytes(1 << 16)  # does not compress


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def shell(tmp_path: Path) -> LocalShell:
    return LocalShell(tmp_path)


def put(connection: Connection, store: Memory, *bundles: Bundle, verify: bool = False) -> Pushed:
    return deploy.push(
        connection, bundles, store, reporter=RecordingReporter(), subject="pi3", verify=verify
    )


Pushed = deploy.Pushed


def files(*names: str, version: int = 1) -> dict[str, bytes]:
    """A bundle's files: content unlike each other, too large for one read."""
    return {"bin/runner": RUNNER} | {
        name: f"{name} {version}".encode() + NOISE[: 50_000 + len(name)] for name in names
    }


def run(home: Path, cell: str) -> str:
    runner = home / PREFIX / "cells" / cell / "bin" / "runner"
    return subprocess.run([runner], capture_output=True, check=True, text=True).stdout


def objects(home: Path) -> set[str]:
    return {p.name for p in (home / PREFIX / "objects").glob("*/*")}


def leftovers(home: Path) -> list[str]:
    return [str(p) for p in (home / PREFIX / "tmp").iterdir()]


def test_a_bundle_becomes_a_tree_that_runs(shell: LocalShell, store: Memory) -> None:
    content = files("lib/libcaffe.so.1.0") | {"model/weights.bin": bytes(50_000)}
    bundle = store.bundle("caffe-openblas", content, libcaffe_so="libcaffe.so.1.0")
    pushed = put(shell, store, bundle)
    tree = shell.home / PREFIX / "cells" / "caffe-openblas"
    assert run(shell.home, "caffe-openblas") == "forward\n"
    assert {p: (tree / p).read_bytes() for p in content} == content
    assert (tree / "lib/libcaffe_so").read_bytes() == content["lib/libcaffe.so.1.0"]
    assert pushed.sent_objects == 3
    assert 50_000 < pushed.sent_bytes < bundle.size - 45_000
    assert pushed.switched == ("caffe-openblas",)
    assert deploy.active(shell) == {"caffe-openblas": bundle.digest}
    assert leftovers(shell.home) == []


def test_content_is_read_only_on_the_board(shell: LocalShell, store: Memory) -> None:
    put(shell, store, store.bundle("a", files("lib/x")))
    modes = {p.stat().st_mode & 0o777 for p in (shell.home / PREFIX / "objects").glob("*/*")}
    assert modes == {0o444, 0o555}


def test_nothing_changed_sends_nothing(shell: LocalShell, store: Memory) -> None:
    bundle = store.bundle("a", files("lib/x"))
    put(shell, store, bundle)
    shell.scripts.clear()
    assert put(shell, store, bundle) == Pushed(0, 0, ())
    assert len(shell.scripts) == 1


def test_shared_content_travels_once_and_is_one_file(shell: LocalShell, store: Memory) -> None:
    common = files("lib/libcaffe.so")
    one = store.bundle("one", common | {"lib/libblas.so": b"A"})
    two = store.bundle("two", common | {"lib/libblas.so": b"B"})
    assert put(shell, store, one, two).sent_objects == 4
    cells = shell.home / PREFIX / "cells"
    assert (cells / "one/lib/libcaffe.so").samefile(cells / "two/lib/libcaffe.so")
    assert not (cells / "one/lib/libblas.so").samefile(cells / "two/lib/libblas.so")


def test_same_bytes_executable_and_not_keep_their_modes(shell: LocalShell, store: Memory) -> None:
    put(shell, store, store.bundle("a", {"bin/runner": RUNNER, "doc/runner.txt": RUNNER}))
    tree = shell.home / PREFIX / "cells/a"
    assert (tree / "bin/runner").stat().st_mode & 0o777 == 0o555
    assert (tree / "doc/runner.txt").stat().st_mode & 0o777 == 0o444


def test_round_trips_do_not_grow_with_files(shell: LocalShell, store: Memory) -> None:
    many = {f"lib/part{n}": str(n).encode() for n in range(300)}
    put(shell, store, *(store.bundle(f"cell{n}", files() | many) for n in range(4)))
    assert len(shell.scripts) == 3
    assert max(len(text) for text in shell.scripts) < 100_000  # Linux: 128 KiB an argument


def test_an_empty_file_arrives(shell: LocalShell, store: Memory) -> None:
    put(shell, store, store.bundle("a", {"lib/empty": b""}))
    assert (shell.home / PREFIX / "cells/a/lib/empty").read_bytes() == b""


@pytest.mark.parametrize("share", [0.0, 0.1, 0.45, 0.8, 0.999])
def test_a_cut_upload_keeps_the_old_variant_and_what_arrived(
    tmp_path: Path, store: Memory, share: float
) -> None:
    old, new = files("lib/a", "lib/b", "lib/c"), files("lib/a", "lib/b", "lib/c", version=2)
    shell = LocalShell(tmp_path)
    before = store.bundle("cell", old)
    put(shell, store, before)
    after = store.bundle("cell", new)
    whole = sum(len(c) for c in deploy.tar_stream(lacking(after, tmp_path), store, lambda _: None))
    link = CutLink(tmp_path, int(whole * share))
    with pytest.raises(LinkLost):
        put(link, store, after)
    assert deploy.active(shell) == {"cell": before.digest}
    assert (tmp_path / PREFIX / "cells/cell/lib/a").read_bytes() == old["lib/a"]
    arrived = len(objects(tmp_path)) - 4
    assert put(link, store, after).sent_objects == 3 - arrived
    assert (tmp_path / PREFIX / "cells/cell/lib/a").read_bytes() == new["lib/a"]
    assert arrived >= {0.0: 0, 0.1: 0, 0.45: 1, 0.8: 1, 0.999: 2}[share]
    assert leftovers(tmp_path) == []


def lacking(bundle: Bundle, home: Path) -> deploy.Upload:
    return deploy.plan_upload([bundle], frozenset(objects(home)))


class KilledShell(LocalShell):
    """The board's shell is killed with SIGKILL when `word` is reached in its script."""

    def __init__(self, home: Path, word: str, instead: str) -> None:
        super().__init__(home)
        self.word, self.instead = word, instead

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        return super().run(script.replace(self.word, self.instead), timeout=timeout, stdin=stdin)


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("    status=$?", "    kill -KILL $$"),  # unpacked, not yet checked
        ("sync # content", "kill -KILL $$ #"),  # checked, not yet named
        ('mv -f "$file" "$path" &&', 'mv -f "$file" "$path" && kill -KILL $$ &&'),  # first object
        ('locate "$one"\n', "kill -KILL $$\n"),  # first hard link
        ("    grep '^tree '", "    kill -KILL $$; grep '^tree '"),  # trees built, not in place
        ("    grep '^switch '", "    kill -KILL $$; grep '^switch '"),  # in place, not active
        ('point "$1" "$2" &&', "kill -KILL $$;"),  # way back laid, step not made
    ],
)
def test_killed_on_the_board_at_any_step(
    tmp_path: Path, store: Memory, word: str, instead: str
) -> None:
    shell = LocalShell(tmp_path)
    before, after = (store.bundle("c", files("lib/a", "lib/b", version=v)) for v in (1, 2))
    put(shell, store, before)
    killed = KilledShell(tmp_path, word, instead)
    with pytest.raises(DeviceError, match="was killed"):
        put(killed, store, after)
    assert deploy.active(shell) == {"c": before.digest}
    assert run(tmp_path, "c") == "forward\n"
    resumed = put(shell, store, after)
    assert resumed.sent_objects == 0  # the stream had arrived whole: nothing travels twice
    assert deploy.active(shell) == {"c": after.digest}
    assert leftovers(tmp_path) == []


class FlippedLink(LocalShell):
    """One object changes under way, so that gzip and tar do not notice."""

    def __init__(self, home: Path, store: Memory, sha256: str) -> None:
        super().__init__(home)
        store.content[sha256] = bytes(len(store.content[sha256]))


def test_a_damaged_object_is_named_and_nothing_is_switched(tmp_path: Path, store: Memory) -> None:
    content = files("lib/libcaffe.so", "lib/libopenblas.so")
    bundle = store.bundle("caffe", content)
    original = dict(store.content)
    link = FlippedLink(tmp_path, store, bundle.files[1].sha256)
    with pytest.raises(DeviceError, match=r"did not arrive whole: lib/libcaffe\.so of caffe\n"):
        put(link, store, bundle)
    assert deploy.active(link) == {}
    store.content = original
    assert put(link, store, bundle).sent_objects == 1


def test_corruption_on_the_board_is_found_and_mended_in_every_tree(
    shell: LocalShell, store: Memory
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
    for name in ("one", "two"):
        tree = cells / name
        assert (tree / "lib/libcaffe.so").read_bytes() == content["lib/libcaffe.so"]
        assert (tree / "id").read_bytes() == name.encode()
    assert put(shell, store, *bundles, verify=True) == Pushed(0, 0, ())


def test_two_pushes_at_once(tmp_path: Path, store: Memory) -> None:
    content = files(*(f"lib/{n}" for n in range(8)))
    bundles = [store.bundle("cell", content | {"id": str(n).encode()}) for n in range(4)]
    failures: list[BaseException] = []

    def attempt(bundle: Bundle) -> None:
        try:
            put(LocalShell(tmp_path), store, bundle)
        except BaseException as error:  # noqa: BLE001 # shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=attempt, args=(b,)) for b in bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert deploy.active(LocalShell(tmp_path))["cell"] in {b.digest for b in bundles}
    assert {p.name for p in (tmp_path / PREFIX / "bundles").iterdir()} == {
        b.digest for b in bundles
    }
    assert leftovers(tmp_path) == []


def test_the_active_link_never_vanishes(shell: LocalShell, store: Memory) -> None:
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


def test_progress_is_reported_in_bytes(shell: LocalShell, store: Memory) -> None:
    bundle = store.bundle("a", files("lib/x", "lib/y"))
    reporter = RecordingReporter()
    deploy.push(shell, [bundle], store, reporter=reporter, subject="pi3")
    steps = [e for e in reporter.events if isinstance(e, Advanced)]
    assert steps[-1] == Advanced("pi3", bundle.size, bundle.size, "bytes")
    assert [s.done for s in steps] == sorted(s.done for s in steps)


def test_rollback_and_back_again(shell: LocalShell, store: Memory) -> None:
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


@pytest.mark.parametrize(
    ("keep", "left"), [(1, {4}), (2, {3, 4}), (3, {2, 3, 4}), (9, {1, 2, 3, 4})]
)
def test_prune_keeps_the_last_n(
    shell: LocalShell, store: Memory, keep: int, left: set[int]
) -> None:
    made = {v: store.bundle("c", {"v": b"%d" % v, "same": NOISE}) for v in (1, 2, 3, 4)}
    for bundle in made.values():
        put(shell, store, bundle)
    assert deploy.prune(shell, keep=keep) == 4 - len(left)
    assert {p.name for p in (shell.home / PREFIX / "bundles").iterdir()} == {
        made[v].digest for v in left
    }
    assert len(objects(shell.home)) == len(left) + 1
    assert (shell.home / PREFIX / "cells/c/v").read_bytes() == b"4"
    assert put(shell, store, made[1]).sent_objects == (0 if 1 in left else 1)


def test_prune_spares_what_a_run_holds(shell: LocalShell, store: Memory) -> None:
    made = [store.bundle("c", {"v": b"%d" % v}) for v in range(3)]
    for bundle in made:
        put(shell, store, bundle)
    held = shell.home / PREFIX / "runs/r1/cells/c"
    held.parent.mkdir(parents=True)
    held.symlink_to(f"../../../bundles/{made[0].digest}")
    assert deploy.prune(shell, keep=1) == 1
    assert (held / "v").read_bytes() == b"0"


def test_a_push_beside_a_prune_sends_again_what_the_prune_took(
    tmp_path: Path, store: Memory
) -> None:
    class Pruned(LocalShell):
        """A prune runs just before the trees are built."""

        meddle = True

        def run(
            self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
        ) -> CommandResult:
            if script.endswith("install\n") and self.meddle:
                self.meddle = False
                deploy.prune(LocalShell(self.home))
            return super().run(script, timeout=timeout, stdin=stdin)

    bundle = store.bundle("c", files("lib/a"))
    assert put(Pruned(tmp_path), store, bundle).sent_objects == 4  # two objects, twice
    assert run(tmp_path, "c") == "forward\n"


def test_a_full_disk_is_told_with_a_way_out(tmp_path: Path, store: Memory) -> None:
    shell = KilledShell(tmp_path, "tar -xzf -", "ulimit -f 40; trap '' XFSZ; tar -xzf -")
    with pytest.raises(DeviceError, match="did not arrive whole") as caught:
        put(shell, store, store.bundle("c", files("lib/large")))
    assert "tar: " in caught.value.details
    full = failure(CommandResult(1, b"", b"tar: lib: No space left on device"))
    assert "free space on the board" in full.hint


HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "a/../../b", "a b", "x;reboot", "$(id)", "`id`", "-rf",
    "a\nb", "..", ".", "a/./b", "a//b", "a/", "", "a'b", "*", "é",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_go_nowhere(shell: LocalShell, store: Memory, name: str) -> None:
    with pytest.raises(InputError):
        put(shell, store, store.bundle("c", {name: b"x"}))
    with pytest.raises(InputError):
        put(shell, store, store.bundle(name, {"f": b"x"}))
    with pytest.raises(InputError):
        deploy.rollback(shell, name)
    assert shell.scripts == []


@pytest.mark.parametrize(
    "link", ["/etc/passwd", "../../x", "..", "a/../../../x", "-x", "x y", "$(id)"]
)
def test_links_stay_inside_the_bundle(shell: LocalShell, store: Memory, link: str) -> None:
    with pytest.raises(InputError):
        put(shell, store, store.bundle("c", {"f": b"x"}, l=link))
    assert shell.scripts == []


def test_a_previous_link_cannot_be_taken_for_a_cell(shell: LocalShell, store: Memory) -> None:
    with pytest.raises(InputError):
        put(shell, store, store.bundle("c.previous", {"f": b"x"}))


@given(st.text(alphabet="ab/.~-$'; \n", max_size=8))
def test_no_prefix_runs_anything(prefix: str) -> None:
    """Either refused, or harmless: no quote, space or expansion is left to the shell."""
    try:
        text = script((), ":", prefix=prefix)
    except UsageError:
        return
    assert not set(prefix) & set(" \t\n'\"$`;&|<>*?[]()\\!#")
    assert ".." not in prefix.split("/")
    assert f"cd {shlex.quote(prefix)} || exit" in text


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
