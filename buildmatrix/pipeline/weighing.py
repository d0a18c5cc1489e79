"""What a state folder keeps that may be made again: how much it weighs, and who needs it.

Results, nights, host keys and virtual boards themselves are no part of it: nobody can make those
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import images
from buildmatrix.garbage import Item, Kind
from buildmatrix.nouns import Stage
from buildmatrix.pinned import identify
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.recipe import SourceSpec
from buildmatrix.records import read_record
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.toolchain import Toolchain
from buildmatrix.usage import last_use, weight
from buildmatrix.virtual import cache, container, sharing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from buildmatrix.nouns import Entry
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Engine

PREFIX = "buildmatrix/"  # of every image that this program makes


def weighed(workshop: Workshop, engine: Engine | None = None) -> tuple[Item, ...]:
    """All of it, for the whole matrix as it stands now; images of the engine where one is given."""
    keys = frozenset(action.key for action in plan_all(workshop))
    items = [*_stored(workshop, keys), *_downloads(workshop), *_ccaches(workshop)]
    items += [*_logs(workshop, keys), *_layers(workshop), *_boards(workshop)]
    if engine is not None:
        items += _images(workshop, engine)
    return tuple(items)


def _stored(workshop: Workshop, keys: frozenset[str]) -> Iterator[Item]:
    """Entries by key, and content that none holds; `keys` are those of the plan.

    Content that several entries share weighs in the one that stays longest, so that what goes
    first is as heavy as what its going frees.
    """
    store = workshop.store
    entries = tuple(store.entries())
    used = {entry.key: last_use(store.entry_path(entry.key)) for entry in entries}
    # The newest of a work tells what changed, and is what an edit that is taken back goes back to.
    latest = store.latest_of(work.id for work in workshop.project.graph).values()
    needed = keys.union(entry.key for entry in latest)
    stays: dict[str, Entry] = {}  # by hash of content
    for entry in sorted(entries, key=lambda one: (one.key in needed, used[one.key])):
        stays |= dict.fromkeys(_content(entry), entry)
    for entry in entries:
        content = (size for sha, size in _content(entry).items() if stays[sha] is entry)
        yield Item(
            Kind.STORED,
            entry.key,
            str(entry.material.get("id", entry.key)),
            sum(content) + weight(store.entry_path(entry.key))[0],
            used[entry.key],
            needed=entry.key in needed,
        )
    for sha256, path in store.contents().items():
        if sha256 not in stays:
            title = "content of a work that is gone"
            yield Item(Kind.STORED, str(path), title, *weight(path), needed=False)


def _content(entry: Entry) -> Mapping[str, int]:
    """Size by hash of the files of an entry."""
    return {record.sha256: record.size for record in entry.files if record.sha256}


def _downloads(workshop: Workshop) -> Iterator[Item]:
    """Archives by hash, each with where it came from."""
    folder = workshop.paths.sources
    records = {path.stem: read_record(path) for path in sorted((folder / "trees").glob("*.json"))}
    origins = {str(record.get("archive")): str(record.get("origin")) for record in records.values()}
    sources = (work.subject for work in workshop.project.graph if work.stage is Stage.SOURCE)
    wanted = {identify(source) for source in sources if isinstance(source, SourceSpec)}
    needed = {str(records[name].get("archive")) for name in wanted if name in records}
    for path in sorted((folder / "archives").glob("*")):
        title = origins.get(path.name, "an archive that no source names")
        yield Item(Kind.DOWNLOAD, str(path), title, *weight(path), needed=path.name in needed)


def _ccaches(workshop: Workshop) -> Iterator[Item]:
    made = {
        workshop.paths.ccache(work.subject.recipe.name, work.toolchain)
        for work in workshop.project.graph
        if isinstance(work.subject, ResolvedBuild)
    }
    for path in sorted(workshop.paths.ccaches.glob("*/")):
        yield Item(Kind.COMPILER_CACHE, str(path), path.name, *weight(path), needed=path in made)


def _logs(workshop: Workshop, keys: frozenset[str]) -> Iterator[Item]:
    """What containers printed, and how builds of these keys or others ended that failed."""
    works = tuple(workshop.project.graph)
    needed = {workshop.log_path(work) for work in works}
    for path in sorted(workshop.paths.logs.glob("*/*.log")):
        title = f"{path.parent.name}/{path.stem}"
        yield Item(Kind.LOG, str(path), title, *weight(path), needed=path in needed)
    for path in sorted(workshop.paths.store.glob("failures/*.txt")):
        title = f"how {path.stem[:12]} failed"
        yield Item(Kind.LOG, str(path), title, *weight(path), needed=path.stem in keys)


def _layers(workshop: Workshop) -> Iterator[Item]:
    """What was read from models' files. Reading it again takes seconds: only use keeps it."""
    for path in sorted(workshop.paths.networks.glob("*.json")):
        yield Item(Kind.LAYERS, str(path), path.stem[:12], *weight(path), needed=False)


def _boards(workshop: Workshop) -> Iterator[Item]:
    """What virtual boards are made from; those that are there keep theirs."""
    needed = sharing.needed(workshop.state)
    for path in cache.directories(sharing.shelf_of(workshop.state)):
        yield Item(Kind.BOARD, str(path), path.name, *weight(path), needed=path.name in needed)


def _images(workshop: Workshop, engine: Engine) -> Iterator[Item]:
    """Images by tag. What they were last of use for is not known: they are as old as made."""
    toolchains = [one.subject for one in workshop.project.graph if one.stage is Stage.IMAGE]
    needed = set()
    for toolchain in toolchains:
        if isinstance(toolchain, Toolchain):
            needed |= {images.tag_of(toolchain), images.base_tag(toolchain.spec.suite)}
    own = container.repository(sharing.shelf_of(workshop.state))
    for image in engine.images(PREFIX):
        is_needed = image.tag in needed or image.tag.partition(":")[0] == own
        yield Item(Kind.IMAGE, image.tag, image.tag, image.size, image.made, needed=is_needed)
