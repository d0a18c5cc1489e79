"""What a build that had nothing to do said, said again while nothing that it read has changed.

Planning some hundred works takes half a second, and most builds of a day find all of it stored. So
the last answer of such a build is kept with a stamp of every file that it was found from: the
program, what the project and this package have written, what is stored. An equal question under
an equal stamp has that answer, and none of them is opened.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from buildmatrix import regular, shelf
from buildmatrix.records import read_record, write_record
from buildmatrix.shelf import Kind
from buildmatrix.stamp import Stamp, stamp
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from buildmatrix.documents.building import Build
    from buildmatrix.pipeline.making import Outcome
    from buildmatrix.pipeline.workshop import Workshop

STEP = 2_000_000_000  # nanoseconds: the step of the coarsest clock that a file system has, FAT's


@dataclass(frozen=True, slots=True)
class Question:
    """What a build is asked, and what was there to find the answer from when it began to look."""

    matrix: Path
    state: State
    words: Mapping[str, object]  # all else that decides, as JSON has it
    began: int  # nanoseconds since the epoch
    before: Stamp | None  # None: it cannot be told, and nothing is kept

    def answer(self) -> Build | None:
        """What was said last, where that was to this question and still stands."""
        try:
            kept = read_record(self.state.answered)
        except (OSError, regular.InTheWay):  # nothing that a build needs
            return None
        if self.before is None or kept.get("stamp") != asdict(self.before):
            return None
        held = stamp(map(Path, kept["held"]))
        if kept["asked"] != self.words or held is None or asdict(held) != kept["stamp of held"]:
            return None
        answer: Build = kept["answer"]
        return answer

    def keep(self, answer: Build, held: Iterable[Path]) -> None:
        """Have an answer said again; `held` are files of the store that it was found from, too.

        Nothing is kept where a file changed meanwhile, or so shortly before that another change
        would not be seen; nor in a folder that cannot be written.
        """
        paths = sorted(map(str, held))
        also, after = stamp(map(Path, paths)), _now(self.matrix, self.state)
        if after is None or also is None or after != self.before:
            return
        if max(after.newest, also.newest) > self.began - STEP:
            return
        kept = {
            "asked": self.words,
            "stamp": asdict(after),
            "held": paths,
            "stamp of held": asdict(also),
            "answer": answer,
        }
        with suppress(OSError):
            write_record(self.state.answered, kept)


def asked(matrix: Path, state: Path, words: Mapping[str, object]) -> Question:
    """The question of a build of `matrix` with the state folder `state`; `words` is all else that
    the command was given."""
    began, places = time.time_ns(), State(state)
    program = {"python": sys.version, "matrix": str(matrix.absolute())}
    return Question(matrix, places, {**words, **program}, began, _now(matrix, places))


def keep(
    question: Question, workshop: Workshop, outcomes: Sequence[Outcome], answer: Build
) -> None:
    """Have the answer of a build said again, where it had nothing to do and found nothing wrong."""
    from buildmatrix.nouns import Stage, Verb
    from buildmatrix.pipeline.project import own_sources

    idle = all(one.action.verb is Verb.SKIP and one.state == "cached" for one in outcomes)
    if not idle or workshop.remote is not None:
        return
    sources = (
        source for *_, source in own_sources(workshop.project.root, workshop.project.recipes)
    )
    if any(one.kind == "folder" for source in sources for one in source.alternates):
        return  # it lies anywhere, and may be large
    if _passing(question.state):
        return  # somebody is at work, or was and is dead: the next build looks again
    audits = (one.action.key for one in outcomes if one.action.stage is Stage.AUDIT)
    entries = filter(None, map(workshop.store.entry, audits))
    files = (file.sha256 for entry in entries for file in entry.files if file.sha256)
    question.keep(answer, map(workshop.store.content_path, files))


def _now(matrix: Path, state: State) -> Stamp | None:
    return stamp(folders(matrix, state), chain(map(str, alone(matrix, state)), sys.path))


def folders(matrix: Path, state: State) -> Iterator[Path]:
    """Those of which everything below decides what a build with nothing to do says, with `alone`
    and the audits in the store. Its keys are the entries'; `latest` only tells what changed."""
    yield shelf.PACKAGE
    for kind in get_args(Kind):
        yield shelf.shipped(kind)
        yield shelf.project_folder(matrix) / kind
    yield from (state.store / "entries", state.sources, state.toolchains)
    yield from _passing(state)


def alone(matrix: Path, state: State) -> tuple[Path, ...]:
    """Files that decide, too. With them goes where libraries lie: a folder of them changes when one
    is exchanged for another version."""
    return matrix, shelf.project_folder(matrix) / shelf.LOCK, state.unavailable


def _passing(state: State) -> list[Path]:
    """What somebody at work has made for a while; a build removes it when its maker is dead."""
    return sorted(path for place, pattern in state.passing for path in place.glob(pattern))
