"""Sources: fetched from the first alternate that answers, verified, kept. Nothing without a hash.

archives/<sha256>       what was downloaded, as it came
trees/<identity>.json   which archive carries a source, and where it came from
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildError, SourceUnavailable
from buildmatrix.recipe import (
    Alternate,
    ArchiveAlternate,
    DebianAlternate,
    FolderAlternate,
    GitAlternate,
    PypiAlternate,
    SourceSpec,
)
from buildmatrix.sources import pypi
from buildmatrix.sources.archive import unpack
from buildmatrix.sources.fetch import archive_commit, archive_folder, download
from buildmatrix.sources.tree import tree_id
from buildmatrix.store import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from buildmatrix.protocols import Reporter


@dataclass(frozen=True)
class Sources:
    """The download cache.

    `mirror` and `index` tell the addresses of the Debian mirror and of the Python index; `folder`
    holds archives and is looked into before anything is downloaded, for machines without a network.
    """

    root: Path
    mirror: Callable[[], str]
    index: Callable[[], str]
    reporter: Reporter
    folder: Path | None = None

    def holds(self, identity: str) -> bool:
        record = read_json(self._record(identity))
        return bool(record) and self._archive(str(record["archive"])).exists()

    def held(self) -> frozenset[str]:
        """Identities of everything in the cache."""
        return frozenset(
            path.stem for path in (self.root / "trees").glob("*.json") if self.holds(path.stem)
        )

    def fetch(self, source: SourceSpec, identity: str, *, base: Path, subject: str) -> str:
        """Make sure that a source is in the cache; returns where it came from.

        Raises SourceUnavailable when no alternate can be had, BuildError when what came is not
        what is pinned (then nothing is kept).
        """
        said: list[str] = []
        for alternate in source.alternates:
            try:
                return self._try(source, alternate, identity, base, subject)
            except SourceUnavailable as error:
                said.append(f"  {describe(alternate)}: {error.brief}")
        raise SourceUnavailable(
            f"source '{source.name}' is out of reach",
            details="\n".join(said),
            hint=_way_out(source),
        )

    def unpack(self, identity: str, destination: Path) -> None:
        """The source's files in a new folder, from the verified archive."""
        record = read_json(self._record(identity))
        archive = self._archive(str(record["archive"]))
        if _sha256(archive) != record["archive"]:
            archive.unlink()
            raise BuildError(
                "a cached archive was damaged and is removed", where=str(archive),
                hint="run the command again: it is fetched anew",
            )  # fmt: skip
        unpack(archive, destination, on_error=lambda text: BuildError(text, where=str(archive)))

    def _try(
        self, source: SourceSpec, alternate: Alternate, identity: str, base: Path, subject: str
    ) -> str:
        (self.root / "archives").mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.root, prefix="fetch-")
        os.close(handle)
        temporary = Path(name)
        try:
            self._bring(alternate, temporary, base, subject)
            _check_hash(alternate, temporary)
            _check_tree(source, alternate, temporary)
            sha256 = _sha256(temporary)
            temporary.replace(self._archive(sha256))
        finally:
            temporary.unlink(missing_ok=True)
        origin = describe(alternate)
        write_json(self._record(identity), {"archive": sha256, "origin": origin})
        return origin

    def _bring(self, alternate: Alternate, temporary: Path, base: Path, subject: str) -> None:
        match alternate:
            case DebianAlternate():
                self._download(lambda: self._in_pool(alternate), alternate.file, temporary, subject)
            case PypiAlternate():
                self._download(
                    lambda: pypi.locate(self.index(), alternate.package, alternate.file),
                    alternate.file, temporary, subject,
                )  # fmt: skip
            case ArchiveAlternate():
                self._download(lambda: alternate.url, file_name(alternate), temporary, subject)
            case GitAlternate():
                if alternate.commit is None:
                    raise SourceUnavailable(f"{alternate.branch!r} is not locked to a commit")
                archive_commit(alternate.url, alternate.commit, temporary)
            case FolderAlternate():
                archive_folder(base / alternate.path, temporary)

    def _in_pool(self, alternate: DebianAlternate) -> str:
        initial = alternate.package[: 4 if alternate.package.startswith("lib") else 1]
        return f"{self.mirror()}/pool/main/{initial}/{alternate.package}/{alternate.file}"

    def _download(
        self, locate: Callable[[], str], name: str, temporary: Path, subject: str
    ) -> None:
        """`locate` is asked only when the file does not lie in the folder."""
        if self.folder is not None and (self.folder / name).is_file():
            shutil.copyfile(self.folder / name, temporary)
            return
        with temporary.open("wb") as stream:
            download(locate(), stream, reporter=self.reporter, subject=subject)

    def _archive(self, sha256: str) -> Path:
        return self.root / "archives" / sha256

    def _record(self, identity: str) -> Path:
        return self.root / "trees" / f"{identity}.json"


def _way_out(source: SourceSpec) -> str:
    names = " or ".join(filter(None, map(file_name, source.alternates)))
    if not names:
        return "build once where the git host answers, or add an alternate and its tree id"
    return f"put {names} into a folder and name the folder with --mirror, or add an alternate"


def file_name(alternate: Alternate) -> str:
    """What its file is called in a folder of archives; nothing for what is no file."""
    match alternate:
        case DebianAlternate() | PypiAlternate():
            return alternate.file
        case ArchiveAlternate():
            return alternate.url.rsplit("/", 1)[-1]
        case _:
            return ""


def describe(alternate: Alternate) -> str:
    """An alternate in a few words. No mirror's name: which one serves it is a local matter."""
    match alternate:
        case DebianAlternate():
            return f"Debian source package {alternate.package}, {alternate.file}"
        case PypiAlternate():
            return f"Python package {alternate.package}, {alternate.file}"
        case ArchiveAlternate():
            return alternate.url
        case GitAlternate():
            return f"{alternate.url} {alternate.commit or alternate.branch}"
        case FolderAlternate():
            return f"folder {alternate.path}"


def _check_hash(alternate: Alternate, archive: Path) -> None:
    wanted = getattr(alternate, "sha256", None)
    if wanted is not None and (got := _sha256(archive)) != wanted:
        raise BuildError(
            f"sha256 is {got}, pinned is {wanted}", where=describe(alternate),
            hint="do not use it; find out why it changed before changing the pin",
        )  # fmt: skip


def _check_tree(source: SourceSpec, alternate: Alternate, archive: Path) -> None:
    """Alternates must carry the same files: by tree id, not by hope."""
    if source.tree is None:
        return
    where = describe(alternate)
    with tempfile.TemporaryDirectory(prefix="tree-", dir=archive.parent) as folder:
        unpack(archive, Path(folder), on_error=lambda text: BuildError(text, where=where))
        got = tree_id(Path(folder))
    if got != source.tree:
        raise BuildError(
            f"carries tree {got}, pinned is {source.tree}", where=where,
            hint="this alternate is another source: remove it, or pin its tree under its own name",
        )  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
