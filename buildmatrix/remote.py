"""A store that machines share, behind any address of fsspec's: a folder, or an S3-like server.

    entries/<key>.json   what a key holds, sealed, as the local store writes it
    objects/ab/cdef…     content by its sha256

An entry is written once all of its content is there, so whoever sees it can have all of it; the
same key holds the same, so many may write at once. Nothing that comes from here counts before its
hash was taken. A store that does not answer is told of once and then left alone: builds are slower,
not broken. Credentials are found where fsspec's file systems look for them, never in the address.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from buildmatrix.errors import BuildmatrixError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from fsspec import AbstractFileSystem

Answer = TypeVar("Answer")
LEFT = timedelta(days=1)  # a part of a file that nobody touched since is nobody's


class Remote:
    """The store at an address; with `writes`, what is made here is put there too.

    `tell` gets a sentence for each thing that is not as it should be. Raises UsageError for an
    address that nothing here can read, or one with a password in it.
    """

    def __init__(self, address: str, *, writes: bool, tell: Callable[[str], None]) -> None:
        self.address, self.writes, self.tell = address, writes, tell
        self._files, self._root = _opened(address)
        self._away = False
        self._swept = False
        self._spoilt: set[str] = set()  # keys whose entry or content is not what it should be
        self._sender = ThreadPoolExecutor(1, "shared-store")
        self._sent: list[Future[None]] = []
        self._lock = threading.Lock()
        self._sent_keys: set[str] = set()  # that this program has put there

    # -- reading ---------------------------------------------------------------------------------

    def keys(self) -> frozenset[str]:
        """The keys that have an entry there now; none where it does not answer."""
        names = self._asked(self._listed) or ()
        paths = [PurePosixPath(name) for name in names]
        return frozenset(p.stem for p in paths if p.suffix == ".json") - self._spoilt

    def _listed(self) -> list[str]:
        try:
            return list(self._files.ls(f"{self._root}/entries", detail=False, refresh=True))
        except FileNotFoundError:  # nobody has written yet
            return []

    def entry(self, key: str) -> bytes | None:
        """The entry of a key as it was written; None where there is none."""
        return None if key in self._spoilt else self._asked(lambda: self._read(_entry(key)))

    def _read(self, path: str) -> bytes | None:
        try:
            content: bytes = self._files.cat_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return None
        return content

    def fetch(self, sha256: str, to: Path) -> bool:
        """Copy a content into a file; whether it is there and is what its hash says."""
        return bool(self._asked(lambda: self._fetched(sha256, to)))

    def _fetched(self, sha256: str, to: Path) -> bool:
        try:
            self._files.get_file(f"{self._root}/{_content(sha256)}", str(to))
        except FileNotFoundError:
            return False
        with to.open("rb") as stream:
            is_whole = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
        if not is_whole:
            self.tell(f"{sha256[:12]} of the shared store is not what its name says: passed over")
        return is_whole

    def pass_over(self, key: str) -> None:
        """An entry was of no use: it is not offered again, and replaced once it is made here."""
        self._spoilt.add(key)

    # -- writing ---------------------------------------------------------------------------------

    def offer(self, key: str, entry: bytes, contents: Mapping[str, Path]) -> None:
        """Put an entry there in the background, its content (by hash) first."""
        if self.writes and not self._away:
            anew = key in self._spoilt
            self._sent.append(
                self._sender.submit(
                    self._asked, lambda: self._send(key, entry, contents, anew=anew)
                )
            )

    def send(self, key: str, entry: bytes, contents: Mapping[str, Path]) -> None:
        """Put an entry there now, if it is not there; `answers` says whether that went well."""
        with self._lock:
            known = key in self._sent_keys
        if self.writes and not known:
            self._asked(lambda: self._send(key, entry, contents, anew=key in self._spoilt))

    def _send(self, key: str, entry: bytes, contents: Mapping[str, Path], *, anew: bool) -> None:
        for sha256, path in contents.items():
            if anew or not self._holds(_content(sha256), path.stat().st_size):
                self._put(_content(sha256), path)
        self._put(_entry(key), entry)
        with self._lock:
            self._sent_keys.add(key)

    def _holds(self, path: str, size: int) -> bool:
        """Asked by a listing: an answer to HEAD for what is not there spoils the connection with
        Swift 2.30 (its S3 interface sends the end of a body that such an answer cannot have)."""
        folder, _, _ = path.rpartition("/")
        try:
            rows = self._files.ls(f"{self._root}/{folder}", detail=True, refresh=True)
        except FileNotFoundError:
            return False
        return any(str(row["name"]).endswith(path) and row["size"] == size for row in rows)

    def _put(self, path: str, content: bytes | Path) -> None:
        """All of it or nothing: a server replaces an object at once, a folder needs a renaming."""
        target = f"{self._root}/{path}"
        if "file" not in _protocols(self._files):
            self._write(target, content)
            return
        parts = f"{self._root}/tmp"
        part = f"{parts}/{uuid4().hex}"
        for name in (part, target):
            self._files.makedirs(str(PurePosixPath(name).parent), exist_ok=True)
        self._write(part, content)
        if not self._swept:
            self._sweep(parts, self._files.modified(part))
            self._swept = True
        self._files.mv(part, target)

    def _sweep(self, parts: str, now: datetime) -> None:
        """Remove what writers that were killed left behind, by the clock of the folder's own
        machine: nobody writes at one file for so long."""
        for row in self._files.ls(parts, detail=True):
            with suppress(FileNotFoundError):  # another one put it into its place, or removed it
                if now - self._files.modified(row["name"]) > LEFT:
                    self._files.rm_file(row["name"])

    def _write(self, target: str, content: bytes | Path) -> None:
        if isinstance(content, bytes):
            self._files.pipe_file(target, content)
        else:
            self._files.put_file(str(content), target)

    @property
    def answers(self) -> bool:
        """Whether it has answered so far."""
        return not self._away

    @property
    def on_its_way(self) -> int:
        """How many entries are not there yet."""
        return sum(not one.done() for one in self._sent)

    def settle(self) -> None:
        """Wait until all that was offered is there, or cannot be."""
        for one in self._sent:
            one.result()
        self._sent.clear()

    def drop(self) -> None:
        """Send nothing more of what was offered: it is missing there, and nothing else."""
        self._sender.shutdown(wait=False, cancel_futures=True)

    # -- trouble ---------------------------------------------------------------------------------

    def _asked(self, question: Callable[[], Answer]) -> Answer | None:
        """The answer; None from the first one on that did not come."""
        for last in (False, True):  # a connection that was kept open may be gone by now
            if self._away:
                break
            try:
                return question()
            except Exception as failure:  # noqa: BLE001 - each file system has errors of its own
                if last:
                    self._leave(failure)
        return None

    def _leave(self, failure: Exception) -> None:
        with self._lock:
            if not self._away:
                self._away = True
                self.tell(_gone(self.address, failure))


def _gone(address: str, failure: Exception) -> str:
    words = str(failure).strip().splitlines()
    reason = words[0][:200] if words else type(failure).__name__
    return f"the shared store {address} is left alone, because it fails: {reason}"


def _entry(key: str) -> str:
    return f"entries/{key}.json"


def _content(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256[2:]}"


def _protocols(files: AbstractFileSystem) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    from fsspec.core import url_to_fs

    if "@" in urlsplit(address).netloc:
        raise UsageError(
            "the address of the shared store has credentials in it",
            hint="put them where its programs look for them: ~/.aws, AWS_ACCESS_KEY_ID",
        )
    try:
        files, root = url_to_fs(address)
    except ImportError as absent:
        raise BuildmatrixError(
            f"the shared store {address} cannot be read: {absent}",
            hint="pip install 'buildmatrix[s3]'",
        ) from absent
    except ValueError as fault:
        raise UsageError(
            f"the shared store {address}: {fault}", hint="s3://BUCKET/PATH, or a folder"
        ) from fault
    return files, str(root).rstrip("/")
