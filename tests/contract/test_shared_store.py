"""A store that machines share: what one made another has, and nothing that is not what it says.

The same cases on a folder, on fsspec's file system in memory, and on a real S3 server.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import fsspec
import pytest
from s3fs import S3FileSystem

from buildmatrix.errors import DamageError, UsageError
from buildmatrix.remote import Remote
from buildmatrix.store import Store
from tests.swift import Swift, swift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from buildmatrix.nouns import Entry

KEY = "ab" * 32
MATERIAL = {"id": "build:x"}
NUMBERS = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    """A real S3 server, with one bucket."""
    folder = tmp_path_factory.mktemp("swift")
    with swift(folder) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("bucket")
        yield running


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.nightly)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nobody has written yet: a folder, or objects without folders or renaming."""
    match request.param:
        case "folder":
            return str(tmp_path / "shared")
        case "memory":
            return f"memory://{next(NUMBERS)}"
        case _:
            request.getfixturevalue("server")
            return f"s3://bucket/{next(NUMBERS)}"


class Machine:
    """A state folder of its own, and what it was told."""

    def __init__(self, root: Path, address: str, *, writes: bool = True) -> None:
        self.told: list[str] = []
        self.remote = Remote(address, writes=writes, tell=self.told.append)
        self.store = Store(root, self.told.append, self.remote)

    def make(self, tree: Path, key: str = KEY) -> Entry:
        entry = self.store.add(key, tree, material=MATERIAL, provenance={})
        self.remote.settle()
        return entry


@pytest.fixture
def machine(tmp_path: Path, address: str) -> Callable[..., Machine]:
    return lambda name, **more: Machine(tmp_path / name, more.pop("address", address), **more)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "lib").mkdir(parents=True)
    (root / "lib" / "x.so").write_bytes(b"x" * 3_000_000)
    (root / "lib" / "y.so").symlink_to("x.so")
    return root


def spoil(address: str, part: str, content: bytes | None) -> None:
    """Change every file of a part of the shared store; None: remove it."""
    files, root = fsspec.core.url_to_fs(address)
    for path in files.find(f"{root}/{part}"):
        files.rm_file(path) if content is None else files.pipe_file(path, content)


def test_what_one_machine_made_another_has(
    machine: Callable[..., Machine], tree: Path, tmp_path: Path
) -> None:
    made = machine("one").make(tree)
    two = machine("two")
    assert two.store.stored() == {KEY}
    assert two.store.entry(KEY) == made
    two.store.checkout(KEY, tmp_path / "out")
    assert (tmp_path / "out" / "lib" / "y.so").read_bytes() == b"x" * 3_000_000
    assert two.store.kept() == {KEY}
    assert two.told == []
    assert not list((tmp_path / "two" / "tmp").iterdir())


def test_a_machine_that_only_reads_puts_nothing_there(
    machine: Callable[..., Machine], tree: Path
) -> None:
    machine("laptop", writes=False).make(tree)
    assert machine("two").store.stored() == frozenset()


@pytest.mark.parametrize("content", [b"y" * 3_000_000, b"", None])
def test_content_that_is_not_what_its_name_says_is_never_served(
    machine: Callable[..., Machine], address: str, tree: Path, tmp_path: Path, content: bytes | None
) -> None:
    machine("one").make(tree)
    spoil(address, "objects", content)
    two = machine("two")
    assert two.store.entry(KEY) is not None
    with pytest.raises(DamageError):
        two.store.checkout(KEY, tmp_path / "out")
    assert two.store.stored() == frozenset(), "it would be taken again, and never made"
    two.make(tree)
    assert machine("three").store.checkout(KEY, tmp_path / "mended").key == KEY


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": 9, "key": "x"}'])
def test_an_entry_that_cannot_be_read_counts_as_not_there(
    machine: Callable[..., Machine], address: str, tree: Path, content: bytes
) -> None:
    machine("one").make(tree)
    spoil(address, "entries", content)
    two = machine("two")
    assert two.store.entry(KEY) is None
    assert two.store.stored() == frozenset()
    assert "cannot be read: passed over" in two.told[0]


def test_what_this_disk_changed_comes_back_from_there(
    machine: Callable[..., Machine], tree: Path, tmp_path: Path
) -> None:
    one = machine("one")
    (record, *_) = [file for file in one.make(tree).files if file.sha256]
    path = one.store.content_path(record.sha256)
    path.chmod(0o644)
    path.write_bytes(b"z")
    one.store.entry_path(KEY).write_bytes(b"torn")
    one.store.checkout(KEY, tmp_path / "out")
    assert (tmp_path / "out" / "lib" / "x.so").read_bytes() == b"x" * 3_000_000


def test_a_store_that_cannot_be_reached_is_told_of_once_and_left_alone(
    tmp_path: Path, tree: Path
) -> None:
    (tmp_path / "shared").write_text("a file, where a folder should be")
    one = Machine(tmp_path / "one", str(tmp_path / "shared"))
    assert one.store.stored() == frozenset()
    one.make(tree)
    one.make(tree, "cd" * 32)
    assert one.store.stored() == {KEY, "cd" * 32}
    assert len(one.told) == 1
    assert "is left alone, because it fails" in one.told[0]


@pytest.mark.parametrize("address", ["s3://key:secret@bucket/x", "nothing://x"])
def test_an_address_that_will_not_do_is_refused_without_repeating_a_secret(address: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Remote(address, writes=True, tell=print)
    assert "secret" not in str(refusal.value)


@pytest.mark.nightly
def test_without_the_right_password_a_build_goes_on_alone(
    server: Swift, tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the one")
    S3FileSystem.clear_instance_cache()  # one is kept for the life of a process
    one = Machine(tmp_path / "one", "s3://bucket/closed")
    S3FileSystem.clear_instance_cache()
    one.make(tree)
    assert one.store.stored() == {KEY}
    assert "is left alone, because it fails" in one.told[0]
    assert "not the one" not in "".join(one.told)


@pytest.mark.nightly
def test_two_machines_that_make_the_same_at_once_leave_it_whole(
    address: str, tmp_path: Path, tree: Path
) -> None:
    machines = [Machine(tmp_path / str(number), address) for number in range(4)]
    with ThreadPoolExecutor(4) as together:
        keys = [f"{number:02x}" * 32 for number in range(8)]
        list(together.map(lambda one: [one.make(tree, key) for key in keys], machines))
    last = Machine(tmp_path / "last", address)
    assert last.store.stored() == {*keys}
    for key in keys:
        last.store.checkout(key, tmp_path / "out" / key)
