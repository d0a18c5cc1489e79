"""The store's promises: whole or absent, verified on read, one maker per key, any death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import BuildmatrixError, DamageError
from buildmatrix.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "libx.so.1").write_bytes(b"elf" * 1000)
    (folder / "lib" / "libx.so").symlink_to("libx.so.1")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    return folder


def test_what_goes_in_comes_out(tmp_path: Path, tree: Path) -> None:
    store = Store(tmp_path / "store")
    made = store.add("k" * 64, tree, material={"id": "build:x"}, provenance={"seconds": 1})
    out = tmp_path / "out"
    assert store.checkout("k" * 64, out) == made == store.latest("build:x")
    assert (out / "lib" / "libx.so").read_bytes() == b"elf" * 1000
    assert os.access(out / "run", os.X_OK)
    assert not os.access(out / "lib" / "libx.so.1", os.X_OK)
    assert store.stored() == {"k" * 64}


def test_equal_content_is_kept_once(tmp_path: Path, tree: Path) -> None:
    store = Store(tmp_path / "store")
    store.add("a" * 64, tree, material={}, provenance={})
    store.add("b" * 64, tree, material={}, provenance={})
    assert sum(p.is_file() for p in (tmp_path / "store" / "objects").rglob("*")) == 2


def test_damage_is_found_and_the_entry_is_forgotten(tmp_path: Path, tree: Path) -> None:
    store = Store(tmp_path / "store")
    entry = store.add("k" * 64, tree, material={}, provenance={})
    victim = next(f for f in entry.files if f.path == "lib/libx.so.1")
    path = tmp_path / "store" / "objects" / victim.sha256[:2] / victim.sha256[2:]
    path.chmod(0o644)
    path.write_bytes(b"elf" * 999 + b"elF")
    with pytest.raises(BuildmatrixError, match=r"was damaged.*\n.*made anew"):
        store.checkout("k" * 64, tmp_path / "out")
    assert store.entry("k" * 64) is None, "it would be served again otherwise"
    store.add("k" * 64, tree, material={}, provenance={})
    store.checkout("k" * 64, tmp_path / "again")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "store" / "entries" / "k.json").write_text('{"version": 99}')
    with pytest.raises(BuildmatrixError, match="newer than this program"):
        store.entry("k")


def test_a_failure_is_remembered_until_it_is_mended(tmp_path: Path, tree: Path) -> None:
    store = Store(tmp_path / "store")
    store.remember_failure("k", "cc1plus killed")
    assert store.failure("k") == "cc1plus killed"
    assert store.entry("k") is None
    store.add("k", tree, material={}, provenance={})
    assert store.failure("k") is None


WRITER = """
import sys
from pathlib import Path
from buildmatrix.store import Store
store, tree = Store(Path(sys.argv[1])), Path(sys.argv[2])
print("ready", flush=True)
for n in range(10**6):
    (tree / "changing").write_bytes(b"%d" % n * 50000)
    store.add(f"{n:064d}", tree, material={"id": "x"}, provenance={})
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.13, 0.3])
def test_killed_while_writing_every_entry_is_whole(
    tmp_path: Path, tree: Path, seconds: float
) -> None:
    argv = [sys.executable, "-c", WRITER, str(tmp_path / "store"), str(tree)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
    store = Store(tmp_path / "store")
    for key in store.stored():
        store.checkout(key, tmp_path / "out" / key)  # raises if anything is missing or wrong
    store.add("after", tree, material={"id": "x"}, provenance={})
    newest = store.latest("x")
    assert newest is not None
    assert newest.key == "after"


MAKER = """
import sys, time
from pathlib import Path
from buildmatrix.store import Store
root, log = Path(sys.argv[1]), Path(sys.argv[2])
store = Store(root / "store")
for key in ("one", "two", "three"):
    with store.lock(key):
        if store.entry(key) is None:
            with store.workspace(key) as folder:
                (folder / "made").write_text(key)
                time.sleep(0.05)
                with log.open("a") as stream:
                    stream.write(key + "\\n")
                store.add(key, folder, material={}, provenance={})
"""


@pytest.mark.slow
def test_four_makers_make_each_thing_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", MAKER, str(tmp_path), str(tmp_path / "log")]
    makers = [subprocess.Popen(argv) for _ in range(4)]
    assert [maker.wait(timeout=60) for maker in makers] == [0, 0, 0, 0]
    assert sorted((tmp_path / "log").read_text().split()) == ["one", "three", "two"]


def test_a_dead_makers_workspace_is_cleared_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    dead = tmp_path / "store" / "tmp" / ("k" * 16 + "-dead")
    dead.mkdir()
    with store.lock("k" * 64), store.workspace("k" * 64) as folder:
        assert not dead.exists()
        assert folder.exists()
    assert not folder.exists()


def test_lost_content_takes_all_that_holds_it_along_and_nothing_else(
    tmp_path: Path, tree: Path
) -> None:
    warnings: list[str] = []
    store = Store(tmp_path / "store", warnings.append)
    entry = store.add("a" * 64, tree, material={"id": "build:x"}, provenance={})
    store.add("b" * 64, tree, material={}, provenance={})
    (tree / "lib" / "libx.so.1").write_bytes(b"other")
    store.add("c" * 64, tree, material={}, provenance={})
    sha = next(f.sha256 for f in entry.files if f.path == "lib/libx.so.1")
    (tmp_path / "store" / "objects" / sha[:2] / sha[2:]).unlink()
    with pytest.raises(DamageError) as caught:
        store.open(sha)
    assert caught.value.brief == (
        f"stored content {sha[:12]} is missing: lib/libx.so.1 of build:x, lib/libx.so.1 of entry "
        "bbbbbbbbbbbb"
    )
    assert warnings[0].startswith("lib/libx.so.1 of build:x is missing: it counts as not stored")
    assert store.stored() == {"c" * 64}


def test_a_flipped_bit_in_an_entry_makes_it_not_stored_and_is_told(
    tmp_path: Path, tree: Path
) -> None:
    warnings: list[str] = []
    store = Store(tmp_path / "store", warnings.append)
    whole = store.add("a" * 64, tree, material={"id": "build:x"}, provenance={"seconds": 1})
    path = tmp_path / "store" / "entries" / f"{'a' * 64}.json"
    image = path.read_bytes()
    for bit in range(0, len(image) * 8, 97):
        broken = bytearray(image)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        assert store.entry("a" * 64) in (None, whole)
    path.write_bytes(b"\x00")
    assert store.entry("a" * 64) is None
    assert not path.exists()
    assert "counts as not stored" in warnings[-1]


def test_an_entry_of_the_version_before_is_read_unless_it_leaves_the_tree(
    tmp_path: Path, tree: Path
) -> None:
    store = Store(tmp_path / "store")
    whole = store.add("a" * 64, tree, material={}, provenance={})
    path = tmp_path / "store" / "entries" / f"{'a' * 64}.json"
    plain = json.loads(path.read_bytes())["content"]
    path.write_text(json.dumps(plain))
    assert store.entry("a" * 64) == whole
    plain["files"][0]["path"] = "../outside"
    path.write_text(json.dumps(plain))
    assert store.entry("a" * 64) is None


def test_folders_in_the_places_of_files_do_not_wedge_the_store(tmp_path: Path, tree: Path) -> None:
    store = Store(tmp_path / "store")
    entry = store.add("a" * 64, tree, material={"id": "build:x"}, provenance={})
    root = tmp_path / "store"
    for folder in ("entries", "latest", "locks", "failures"):
        for path in (root / folder).iterdir():
            path.unlink()
            path.mkdir()
    (root / "locks" / ("a" * 64)).mkdir()
    sha = next(f.sha256 for f in entry.files if f.path == "run")
    (root / "objects" / sha[:2] / sha[2:]).unlink()
    (root / "objects" / sha[:2] / sha[2:]).mkdir()
    assert store.latest("build:x") is None
    assert store.entry("a" * 64) is None
    assert store.failure("a" * 64) is None
    with store.lock("a" * 64):
        assert store.add("a" * 64, tree, material={"id": "build:x"}, provenance={}) == entry
    assert store.checkout("a" * 64, tmp_path / "out") == entry == store.latest("build:x")
