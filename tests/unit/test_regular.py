"""A pipe, a socket or a device in the place of a file of ours is named or made good, and nothing
waits for it."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from buildmatrix import build, regular, scratch
from buildmatrix.errors import BuildmatrixError, DamageError
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.records import read_record, write_record
from buildmatrix.store import Store
from buildmatrix.virtual import host, record
from tests.unit import shelves
from tests.unit.test_build import OK, Scripted, job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LATER = 4e9


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(path.parent, os.O_RDONLY)  # an address has 108 bytes
        try:
            listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture(params=KINDS)
def put(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], None]]:
    """Puts one of them in the place of a file; a test that waits for it ends by SIGALRM."""

    def in_place(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        KINDS[request.param](path)

    signal.alarm(60)
    yield in_place
    signal.alarm(0)


def test_in_the_place_of_a_record_it_is_named(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "seen.json")
    with pytest.raises(BuildmatrixError, match="is in the way") as caught:
        read_record(tmp_path / "seen.json")
    assert caught.value.where == str(tmp_path / "seen.json")
    write_record(tmp_path / "seen.json", {"a": 1})
    assert read_record(tmp_path / "seen.json") == {"a": 1}


def test_a_plan_names_it(tmp_path: Path, put: Callable[[Path], None]) -> None:
    shop = shelves.workshop(tmp_path)
    put(shop.paths.seconds)
    with pytest.raises(BuildmatrixError, match="is in the way"):
        plan_all(shop)


def test_the_store_makes_it_good(tmp_path: Path, put: Callable[[Path], None]) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "run").write_text("x")
    told: list[str] = []
    store = Store(tmp_path / "store", on_damage=told.append)
    entry = store.add("k" * 64, tree, material={"id": "build:x"}, provenance={})
    put(store.content_path(entry.files[0].sha256))
    with pytest.raises(DamageError, match="was no file and is removed"):
        store.checkout("k" * 64, tmp_path / "out")
    store.add("k" * 64, tree, material={"id": "build:x"}, provenance={})
    (latest,) = (store.root / "latest").iterdir()
    for path in (store.entry_path("k" * 64), latest, store.root / "failures" / f"{'k' * 64}.txt"):
        put(path)
    assert store.failure("k" * 64) is None
    assert store.latest("build:x") is None
    assert store.entry("k" * 64) is None
    assert any("damaged" in sentence for sentence in told)
    put(store.root / "locks" / ("k" * 64))
    with store.lock("k" * 64) as waited:
        assert not waited
        store.add("k" * 64, tree, material={"id": "build:x"}, provenance={})
    store.checkout("k" * 64, tmp_path / "again")
    assert (tmp_path / "again" / "run").read_text() == "x"


def test_among_what_makers_left_it_does_not_stop_the_sweep(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / "left-1")
    (tmp_path / "left-2").write_text("x")
    assert tmp_path / "left-2" in scratch.sweep(tmp_path, now=LATER)
    assert not scratch.is_claimed(tmp_path / "left-1")


def test_a_log_is_written_all_the_same(tmp_path: Path, put: Callable[[Path], None]) -> None:
    todo = job(tmp_path)
    put(todo.log)
    build.run(todo, engine=Scripted(OK, ("one",), "lib/x.so"), on_line=lambda _: None)
    assert todo.log.read_text() == "one\n"


def test_a_board_s_record_is_named_and_its_lock_is_held(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / "board" / "board.json")
    with pytest.raises(BuildmatrixError, match="is in the way"):
        record.read(tmp_path / "board")
    put(tmp_path / ".board.lock")
    with host.locked(tmp_path / ".board.lock"):
        assert (tmp_path / ".board.lock").is_file()


def test_a_file_and_what_is_not_there_are_as_open_has_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert regular.content(tmp_path / "file") == b"x"
    with pytest.raises(FileNotFoundError):
        regular.content(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        regular.content(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"port": 1}', "3", '{"port": 1, "host_key": 2}'])
def test_a_board_s_record_of_another_form_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "board.json").write_text(text)
    assert record.read(tmp_path) is None
