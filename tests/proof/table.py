"""The document of a whole run: what was tried, what happened, and where verdict and world part."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.proof.trial import Agreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.proof.trial import Trial


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
        " the loader passes over. A program starts when it ends with 0, and once more with"
        " `LD_BIND_NOW=1`, as `ldd -r` would have it.",
        "",
        *_disagreements(trials),
        *_unbuilt(unbuilt),
        "## Every case",
        "",
        "| case | what it is | starts on | does not start on |",
        "| --- | --- | --- | --- |",
        *_rows(trials),
    ]
    return "\n".join(parts) + "\n"


# What no reading of the code can tell; said before the list, so that nobody takes it for a promise.
UNDECIDABLE = (
    "Some of it no reading of the code can decide: `in-argument` starts and `in-always` does not, "
    "and both branch on the number of arguments in the same way; `in-pointer` calls by an index "
    "that is known at run time only. There the audit warns and names the functions."
)


def _disagreements(trials: Iterable[Trial]) -> list[str]:
    lines = ["## Where they part", ""]
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if not trial.agreement.agrees:
            groups.setdefault((trial.case.name, trial.agreement.value), []).append(trial)
    if not groups:
        return [*lines, "Nowhere.", ""]
    lines += [UNDECIDABLE, ""]
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
