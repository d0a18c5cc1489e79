"""The document of a whole run: what was tried, what happened, and where verdict and world part."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proof.trial import Agreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.proof.trial import Trial


# What was found of other people's files, by hand; the end of the document.
WHEELS = Path(__file__).with_name("wheels.md")


def document(trials: Sequence[Trial], unbuilt: Mapping[str, str], ran_on: str) -> str:
    """The whole as Markdown: the sums, each disagreement, then each case in one row."""
    cases = {trial.case.name for trial in trials}
    counts = Counter(trial.agreement for trial in trials)
    parts = [
        "# The audit against what happens",
        "",
        "Written by `scripts/audit-proof`; the issue is that what the audit passes starts, and what"
        " it refuses does not. Programs and trees are made by the compilers and linkers named"
        " below, run for real, and the audit is asked for the same processor and userland.",
        "",
        ran_on,
        "",
        f"{len(cases)} programs and trees, {len(trials)} runs:",
        "",
        "| verdict and outcome | runs |",
        "| --- | ---: |",
        *(f"| {kind.value} | {counts[kind]} |" for kind in Agreement),
        "",
        "'Refused for another reason' is a library of another machine in the tree (BM101), which"
        " the loader passes over; a warning alone is no refusal. A program starts when it ends with"
        " 0, and once more with `LD_BIND_NOW=1`, as `ldd -r` would have it.",
        "",
        *_undecided(trials),
        *_disagreements(trials),
        *_unbuilt(unbuilt),
        "## Every case",
        "",
        "| case | what it is | starts on | does not start on |",
        "| --- | --- | --- | --- |",
        *_rows(trials),
    ]
    return "\n".join(parts) + "\n\n" + WHEELS.read_text()


def _undecided(trials: Iterable[Trial]) -> list[str]:
    """The cases that no verdict fits, each with why and with what happened and was said."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.agreement is Agreement.NAMED:
            groups.setdefault(trial.case.name, []).append(trial)
    if not groups:
        return []
    lines = [
        "## What a file does not tell",
        "",
        "Whether a run comes to the instruction, or opens a library, hangs on what is known when it"
        " runs. These count as neither passed nor refused: the audit names the instruction and the"
        " functions (a warning, BM117; on 32 bits an error where the attributes declare the newer"
        " processor for the file) or the library (BM149, BM153, BM168), and says nothing of whether"
        " it starts. One without such a finding would stand under 'Where they part'.",
        "",
    ]
    for name, group in groups.items():
        started = [one for one in group if one.outcome.started]
        failed = [one for one in group if not one.outcome.started]
        happened = [f"starts on {_on(started)}"] if started else []
        happened += [f"does not start on {_on(failed)}"] if failed else []
        codes = sorted({one.verdict.codes() for one in group})
        lines.append(
            f"- `{name}`, {group[0].case.what}: {group[0].case.undecidable}. It "
            f"{'; it '.join(happened)}. The audit: {'; or '.join(codes)}."
        )
    return [*lines, ""]


def _disagreements(trials: Iterable[Trial]) -> list[str]:
    lines = ["## Where they part", ""]
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if not trial.agreement.agrees:
            groups.setdefault((trial.case.name, trial.agreement.value), []).append(trial)
    if not groups:
        return [*lines, "Nowhere.", ""]
    for (name, agreement), group in groups.items():
        first = group[0]
        lines += [
            f"- **{agreement}**: `{name}`, {first.case.what}. On {_on(group)}. "
            f"Happened: {_happened(first)}. The audit: {first.verdict.words() or 'no finding'}.",
        ]
    return [*lines, ""]


def _unbuilt(unbuilt: Mapping[str, str]) -> list[str]:
    if not unbuilt:
        return []
    rows = (f"- `{name}`: {words}" for name, words in unbuilt.items())
    return ["## Not built", "", *rows, ""]


def _rows(trials: Iterable[Trial]) -> list[str]:
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.case.name, []).append(trial)
    lines = []
    for name, group in groups.items():
        started = [trial for trial in group if trial.outcome.started]
        failed = [trial for trial in group if not trial.outcome.started]
        how = f"{_on(failed)}: {_happened(failed[0])}" if failed else ""
        lines.append(f"| {name} | {_cell(group[0].case.what)} | {_on(started)} | {_cell(how)} |")
    return lines


def _on(trials: Iterable[Trial]) -> str:
    return ", ".join(trial.board for trial in trials)


def _happened(trial: Trial) -> str:
    words = trial.outcome.words.replace(f"/proof/{trial.case.name}/", "")
    return f"{trial.outcome.kind.value}{f' ({words})' if words else ''}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
