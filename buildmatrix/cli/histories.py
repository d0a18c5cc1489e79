"""history: every night's figure of every row, the steps in it, and what changed then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, state_of
from buildmatrix.cli.devices import results_of
from buildmatrix.errors import InputError
from buildmatrix.state import State


@command(
    {
        "out": "folder for a site: what moved, and a page for every board and every cell on it",
        "host": "only results of this device",
        "every_run": "every run on record is a night, not only those of `inv nightly`",
    },
    iterable=["only"],
)
def history(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    host: str = "",
    out: str = "",
    every_run: bool = False,
    json: bool = False,
    state: str = "",
) -> None:
    """Tell of many nights: every figure, where it stepped, and what changed that night."""
    from buildmatrix.cli import history_view
    from buildmatrix.protocols import Note
    from buildmatrix.verdicts import histories

    paths = State(state_of(matrix, state))
    with progress() as reporter:
        shown = histories.history(
            paths,
            device=results_of(host),
            only=tuple(only or ()),
            every_run=every_run,
            on_damage=lambda text: reporter.emit(Note("warning", text)),
        )
    if not shown.boards:
        raise InputError(
            "no results yet" if not (host or only) else "no results of these cells on this board",
            hint="run `inv nightly`, or `inv bench --collect`",
        )
    if out:
        names = histories.write(shown, Path(out))
        say(f"written: {out}/{names[0]} and {len(names) - 1} pages more")
    elif json:
        print_json(histories.document(shown))
    else:
        print_table(history_view.table(histories.document(shown)))


TASKS = (history,)
