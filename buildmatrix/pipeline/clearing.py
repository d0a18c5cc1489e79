"""`inv gc`: what is of no use any more goes, while nobody else is at work in the state folder."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.garbage import Item, Kind, garbage
from buildmatrix.pipeline.weighing import weighed
from buildmatrix.virtual import cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.documents.clearing import GarbageRow, Gc, KindRow
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Engine
    from buildmatrix.store import Store


def clear(
    workshop: Workshop,
    *,
    unused_days: float,
    at_most: int | None,
    engine: Engine | None,
    dry_run: bool,
) -> Gc:
    """Weigh what is kept, and remove what `garbage` says of it, unless it is a dry run.

    The engine's images are looked at where an engine is given. Raises BuildmatrixError while
    another command is at work with the state folder.
    """
    if not dry_run:
        workshop.presence.be_alone()
        workshop.sweep()
    items = weighed(workshop, engine)
    going = garbage(items, now=time.time(), unused_days=unused_days, at_most=at_most)
    gone = going if dry_run else tuple(_removed(workshop, going, engine))
    return {
        "version": 1,
        "dry_run": dry_run,
        "kinds": [_kind(kind, items, gone) for kind in Kind],
        "removed": [_row(one) for one in sorted(gone, key=lambda one: -one.size)],
        "busy": [_row(one) for one in going if one not in gone],
    }


def _removed(workshop: Workshop, going: Sequence[Item], engine: Engine | None) -> Iterable[Item]:
    """Remove these; what is in use after all stays. Yields what is gone."""
    keys = {one.name for one in going if one.kind is Kind.STORED}
    discard(workshop.store, keys)
    for one in going:
        match one.kind:
            case Kind.STORED:
                gone = True
            case Kind.IMAGE:
                gone = engine is not None and engine.remove_image(one.name)
            case Kind.BOARD:
                gone = cache.discard(Path(one.name), wait=False)
            case Kind.COMPILER_CACHE:
                shutil.rmtree(one.name, ignore_errors=True)
                gone = not Path(one.name).exists()
            case _:
                scratch.remove(Path(one.name))
                gone = True
        if gone:
            yield one


def discard(store: Store, keys: Iterable[str]) -> None:
    """Remove entries, then all content that no entry holds any more: killed in between, content is
    left that the next call removes, never an entry without its content. Nobody else may be at work
    with the store."""
    for key in keys:
        scratch.remove(store.entry_path(key))
    stored = store.kept()
    for pointer in sorted((store.root / "latest").iterdir()):
        if pointer.is_file() and pointer.read_text(errors="replace") not in stored:
            pointer.unlink()
    for lock in sorted((store.root / "locks").iterdir()):
        if lock.is_file() and lock.name not in stored:
            lock.unlink()
    held = {record.sha256 for entry in store.entries() for record in entry.files}
    for sha256, path in store.contents().items():
        if sha256 not in held:
            scratch.remove(path)


def _kind(kind: Kind, items: Sequence[Item], gone: Sequence[Item]) -> KindRow:
    def total(some: Iterable[Item]) -> tuple[int, int]:
        ones = [one for one in some if one.kind is kind]
        return len(ones), sum(one.size for one in ones)

    (count, size), (needed, needed_size), (removed, removed_size) = (
        total(items),
        total(one for one in items if one.needed),
        total(gone),
    )
    return {
        "kind": kind.value,
        "count": count,
        "bytes": size,
        "needed": needed,
        "needed_bytes": needed_size,
        "removed": removed,
        "removed_bytes": removed_size,
    }


def _row(one: Item) -> GarbageRow:
    return {
        "kind": one.kind.value,
        "title": one.title,
        "name": one.name,
        "bytes": one.size,
        "last_used": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.used)),
    }
