"""Which files of a source are others than they were, where both of its trees are still here."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError
from buildmatrix.nouns import Stage
from buildmatrix.pinned import identify
from buildmatrix.recipe import FolderAlternate, SourceSpec
from buildmatrix.some import some
from buildmatrix.works import work_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.works import Work

FEW = 5  # files that are named
LARGEST = 16 << 20  # bytes of an archive that is unpacked only to say what is in it


@dataclass(frozen=True)
class Differing:
    """Tells of each source once, however many works need it."""

    workshop: Workshop
    known: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def __call__(self, work: Work, former: str) -> tuple[str, ...]:
        """The first files that were added, removed or changed between the source that was needed
        under the id `former` and the present one; none where one of them is not here any more."""
        if (work.id, former) not in self.known:
            self.known[work.id, former] = self._compared(work, former)
        return self.known[work.id, former]

    def _compared(self, work: Work, former: str) -> tuple[str, ...]:
        source = work.subject
        assert isinstance(source, SourceSpec)
        short = former.removeprefix(work_id(Stage.SOURCE, f"{source.name}-"))
        kept = [one for one in self.workshop.sources.held() if one.startswith(short)]
        if len(kept) != 1:
            return ()
        try:
            with tempfile.TemporaryDirectory(prefix="buildmatrix-why-") as folder:
                before, after = Path(folder, "before"), Path(folder, "after")
                if _laid_out(self.workshop, kept[0], before) and _now(self.workshop, source, after):
                    return _told(_files(before), _files(after))
        except (BuildmatrixError, OSError):
            pass  # it only tells more
        return ()


def _laid_out(workshop: Workshop, identity: str, destination: Path) -> bool:
    if workshop.sources.size(identity) > LARGEST:
        return False
    workshop.sources.unpack(identity, destination)
    return True


def _now(workshop: Workshop, source: SourceSpec, destination: Path) -> bool:
    """Lay out the present source: out of the cache, or as its folder is."""
    from buildmatrix.sources.archive import unpack
    from buildmatrix.sources.folder import archive_folder

    first = source.alternates[0]
    if workshop.sources.holds(identify(source)):
        return _laid_out(workshop, identify(source), destination)
    if not isinstance(first, FolderAlternate):
        return False
    packed = destination.with_suffix(".tar")
    archive_folder(workshop.project.root, first.path, packed)
    if packed.stat().st_size > LARGEST:
        return False
    unpack(packed, destination, on_error=BuildmatrixError)
    return True


def _files(folder: Path) -> Mapping[str, str]:
    """What each file and link below a folder is, by its path there."""
    return {
        path.relative_to(folder).as_posix(): _content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"to {path.readlink()}"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"{digest} {path.stat().st_mode & 0o100}"


def _told(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """One line for what was done to files, and which: the first few of each."""
    done = {
        "changed": [name for name in before if name in after and after[name] != before[name]],
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
    }
    return tuple(f"  {word}: {some(names, FEW)}" for word, names in done.items() if names)
