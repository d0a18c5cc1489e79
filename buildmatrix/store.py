"""The store: content-addressed files on disk, entries by cache key.

    objects/ab/cdef…   content by sha256, read-only
    entries/<key>.json what a key holds: files, key material, provenance; sealed by its checksum
    latest/<id>.json   newest key of a work, to say what changed
    failures/<key>.txt how the last attempt at a key ended; remembered, never served
    locks/<key>        one maker per key, across processes
    tmp/               work in progress; anything here is disposable

Written to a temporary file, synced, renamed: a reader sees all of an entry or none of it, whenever
a writer is killed. Content is hashed again whenever it is read. What turns out to be damaged counts
as not stored: it is removed with all entries that hold it, so that the next build makes it anew.

What is not here may lie in a store that machines share (`remote`): it is copied when it is read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from buildmatrix import entries, regular, scratch
from buildmatrix.cachekey import digest
from buildmatrix.errors import BuildmatrixError, DamageError
from buildmatrix.nouns import Entry, FileRecord
from buildmatrix.some import some
from buildmatrix.usage import note_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from buildmatrix.remote import Remote

FEW = 3  # files that one error names


class Store:
    """Safe with many writers. `root` is made when it is missing.

    `on_damage` gets one sentence for each thing that was not what was written.
    """

    def __init__(
        self,
        root: Path,
        on_damage: Callable[[str], None] = lambda _: None,
        remote: Remote | None = None,
    ) -> None:
        self.root = root
        self.remote = remote
        self.on_damage = on_damage
        for name in ("objects", "entries", "latest", "failures", "locks", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)

    # -- reading ---------------------------------------------------------------------------------

    def stored(self) -> frozenset[str]:
        """The keys that have an entry, here or in the shared store."""
        return self.kept() | (self.remote.keys() if self.remote else frozenset())

    def kept(self) -> frozenset[str]:
        """The keys that have an entry on this disk."""
        return frozenset(path.stem for path in (self.root / "entries").glob("*.json"))

    def entry(self, key: str) -> Entry | None:
        """What a key holds, or None. Raises BuildmatrixError for an entry of a newer format."""
        path = self.entry_path(key)
        try:
            entry = entries.read(key, regular.content(path))
        except (FileNotFoundError, NotADirectoryError):
            return self._borrowed(key)
        except (IsADirectoryError, regular.InTheWay):
            entry = None
        except entries.NewerFormat as newer:
            raise BuildmatrixError(
                f"the store holds entries of format {newer}, newer than this program",
                where=str(self.root),
                hint="use the newer buildmatrix, or another folder with --state",
            ) from newer
        entry = entry or self._borrowed(key)
        if entry is None:
            self._forget(path, f"the entry {key[:12]} was damaged")
        return entry

    def _borrowed(self, key: str) -> Entry | None:
        """The entry that the shared store has, kept here from now on; its content comes when it is
        read."""
        data = self.remote.entry(key) if self.remote else None
        if self.remote is None or data is None:
            return None
        try:
            entry = entries.read(key, data)
        except entries.NewerFormat:
            entry = None
        if entry is None:
            self.remote.pass_over(key)
            self.on_damage(f"the entry {key[:12]} of the shared store cannot be read: passed over")
            return None
        self._write(self.entry_path(key), data)
        self._note_latest(entry)
        return entry

    def entries(self) -> Iterator[Entry]:
        """Everything that is on this disk, in the order of the keys."""
        for key in sorted(self.kept()):
            if (entry := self.entry(key)) is not None:
                yield entry

    def contents(self) -> dict[str, Path]:
        """The file of each content that is there, by hash, whether an entry holds it or not."""
        files = sorted((self.root / "objects").glob("*/*"))
        return {path.parent.name + path.name: path for path in files}

    def latest(self, work_id: str) -> Entry | None:
        """The newest entry that was made for a work, under whatever key."""
        try:
            key = regular.content(self.root / "latest" / digest(work_id))
        except (FileNotFoundError, IsADirectoryError, regular.InTheWay):
            return None
        # It only tells what changed: a damaged one is of no account.
        word = key.decode("ascii", "replace")
        return self.entry(word) if word.isalnum() else None

    def latest_of(self, work_ids: Iterable[str]) -> dict[str, Entry]:
        """The newest entry of each work that has one. A work that was never made costs no look."""
        made = {path.name for path in (self.root / "latest").iterdir()}
        entries = ((one, self.latest(one)) for one in work_ids if made and digest(one) in made)
        return {one: entry for one, entry in entries if entry is not None}

    def failure(self, key: str) -> str | None:
        try:
            text = regular.content(self.root / "failures" / f"{key}.txt")
            return text.decode(errors="replace")
        except (FileNotFoundError, IsADirectoryError, regular.InTheWay):
            return None

    def open(self, sha256: str) -> BinaryIO:
        """Content by hash, verified before the first byte is handed out.

        Raises DamageError for content that is not there or not what was written; every entry
        that holds it is forgotten then, so that what it belonged to is made anew.
        """
        content = self._verified(sha256)
        if isinstance(content, str) and self._borrow(sha256):
            content = self._verified(sha256)
        if isinstance(content, str):
            raise self._lost(sha256, content)
        return content

    def _verified(self, sha256: str) -> BinaryIO | str:
        """Content that is on this disk and is what was written, or what is wrong with it."""
        try:
            stream = regular.opened(self.content_path(sha256))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return "is missing"
        except regular.InTheWay:
            return "was no file and is removed"
        if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
            stream.close()
            return "was damaged and is removed"
        stream.seek(0)
        return stream

    def _borrow(self, sha256: str) -> bool:
        """Copy content from the shared store; whether it was there and is what its hash says."""
        if self.remote is None:
            return False
        with scratch.file(self.root / "tmp", "borrowed-") as part:
            whole = self.remote.fetch(sha256, part)
            if whole:
                with part.open("rb") as stream:
                    self._write(self.content_path(sha256), stream, mode=0o444)
        return whole

    def checkout(self, key: str, destination: Path) -> Entry:
        """Copy an entry's tree to a new folder, every file verified on the way."""
        entry = self.entry(key)
        if entry is None:
            raise BuildmatrixError(f"nothing is stored under {key[:12]}", hint="run `inv build`")
        note_use(self.entry_path(key))
        for record in entry.files:
            self._place(record, destination / record.path)
        return entry

    def _place(self, record: FileRecord, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if record.link:
            path.symlink_to(record.link)
            return
        with self.open(record.sha256) as stream, path.open("xb") as copy:
            shutil.copyfileobj(stream, copy)
        path.chmod(0o755 if record.executable else 0o644)

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self,
        key: str,
        tree: Path,
        *,
        material: Mapping[str, object],
        provenance: Mapping[str, object],
    ) -> Entry:
        """Store a folder under a key. The entry appears at once and whole, as the last step."""
        files = tuple(self._take(path, tree) for path in _walk(tree))
        entry = Entry(key, files, material, provenance)
        written = entries.written(entry)
        self._write(self.entry_path(key), written)
        if self.remote is not None:
            self.remote.offer(key, written, self._contents(entry))
        self._note_latest(entry)
        return entry

    def _note_latest(self, entry: Entry) -> None:
        """It is the newest of its work now, and a failure before it is forgotten."""
        if "id" in entry.material:
            latest = self.root / "latest" / digest(entry.material["id"])
            self._write(latest, entry.key.encode())
        (self.root / "failures" / f"{entry.key}.txt").unlink(missing_ok=True)

    def _contents(self, entry: Entry) -> dict[str, Path]:
        """Where the content of each file of an entry lies, by its hash."""
        return {file.sha256: self.content_path(file.sha256) for file in entry.files if file.sha256}

    def lend(self, key: str) -> None:
        """Put what a key holds into the shared store, and wait until it is there."""
        entry = self.entry(key)
        if self.remote is None or entry is None:
            return
        here = {name: path for name, path in self._contents(entry).items() if path.is_file()}
        self.remote.send(key, entries.written(entry), here)

    def remember_failure(self, key: str, text: str) -> None:
        self._write(self.root / "failures" / f"{key}.txt", text.encode())

    def _take(self, path: Path, tree: Path) -> FileRecord:
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            return FileRecord(name, link=str(path.readlink()))
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
        target = self.content_path(sha256)
        if not target.is_file() or target.stat().st_size != size:
            with path.open("rb") as stream:
                self._write(target, stream, mode=0o444)
        return FileRecord(name, sha256, size, executable=bool(path.stat().st_mode & 0o111))

    def _write(self, target: Path, content: bytes | BinaryIO, *, mode: int = 0o644) -> None:
        target.parent.mkdir(exist_ok=True)
        if target.is_dir():
            scratch.remove(target)
        scratch.replace(target, content, through=self.root / "tmp", mode=mode)

    def content_path(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256[2:]

    def entry_path(self, key: str) -> Path:
        return self.root / "entries" / f"{key}.json"

    # -- damage ----------------------------------------------------------------------------------

    def _lost(self, sha256: str, what: str) -> DamageError:
        """The error for content that is gone, once nothing in the store counts on it any more."""
        scratch.remove(self.content_path(sha256))
        held: list[str] = []
        for path in sorted((self.root / "entries").glob("*.json")):
            if path.is_file() and sha256.encode() in (data := path.read_bytes()):
                held.append(_held(path.stem, data, sha256))
                self._forget(path, f"{held[-1]} {what}")
        words = f": {some(held, FEW)}" if held else ""
        return DamageError(
            f"stored content {sha256[:12]} {what}{words}",
            where=str(self.root),
            hint="run `inv build`: what it belonged to is made anew",
        )

    def _forget(self, path: Path, why: str) -> None:
        scratch.remove(path)
        if self.remote is not None:
            self.remote.pass_over(path.stem)
        self.on_damage(f"{why}: it counts as not stored, and is made anew when it is needed")

    # -- many at once ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Hold a key's lock; yields True when it had to be waited for.

        The kernel frees it when the holder dies, however it dies.
        """
        path = self.root / "locks" / key
        scratch.make_way(path)
        with path.open("a") as handle:
            waited = False
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield waited

    @contextlib.contextmanager
    def workspace(self, key: str) -> Iterator[Path]:
        """A folder to make a key in, removed afterwards. Only under the key's lock.

        What a killed maker of the same key left behind is removed first: the lock says it is dead.
        """
        for stale in (self.root / "tmp").glob(f"{key[:16]}-*"):
            scratch.discard(stale)
        with scratch.folder(self.root / "tmp", f"{key[:16]}-") as path:
            yield path

    def sweep(self) -> tuple[Path, ...]:
        """Remove what killed makers left behind; returns what it was."""
        return scratch.sweep(self.root / "tmp")


def _held(key: str, data: bytes, sha256: str) -> str:
    """Which file of which work content is, by the bytes of an entry that holds it."""
    with contextlib.suppress(entries.NewerFormat):
        if entry := entries.read(key, data):
            files = (file.path for file in entry.files if file.sha256 == sha256)
            return f"{next(files, 'content')} of {entry.material.get('id', f'entry {key[:12]}')}"
    return f"content of the entry {key[:12]}"


def _walk(tree: Path) -> Iterator[Path]:
    """Files and symlinks below a folder, sorted; links are not followed."""
    for folder, folders, files in os.walk(tree):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(folder) / name
