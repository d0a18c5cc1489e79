"""Whether a work makes the same bytes again: in another folder, by more processes, uncached."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from buildmatrix import scratch
from buildmatrix.elf.difference import first_difference
from buildmatrix.errors import BuildmatrixError
from buildmatrix.nouns import Entry, FileRecord, Stage
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.protocols import Finished, Started
from buildmatrix.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.pipeline.workshop import Workshop

MADE = (Stage.BUILD, Stage.RUNNER, Stage.MODEL, Stage.BUNDLE)  # audits say what they read
REPORT_BYTES = 200_000  # of diffoscope, for one file


@dataclass(frozen=True, slots=True)
class Reproduction:
    """One work made again beside what is stored of it."""

    id: str
    files: int  # stored
    differing: tuple[str, ...]  # paths of files that differ, or that only one of the two has
    difference: str  # of the first of these; or why it could not be made again
    report: str = ""  # path of diffoscope's report on it, where diffoscope is installed

    @property
    def is_same(self) -> bool:
        return not self.difference


def reproduce_all(workshop: Workshop) -> tuple[Reproduction, ...]:
    """Make all that is stored of the selected cells once more and compare, in the plan's order.

    Nothing of it is kept but logs and reports.
    """
    actions = plan_all(workshop)
    keys = {action.id: action.key for action in actions}
    wanted = [a.id for a in actions if a.stage in MADE and not a.verb.makes and keys[a.id]]
    entries = ((name, workshop.store.entry(keys[name])) for name in wanted)
    return tuple(_reproduced(workshop, n, entry, keys) for n, entry in entries if entry is not None)


def _reproduced(workshop: Workshop, name: str, entry: Entry, keys: dict[str, str]) -> Reproduction:
    workshop.reporter.emit(Started(name, "made again, to be compared"))
    started = time.monotonic()
    with scratch.folder(workshop.store.root / "tmp", "twice-") as folder:
        try:
            tree = workshop.again(workshop.project.graph.by_id[name], keys, folder)
        except BuildmatrixError as failure:
            result = Reproduction(name, len(entry.files), (), f"not made again: {failure}")
        else:
            aside = Store(folder / "store")
            again = aside.add(entry.key, tree, material=entry.material, provenance={})
            result = _compared(workshop, name, entry, aside, again)
    state: Literal["done", "failed"] = "done" if result.is_same else "failed"
    seconds = time.monotonic() - started
    workshop.reporter.emit(Finished(name, state, seconds, result.difference or "the same bytes"))
    return result


def _compared(
    workshop: Workshop, name: str, entry: Entry, aside: Store, again: Entry
) -> Reproduction:
    mine, theirs = ({one.path: one for one in made.files} for made in (entry, again))
    paths = sorted(
        path for path in mine.keys() | theirs.keys() if mine.get(path) != theirs.get(path)
    )
    if not paths:
        return Reproduction(name, len(mine), (), "")
    first = paths[0]
    one, other = mine.get(first), theirs.get(first)
    if one is None or other is None or one.link or other.link:
        words = f"{_kind(one)}, then {_kind(other)}"
        return Reproduction(name, len(mine), tuple(paths), f"{first}: {words}")
    with workshop.store.open(one.sha256) as old, aside.open(other.sha256) as new:
        words = first_difference(old.read(), new.read())
    words = words or "executable or not"
    report = _report(workshop, name, one, aside.content_path(other.sha256))
    return Reproduction(name, len(mine), tuple(paths), f"{first}: {words}", report)


def _kind(record: FileRecord | None) -> str:
    if record is None:
        return "not there"
    return f"a link to {record.link}" if record.link else "a file"


def _report(workshop: Workshop, name: str, one: FileRecord, other: Path) -> str:
    """The path of diffoscope's report on a file; empty where that is not installed."""
    program = shutil.which("diffoscope")
    if program is None:
        return ""
    path = workshop.paths.log(Stage.AUDIT, f"twice {name}")
    mine = workshop.store.content_path(one.sha256)
    limits = ("--max-text-report-size", str(REPORT_BYTES))
    done = subprocess.run(  # diffoscope exits with 1 for files that differ
        [program, "--text", str(path), *limits, str(mine), str(other)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        workshop.warn(f"diffoscope: {done.stderr.strip()[-300:]}")
        return ""
    return str(path)
