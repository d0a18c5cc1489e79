"""The store: content-addressed files on disk, entries by cache key.

    objects/ab/cdef…   content by sha256, read-only
    entries/<key>.json what a key holds: files, key material, provenance
    latest/<id>.json   newest key of a work, to say what changed
    failures/<key>.txt how the last attempt at a key ended; remembered, never served
    locks/<key>        one maker per key, across processes
    tmp/               work in progress; anything here is disposable

Written to a temporary file, synced, renamed: a reader sees all of an entry or none of it, whenever
a writer is killed. Content is hashed again whenever it is read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from buildmatrix.cachekey import digest
from buildmatrix.errors import BuildmatrixError
from buildmatrix.nouns import Entry, FileRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = 1


class Store:
    """Safe with many writers. `root` is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("objects", "entries", "latest", "failures", "locks", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)

    # -- reading ---------------------------------------------------------------------------------

    def stored(self) -> frozenset[str]:
        return frozenset(path.stem for path in (self.root / "entries").glob("*.json"))

    def entry(self, key: str) -> Entry | None:
        """What a key holds, or None. Raises BuildmatrixError for an entry of a newer format."""
        try:
            written = json.loads((self.root / "entries" / f"{key}.json").read_text())
        except FileNotFoundError:
            return None
        if written["version"] > FORMAT:
            raise BuildmatrixError(
                f"the store holds entries of format {written['version']}, newer than this program",
                where=str(self.root),
                hint="use the newer buildmatrix, or another --store",
            )
        files = tuple(FileRecord(**record) for record in written["files"])
        return Entry(key, files, written["material"], written["provenance"])

    def latest(self, work_id: str) -> Entry | None:
        """The newest entry that was made for a work, under whatever key."""
        try:
            key = (self.root / "latest" / digest(work_id)).read_text()
        except FileNotFoundError:
            return None
        return self.entry(key)

    def failure(self, key: str) -> str | None:
        try:
            return (self.root / "failures" / f"{key}.txt").read_text()
        except FileNotFoundError:
            return None

    def open(self, sha256: str) -> BinaryIO:
        """Content by hash, verified before the first byte is handed out."""
        path = self._object(sha256)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise self._damaged(sha256, "is missing") from None
        if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
            stream.close()
            path.unlink(missing_ok=True)
            raise self._damaged(sha256, "was damaged and is removed")
        stream.seek(0)
        return stream

    def checkout(self, key: str, destination: Path) -> Entry:
        """Copy an entry's tree to a new folder, every file verified on the way."""
        entry = self.entry(key)
        if entry is None:
            raise BuildmatrixError(f"nothing is stored under {key[:12]}", hint="run `inv build`")
        try:
            for record in entry.files:
                self._place(record, destination / record.path)
        except BuildmatrixError:
            # Without all of its content an entry is a lie: forget it, so that it is made again.
            (self.root / "entries" / f"{key}.json").unlink(missing_ok=True)
            raise
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
        written = {"version": FORMAT, **asdict(entry)}
        self._write(self.root / "entries" / f"{key}.json", json.dumps(written, indent=1).encode())
        if "id" in material:
            self._write(self.root / "latest" / digest(material["id"]), key.encode())
        (self.root / "failures" / f"{key}.txt").unlink(missing_ok=True)
        return entry

    def remember_failure(self, key: str, text: str) -> None:
        self._write(self.root / "failures" / f"{key}.txt", text.encode())

    def _take(self, path: Path, tree: Path) -> FileRecord:
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            return FileRecord(name, link=str(path.readlink()))
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
        target = self._object(sha256)
        if not target.exists() or target.stat().st_size != size:
            with path.open("rb") as stream:
                self._write(target, stream, mode=0o444)
        return FileRecord(name, sha256, size, executable=bool(path.stat().st_mode & 0o111))

    def _write(self, target: Path, content: bytes | BinaryIO, *, mode: int = 0o644) -> None:
        target.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.root / "tmp")
        with os.fdopen(handle, "wb") as temporary:
            if isinstance(content, bytes):
                temporary.write(content)
            else:
                shutil.copyfileobj(content, temporary)
            os.fchmod(temporary.fileno(), mode)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(name).replace(target)
        _sync_folder(target.parent)

    def _object(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256[2:]

    def _damaged(self, sha256: str, what: str) -> BuildmatrixError:
        return BuildmatrixError(
            f"stored content {sha256[:12]} {what}",
            where=str(self.root),
            hint="run the command again: what it belonged to is made anew",
        )

    # -- many at once ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Hold a key's lock; yields True when it had to be waited for.

        The kernel frees it when the holder dies, however it dies.
        """
        with (self.root / "locks" / key).open("a") as handle:
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
            shutil.rmtree(stale, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{key[:16]}-", dir=self.root / "tmp"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from disk; empty when there is none or it is not whole."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Replace a small JSON file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w") as temporary:
        json.dump(value, temporary, indent=1, sort_keys=True)
        temporary.flush()
        os.fsync(temporary.fileno())
    Path(name).replace(path)


def _walk(tree: Path) -> Iterator[Path]:
    """Files and symlinks below a folder, sorted; links are not followed."""
    for folder, folders, files in os.walk(tree):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(folder) / name


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
