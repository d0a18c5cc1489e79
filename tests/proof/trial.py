"""One case on one board: what the audit says beside what happened, and whether they agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.proof import judging
from tests.proof.outcome import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.proof.boards import Board
    from tests.proof.case import Case
    from tests.proof.judging import Verdict


class Agreement(StrEnum):
    PASSES = "passes, and starts"
    REFUSED = "refused, and does not start"
    OTHERWISE = "refused for another reason, and starts"
    OTHERWISE_FAILS = "refused for another reason, and does not start"
    NAMED = "cannot be told from the file, and the audit names what it hangs on"
    PASSES_BUT_FAILS = "PASSES BUT FAILS"
    REFUSED_BUT_STARTS = "REFUSED BUT STARTS"

    @property
    def agrees(self) -> bool:
        return self not in (Agreement.PASSES_BUT_FAILS, Agreement.REFUSED_BUT_STARTS)


@dataclass(frozen=True, slots=True)
class Trial:
    case: Case
    board: str
    outcome: Outcome
    verdict: Verdict

    @property
    def agreement(self) -> Agreement:
        started = self.outcome.started
        refused_by_both = self.outcome.kind is Kind.LOADER and bool(self.verdict.errors)
        if self.case.undecidable and self.verdict.names_it and not refused_by_both:
            return Agreement.NAMED
        if self.verdict.passes:
            return Agreement.PASSES if started else Agreement.PASSES_BUT_FAILS
        if not self.verdict.errors:
            return Agreement.OTHERWISE if started else Agreement.OTHERWISE_FAILS
        return Agreement.REFUSED_BUT_STARTS if started else Agreement.REFUSED


# Cases about the loader differ by userland; all others by processor.
OF_THE_LOADER = ("-path-", "-symbol-", "-whole-")


def boards_of(case: Case, boards: Sequence[Board], *, whole: bool) -> list[Board]:
    """Where a case is run. Not `whole`: a case about the CPU on every processor of the newest
    userland and once under each other one, any other case once under each userland.
    """
    fitting = [board for board in boards if board.userland.machine == case.machine]
    if whole or not fitting:
        return fitting
    cpus = list(dict.fromkeys(board.cpu for board in fitting))
    common = "cortex-a7" if "cortex-a7" in cpus else cpus[0]
    newest = fitting[-1].userland.suite
    about_cpu = not any(part in case.name for part in OF_THE_LOADER)
    return [
        board
        for board in fitting
        if board.cpu == common or (about_cpu and board.userland.suite == newest)
    ]


def run(case: Case, tree: Path, boards: Sequence[Board], remembered: Path) -> Iterator[Trial]:
    """Try a built tree on each board. What happened is written beside it and not tried again."""
    outcomes = _recall(remembered)
    facts = judging.read(tree)
    for land in {board.userland.name: board.userland for board in boards}.values():
        if any(b.name not in outcomes for b in boards if b.userland == land):
            land.place(case.name, tree)
    for board in boards:
        if board.name not in outcomes:
            outcomes[board.name] = board.run(case.name, case.program, everywhere=case.everywhere)
        verdict = judging.judge(facts, board.baseline)
        yield Trial(case, board.name, outcomes[board.name], verdict)
    rows = {name: [o.kind, o.words] for name, o in outcomes.items()}
    remembered.write_text(json.dumps(rows, indent=1))


def _recall(path: Path) -> dict[str, Outcome]:
    if not path.exists():
        return {}
    rows = json.loads(path.read_text())
    return {name: Outcome(Kind(kind), words) for name, (kind, words) in rows.items()}
