"""A table whose last column is words: beside the others, or below each row where room runs out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType

GAP = 2
INDENT = 4
ROOM = 40  # columns that words need beside a row; below it they have nearly all


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of short facts, each with lines of words. Facts and words are rich markup.

    Nothing is cut at any width, and a word longer than a line, as a path may be, stays in one
    piece, so that it can be copied.
    """

    heads: tuple[str, ...]
    about: str  # the head of the words
    right: frozenset[int] = frozenset()  # columns of figures
    rows: list[tuple[tuple[Text, ...], tuple[Text, ...]]] = field(default_factory=list)

    def add(self, *facts: str, words: str = "") -> None:
        # A tag may begin in one line and end in another.
        lines = tuple(_read(words).split("\n")) if words else ()
        self.rows.append((tuple(map(_read, facts)), lines))

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        widths = [
            max([len(head), *(facts[at].cell_len for facts, _ in self.rows)])
            for at, head in enumerate(self.heads)
        ]
        room = options.max_width - sum(widths) - GAP * len(widths)
        spoken = [line for _, lines in self.rows for line in lines]
        longest = max((len(word) for line in spoken for word in line.plain.split()), default=0)
        needed = max((line.cell_len for line in spoken), default=0)
        worded = spoken or self.about  # without any, rich's table says the same in thrice the time
        if worded and min(ROOM, needed) <= room and longest <= room:
            yield self._beside()
        else:
            yield from self._below(options.max_width, widths)

    def _beside(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for at, head in enumerate(self.heads):
            justify: JustifyMethod = "right" if at in self.right else "left"
            table.add_column(head, header_style="dim", no_wrap=True, justify=justify)
        table.add_column(self.about, header_style="dim", overflow="fold")
        for facts, lines in self.rows:
            table.add_row(*facts, Text("\n").join(lines))
        return table

    def _below(self, width: int, widths: list[int]) -> Iterator[Text]:
        """Facts in columns, words under them; a row wider than the terminal ends where it ends."""
        heads = tuple(Text(head, "dim") for head in self.heads)
        about = (Text(self.about, "dim"),) if self.about else ()
        for facts, lines in ((heads, about), *self.rows):
            padded = [fact.copy() for fact in facts]
            for at, fact in enumerate(padded):
                fact.align("right" if at in self.right else "left", widths[at])
            row = Text(" " * GAP).join(padded)
            row.rstrip()
            yield _whole(row)
            for line in lines:
                for part in _folded(line, width - INDENT):
                    yield _whole(Text(" " * INDENT).append_text(part))


def _read(markup: str) -> Text:
    """Without rich's pictures: a `:v:` in a name is no hand."""
    return Text.from_markup(markup, emoji=False)


def _folded(line: Text, width: int) -> Iterator[Text]:
    """A line in pieces of at most that width, but broken between words only, as rich does not."""
    start, breaks = 0, []
    for word in re.finditer(r"\S+", line.plain):
        if word.start() > start and word.end() - start > width:
            start = word.start()
            breaks.append(start)
    for part in line.divide(breaks):
        part.rstrip()
        yield part


def _whole(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ignore"
    return line
