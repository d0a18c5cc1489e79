"""Sources: fetched from the first alternate that answers, verified, kept. Nothing without a hash.

archives/<sha256>       what was downloaded, as it came
trees/<identity>.json   which archive carries a source, and where it came from
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix import loans, scratch
from buildmatrix.cachekey import digest, file_digest
from buildmatrix.entries import SHA256
from buildmatrix.errors import BuildError, DamageError, SourceUnavailable
from buildmatrix.printable import without_credentials
from buildmatrix.recipe import (
    Alternate,
    ArchiveAlternate,
    DebianAlternate,
    FolderAlternate,
    GitAlternate,
    PypiAlternate,
    SourceSpec,
)
from buildmatrix.records import read_record, write_record
from buildmatrix.sources import pypi
from buildmatrix.sources.tree import tree_id
from buildmatrix.state import PASSING_SOURCES
from buildmatrix.usage import note_use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from buildmatrix.protocols import Reporter
    from buildmatrix.remote import Remote


@dataclass(frozen=True)
class Sources:
    """The download cache.

    `mirror` and `index` tell the addresses of the Debian mirror and of the Python index; `folder`
    holds archives and is looked into before anything is downloaded, for machines without a network;
    `network` are the variables that name proxies and certificates. When `stopped` says so, what is
    under way raises KeyboardInterrupt.
    """

    root: Path
    mirror: Callable[[], str]
    index: Callable[[], str]
    reporter: Reporter
    folder: Path | None = None
    network: Mapping[str, str] = field(default_factory=dict)
    stopped: Callable[[], bool] = lambda: False
    remote: Remote | None = None  # a store that machines share, looked into before the network

    def holds(self, identity: str) -> bool:
        held = self._held(identity)
        return bool(held) and self._archive(held).is_file()

    def _held(self, identity: str) -> str:
        """The hash of the archive that is on record for an identity; empty where none is."""
        held = str(read_record(self._record(identity)).get("archive", ""))
        return held if SHA256.fullmatch(held) else ""

    def size(self, identity: str) -> int:
        """Bytes of the archive of a source that is held."""
        return self._archive(self._held(identity)).stat().st_size

    def sweep(self) -> tuple[Path, ...]:
        """Remove what killed downloads left behind; returns what it was."""
        return tuple(
            path
            for folder, pattern in PASSING_SOURCES
            for path in scratch.sweep(self.root / folder, pattern)
        )

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
        if (origin := self._borrowed(source, identity)) is not None:
            return origin
        for alternate in source.alternates:
            try:
                return self._try(source, alternate, identity, base, subject)
            except SourceUnavailable as error:
                said.append(f"  {describe(alternate)}: {error.brief}")
        raise SourceUnavailable(
            f"source '{source.name}' is out of reach",
            details="\n".join(said),
            hint=way_out(source),
        )

    def lend(self, identity: str) -> None:
        """Put a source that is held into the shared store; what is there stays. Raises DamageError
        for an archive that was damaged and is removed."""
        if self.remote is None or loans.offered(self.remote, _shared_key(identity)) is not None:
            return
        archive = self._checked(identity)
        origin = str(read_record(self._record(identity))["origin"])
        loans.lend(
            self.remote,
            _shared_key(identity),
            archive,
            sha256=archive.name,
            material={"source": identity, "origin": origin},
        )

    def _borrowed(self, source: SourceSpec, identity: str) -> str | None:
        """Where the shared store has the source from, once it is copied and checked; None where
        there is none, or not the pinned one."""
        entry = loans.offered(self.remote, _shared_key(identity))
        if self.remote is None or entry is None:
            return None
        (self.root / "archives").mkdir(parents=True, exist_ok=True)
        with scratch.file(self.root, "fetch-") as temporary:
            if not loans.borrow(self.remote, entry, temporary):
                return None
            try:
                if source.tree is None:
                    _check_hash(source, source.alternates[0], temporary)
                _check_tree(source, temporary, where="the shared store")
            except BuildError:
                self.remote.pass_over(entry.key)
                return None
            origin = str(entry.material.get("origin", ""))
            self._keep(identity, temporary, origin)
        return f"the shared store, which has it from {origin}"

    def _keep(self, identity: str, temporary: Path, origin: str) -> None:
        sha256 = file_digest(temporary)
        temporary.replace(self._archive(sha256))
        write_record(self._record(identity), {"archive": sha256, "origin": origin})

    def unpack(self, identity: str, destination: Path) -> None:
        """The source's files in a new folder, from the verified archive."""
        from buildmatrix.sources.archive import unpack  # a plan only asks what is there

        archive = self._checked(identity)
        note_use(archive)
        unpack(archive, destination, on_error=lambda text: BuildError(text, where=str(archive)))

    def verify(self, source: SourceSpec, identity: str) -> None:
        """Read what is held: its hash, and its tree where one is pinned.

        Raises BuildError, or DamageError for an archive that was damaged and is removed.
        """
        _check_tree(source, self._checked(identity), where=source.name)

    def archive(self, source: SourceSpec, identity: str) -> tuple[Path, Alternate]:
        """The verified file of a source that is held, and the alternate it came from."""
        origin = read_record(self._record(identity)).get("origin")
        fitting = (a for a in source.alternates if describe(a) == origin)
        return self._checked(identity), next(fitting, source.alternates[0])

    def _checked(self, identity: str) -> Path:
        held = self._held(identity)
        archive = self._archive(held or "none")
        if not archive.is_file() or file_digest(archive) != held:
            scratch.remove(archive)
            raise DamageError(
                "a cached archive was damaged and is removed",
                where=str(archive),
                hint="run the command again: it is fetched anew",
            )
        return archive

    def _try(
        self, source: SourceSpec, alternate: Alternate, identity: str, base: Path, subject: str
    ) -> str:
        (self.root / "archives").mkdir(parents=True, exist_ok=True)
        with scratch.file(self.root, "fetch-") as temporary:
            self._bring(source, alternate, temporary, base, subject)
            _check_hash(source, alternate, temporary)
            _check_tree(source, temporary, where=describe(alternate))
            origin = describe(alternate)
            self._keep(identity, temporary, origin)
        return origin

    def _bring(
        self, source: SourceSpec, alternate: Alternate, temporary: Path, base: Path, subject: str
    ) -> None:
        """The folder of archives first. What comes from there is checked as a download is; so a
        commit, which only git itself could check, is taken from it where the tree is pinned."""
        from buildmatrix.sources.folder import archive_folder
        from buildmatrix.sources.git import archive_commit

        loose = isinstance(alternate, GitAlternate) and source.tree is None
        if not loose and self._in_folder(file_name(alternate), temporary):
            return
        match alternate:
            case DebianAlternate():
                self._download(self._in_pool(alternate, alternate.file), temporary, subject)
            case PypiAlternate():
                url = pypi.locate(self.index(), alternate.package, alternate.file, self.stopped)
                self._download(url, temporary, subject)
            case ArchiveAlternate():
                self._download(alternate.url, temporary, subject)
            case GitAlternate():
                if alternate.commit is None:
                    raise SourceUnavailable(f"{alternate.branch!r} is not locked to a commit")
                archive_commit(
                    alternate.url, alternate.commit, temporary, self.network, self.stopped
                )
            case FolderAlternate():
                archive_folder(base, alternate.path, temporary)

    def bring_dsc(self, alternate: DebianAlternate, destination: Path, subject: str) -> None:
        """The signed list of a Debian source package, from where its files come from. Raises
        SourceUnavailable."""
        if not self._in_folder(alternate.dsc, destination):
            self._download(self._in_pool(alternate, alternate.dsc), destination, subject)

    def bring_tag(self, alternate: GitAlternate) -> bytes:
        """The tag of a commit as git keeps it; empty where it is a name alone. Raises
        SourceUnavailable."""
        from buildmatrix.sources.git import tag_object

        return tag_object(alternate.url, alternate.tag, self.root, self.network, self.stopped)

    def _in_pool(self, alternate: DebianAlternate, file: str) -> str:
        initial = alternate.package[: 4 if alternate.package.startswith("lib") else 1]
        return f"{self.mirror()}/pool/main/{initial}/{alternate.package}/{file}"

    def _in_folder(self, name: str, temporary: Path) -> bool:
        if not name or self.folder is None or not (self.folder / name).is_file():
            return False
        shutil.copyfile(self.folder / name, temporary)
        return True

    def _download(self, url: str, temporary: Path, subject: str) -> None:
        from buildmatrix.sources.fetch import download

        with temporary.open("wb") as stream:
            download(url, stream, reporter=self.reporter, subject=subject, stopped=self.stopped)

    def _archive(self, sha256: str) -> Path:
        return self.root / "archives" / sha256

    def _record(self, identity: str) -> Path:
        return self.root / "trees" / f"{identity}.json"


def way_out(source: SourceSpec) -> str:
    """What a user can do about a source that no alternate brings."""
    files = [a for a in source.alternates if source.tree or not isinstance(a, GitAlternate)]
    names = " or ".join(dict.fromkeys(filter(None, map(file_name, files))))
    if not names:
        return (
            "where the git host answers, run `inv sources --archives DIR`; with the tree id in the "
            "recipe, `inv build --archives DIR` takes it from there"
        )
    return f"put {names} into a folder and name the folder with --archives, or add an alternate"


def file_name(alternate: Alternate) -> str:
    """What its file is called in a folder of archives; nothing for what is no file."""
    match alternate:
        case DebianAlternate() | PypiAlternate():
            return alternate.file
        case ArchiveAlternate():
            return without_credentials(alternate.url).rsplit("/", 1)[-1]
        case GitAlternate(commit=str() as commit):
            repository = alternate.url.rsplit("/", 1)[-1].removesuffix(".git")
            return f"{repository}-{commit}.tar"
        case _:
            return ""


def describe(alternate: Alternate) -> str:
    """An alternate in a few words. No mirror's name: which one serves it is a local matter; and
    no credentials."""
    match alternate:
        case DebianAlternate():
            return f"Debian source package {alternate.package}, {alternate.file}"
        case PypiAlternate():
            return f"Python package {alternate.package}, {alternate.file}"
        case ArchiveAlternate():
            return without_credentials(alternate.url)
        case GitAlternate():
            return f"{without_credentials(alternate.url)} {alternate.commit or alternate.branch}"
        case FolderAlternate():
            return f"folder {alternate.path}"


def _check_hash(source: SourceSpec, alternate: Alternate, archive: Path) -> None:
    wanted = getattr(alternate, "sha256", None)
    if wanted is None or (got := file_digest(archive)) == wanted:
        return
    where = describe(alternate)
    if source.tree is not None and _tree_of(archive, where=where) == source.tree:
        raise BuildError(
            f"sha256 is {got}, pinned is {wanted}: the pinned files, packed another way",
            where=where,
            hint=f"write sha256: {got} into the recipe; the tree id holds the files themselves",
        )
    raise BuildError(
        f"sha256 is {got}, pinned is {wanted}",
        where=where,
        hint="do not use it; find out why it changed before changing the pin",
    )


def _check_tree(source: SourceSpec, archive: Path, *, where: str) -> None:
    """Alternates must carry the same files: by tree id, not by hope."""
    if source.tree is None:
        return
    got = _tree_of(archive, where=where)
    if got != source.tree:
        raise BuildError(
            f"carries tree {got}, pinned is {source.tree}",
            where=where,
            hint=_OTHER_TREE if source.alternates[0].kind != "folder" else _MOVED,
        )


_OTHER_TREE = "this alternate is another source: remove it, or pin its tree under its own name"
_MOVED = "it is another folder than when the project was read: run the command again"


def _tree_of(archive: Path, *, where: str) -> str:
    """Git's id of the files in an archive. Raises BuildError for one that cannot be unpacked."""
    from buildmatrix.sources.archive import unpack

    with scratch.folder(archive.parent, "tree-") as folder:
        unpack(archive, folder, on_error=lambda text: BuildError(text, where=where))
        return tree_id(folder)


def _shared_key(identity: str) -> str:
    """Under which the shared store has a source."""
    return digest({"version": 1, "source": identity})
