"""Progress: plain lines without a terminal, a live one with it, everything to the end."""

from __future__ import annotations

import io

from rich.console import Console

from buildmatrix import progress
from buildmatrix.progress import Progress
from buildmatrix.protocols import Advanced, Finished, Note, Output, Started


def drawn(*, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80, highlight=False, no_color=True)
    with Progress(console) as reporter:
        reporter.emit(Started("build:x[neon=true]", "never made here"))
        reporter.drawn = -1000.0
        reporter.emit(Output("build:x[neon=true]", "gcc [bold]x.c"))
        reporter.drawn = -1000.0
        reporter.emit(Advanced("build:x[neon=true]", 1_500_000, 3_000_000, "bytes"))
        reporter.emit(Finished("build:x[neon=true]", "failed", 2.5, "status 2\nx.c:1: error"))
        reporter.emit(Note("warning", "throttled [0x1]"))
    return text.getvalue()


def test_plain_lines() -> None:
    lines = drawn(terminal=False).splitlines()
    assert lines[0] == "build:x[neon=true]: never made here"
    assert lines[1].startswith("  … build:x[neon=true]: ")
    assert lines[1].endswith("1 lines")
    assert lines[-3:] == [
        "FAILED build:x[neon=true] 2.5 s  status 2",
        "    x.c:1: error",
        "throttled [0x1]",
    ]


def test_a_terminal_is_left_as_it_was() -> None:
    text = drawn(terminal=True)
    assert "1.5 of 3.0 MB" in text
    assert text.rstrip().endswith("throttled [0x1]")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h"), "the cursor is shown again"


def test_a_flood_of_output_is_not_a_flood_of_drawing() -> None:
    text = io.StringIO()
    with Progress(Console(file=text, width=80)) as reporter:
        reporter.emit(Started("s", "t"))
        for number in range(10_000):
            reporter.emit(Output("s", f"line {number}"))
    assert len(text.getvalue().splitlines()) == 1
    assert progress.PLAIN_EVERY > 1
