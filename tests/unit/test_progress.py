"""Progress: plain lines without a terminal, a live one with it, everything to the end."""

from __future__ import annotations

import io
import time

from rich.console import Console

from buildmatrix import progress
from buildmatrix.progress import Progress
from buildmatrix.protocols import Advanced, Finished, Note, Output, Started


def drawn(*, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80, highlight=False, no_color=True)
    with Progress(console) as reporter:
        reporter.emit(Started("build:x[neon=true]", "never made here"))
        reporter.under_way["build:x[neon=true]"].drawn = -1000.0
        reporter.emit(Output("build:x[neon=true]", "gcc [bold]x.c"))
        reporter.under_way["build:x[neon=true]"].drawn = -1000.0
        reporter.emit(Advanced("build:x[neon=true]", 1_500_000, 3_000_000, "bytes"))
        if reporter.live is not None:
            reporter.live.refresh()  # now, and not within a quarter of a second
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


def test_boards_at_work_at_once_have_a_line_each() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, highlight=False, no_color=True)
    with Progress(console) as reporter:
        reporter.emit(Started("deploy pi3-a", "3 bundles"))
        reporter.emit(Started("deploy pi3-b", "3 bundles"))
        for board, done in (("a", 1), ("b", 2)):
            reporter.under_way[f"deploy pi3-{board}"].drawn = -1000.0
            reporter.emit(Advanced(f"deploy pi3-{board}", done * 1_000_000, 3_000_000, "bytes"))
        both = Console(width=80).render_lines(reporter, pad=False)
        assert ["".join(part.text for part in line) for line in both] == [
            "deploy pi3-a  0 s  1.0 of 3.0 MB",
            "deploy pi3-b  0 s  2.0 of 3.0 MB",
        ]
        reporter.emit(Finished("deploy pi3-a", "failed", 1.0, "no answer within 30 s"))
        assert list(reporter.under_way) == ["deploy pi3-b"]
    assert text.getvalue().count("\x1b[?25l") == text.getvalue().count("\x1b[?25h")


def test_while_a_person_is_asked_nothing_is_drawn() -> None:
    text = io.StringIO()
    with Progress(Console(file=text, force_terminal=True, width=80)) as reporter:
        reporter.emit(Started("deploy pi3", "3 bundles"))
        with reporter.paused():
            assert reporter.live is None
            before = text.getvalue()
            time.sleep(0.6)  # more than two redraws
            assert text.getvalue() == before
        assert reporter.live is not None
