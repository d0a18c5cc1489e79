"""Draws events: a live display on a terminal, plain lines elsewhere. Everything goes to stderr."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from buildmatrix.printable import escape, printable
from buildmatrix.protocols import Advanced, Finished, Note, Outlook, Output, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from buildmatrix.protocols import Event

SIGNS = {
    "done": "[green]done[/]",
    "cached": "[dim]cached[/]",
    "failed": "[red]FAILED[/]",
    "unavailable": "[yellow]out of reach[/]",
}
COLOURS = {"info": "dim", "warning": "yellow", "error": "red"}
PLAIN_EVERY = 15.0  # seconds between signs of life without a terminal
OUTLOOK_EVERY = 60.0  # the same between words on how much is left
REDRAW_EVERY = 0.1


@dataclass
class _Line:
    """What is under way on one subject."""

    since: float
    drawn: float  # when its last sign of life was shown
    lines: int = 0
    text: str = "starting"


class Progress:
    """A Reporter; threads may share one. Use it as a context manager, so that the terminal is left
    as it was. `spoken` makes the words for people out of a message.
    """

    def __init__(
        self, console: Console | None = None, *, spoken: Callable[[str], str] = str
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.spoken = spoken
        self.under_way: dict[str, _Line] = {}
        self.live: Live | None = None
        self.outlook: Outlook | None = None
        self.outlook_at = 0.0
        self.outlook_drawn = -OUTLOOK_EVERY
        self.told = 0  # notes, since it was entered
        self.lock = threading.RLock()

    def __enter__(self) -> Progress:
        self.told = 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.lock:
            self.under_way.clear()
            self.outlook = None
            self._draw()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is drawn meanwhile: a person is being asked. Who reports, waits."""
        with self.lock:
            if self.live is not None:
                self.live.stop()
                self.live = None
            try:
                yield
            finally:
                self._draw()

    def emit(self, event: Event) -> None:
        with self.lock:
            match event:
                case Started():
                    self._start(event)
                case Output():
                    self._line(event.subject).lines += 1
                    self._life(event.subject, event.line)
                case Advanced():
                    self._life(event.subject, _amount(event))
                case Finished():
                    self._finish(event)
                case Outlook():
                    self._look_ahead(event)
                case Note():
                    self.told += 1
                    colour = COLOURS[event.level]
                    text = escape(self.spoken(event.message))
                    self.console.print(f"[{colour}]{text}[/]", soft_wrap=True)

    def _line(self, subject: str) -> _Line:
        now = time.monotonic()
        return self.under_way.setdefault(subject, _Line(now, now))

    def _start(self, event: Started) -> None:
        self.under_way.pop(event.subject, None)
        self._line(event.subject)
        if self.console.is_terminal:
            self._draw()
        else:
            self.console.print(f"{escape(event.subject)}: {escape(event.title)}", soft_wrap=True)

    def _life(self, subject: str, text: str) -> None:
        """A sign of life, not a transcript: the log file has every line."""
        line, now = self._line(subject), time.monotonic()
        if now - line.drawn < (REDRAW_EVERY if self.console.is_terminal else PLAIN_EVERY):
            return
        line.drawn, line.text = now, printable(text.strip())
        if not self.console.is_terminal:
            told = f", {line.lines} lines" if line.lines else f", {escape(text)}"
            self.console.print(
                f"  … {escape(subject)}: {now - line.since:.0f} s{told}", soft_wrap=True
            )

    def _look_ahead(self, outlook: Outlook) -> None:
        now = time.monotonic()
        self.outlook, self.outlook_at = (outlook if outlook.running else None), now
        if self.console.is_terminal or outlook.seconds < OUTLOOK_EVERY:
            return
        if now - self.outlook_drawn >= OUTLOOK_EVERY:
            self.outlook_drawn = now
            self.console.print(f"  … {_left(outlook, outlook.seconds)}", soft_wrap=True)

    def _finish(self, event: Finished) -> None:
        self.under_way.pop(event.subject, None)
        self._draw()
        first, *rest = self.spoken(event.message).splitlines() or [""]
        self.console.print(
            f"{SIGNS[event.outcome]} {escape(event.subject)} [cyan]{event.seconds:.1f} s[/]  "
            f"{escape(first)}",
            soft_wrap=True,
        )
        for line in rest:
            self.console.print(f"    {escape(line)}", soft_wrap=True, style="dim")

    def _draw(self) -> None:
        """A line for each subject under way, below what was printed; gone when there is none."""
        if not self.console.is_terminal:
            return
        if self.live is None and self.under_way:
            self.live = Live(self, console=self.console, transient=True, refresh_per_second=4)
            self.live.start()
        elif self.live is not None and not self.under_way:
            self.live.stop()
            self.live = None

    def __rich__(self) -> Group:
        """What the live display shows now; asked by a thread of its own, which must not wait."""
        now, outlook = time.monotonic(), self.outlook
        rows = [self._shown(name, line, now) for name, line in list(self.under_way.items())]
        if outlook is not None:
            rows.append(Text(_left(outlook, outlook.seconds - (now - self.outlook_at)), "dim"))
        return Group(*rows)

    def _shown(self, subject: str, line: _Line, now: float) -> Text:
        seconds = f"{now - line.since:.0f} s"
        room = max(10, self.console.width - len(subject) - len(seconds) - 6)
        shown = Text(f"{subject}  ", no_wrap=True, overflow="ellipsis")
        return shown.append(f"{seconds}  ", "cyan").append(line.text[:room], "dim")


def _left(outlook: Outlook, seconds: float) -> str:
    """How many works there are and how long they take yet, in words."""
    time_left = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(0.0, seconds):.0f} s"
    return f"{outlook.running} at work, {outlook.waiting} waiting, about {time_left} left"


def _amount(event: Advanced) -> str:
    if event.unit == "bytes":
        total = f" of {event.total / 1e6:.1f}" if event.total else ""
        return f"{event.done / 1e6:.1f}{total} MB"
    return f"{event.done} of {event.total} {event.unit}"
