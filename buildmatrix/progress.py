"""Draws events: a live display on a terminal, plain lines elsewhere. Everything goes to stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from buildmatrix.protocols import Advanced, Finished, Note, Output, Started

if TYPE_CHECKING:
    from types import TracebackType

    from rich.status import Status

    from buildmatrix.protocols import Event

SIGNS = {
    "done": "[green]done[/]",
    "cached": "[dim]cached[/]",
    "failed": "[red]FAILED[/]",
    "unavailable": "[yellow]out of reach[/]",
}
COLOURS = {"info": "dim", "warning": "yellow", "error": "red"}
PLAIN_EVERY = 15.0  # seconds between signs of life without a terminal
REDRAW_EVERY = 0.1


class Progress:
    """A Reporter. Use it as a context manager, so that the terminal is left as it was."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.live = self.console.is_terminal
        self.status: Status | None = None
        self.since = 0.0
        self.drawn = 0.0
        self.lines = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stop()

    def emit(self, event: Event) -> None:
        match event:
            case Started():
                self._start(event)
            case Output():
                self.lines += 1
                self._life(event.subject, event.line)
            case Advanced():
                self._life(event.subject, _amount(event))
            case Finished():
                self._finish(event)
            case Note():
                colour = COLOURS[event.level]
                self.console.print(f"[{colour}]{escape(event.message)}[/]", soft_wrap=True)

    def _start(self, event: Started) -> None:
        self.since = self.drawn = time.monotonic()
        self.lines = 0
        if self.live:
            self._stop()
            self.status = self.console.status(f"{escape(event.subject)}  [dim]starting[/]")
            self.status.start()
        else:
            title = event.title if len(event.title) <= 100 else event.title[:99] + "…"
            self.console.print(f"{escape(event.subject)}: {escape(title)}", soft_wrap=True)

    def _life(self, subject: str, text: str) -> None:
        """A sign of life, not a transcript: the log file has every line."""
        now = time.monotonic()
        if now - self.drawn < (REDRAW_EVERY if self.live else PLAIN_EVERY):
            return
        self.drawn = now
        seconds = f"{now - self.since:.0f} s"
        if self.status is not None:
            room = max(20, self.console.width - len(subject) - len(seconds) - 8)
            shown = escape(text.strip()[:room])
            self.status.update(f"{escape(subject)}  [cyan]{seconds}[/]  [dim]{shown}[/]")
        elif not self.live:
            lines = f", {self.lines} lines" if self.lines else f", {text}"
            self.console.print(f"  … {escape(subject)}: {seconds}{lines}", soft_wrap=True)

    def _finish(self, event: Finished) -> None:
        self._stop()
        first, *rest = event.message.splitlines() or [""]
        self.console.print(
            f"{SIGNS[event.outcome]} {escape(event.subject)} [cyan]{event.seconds:.1f} s[/]  "
            f"{escape(first)}",
            soft_wrap=True,
        )
        for line in rest:
            self.console.print(f"    {escape(line)}", soft_wrap=True, style="dim")

    def _stop(self) -> None:
        if self.status is not None:
            self.status.stop()
            self.status = None


def _amount(event: Advanced) -> str:
    if event.unit == "bytes":
        total = f" of {event.total / 1e6:.1f}" if event.total else ""
        return f"{event.done / 1e6:.1f}{total} MB"
    return f"{event.done} of {event.total} {event.unit}"
