"""How an audit looks on a terminal of any width: its target, its facts, its causes.

No figure is ever cut or dropped. Where the columns leave a path too little room, a file gets two
lines: its path, then what is known of it, each with its name.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from buildmatrix.audit import RULES
from buildmatrix.audit.causes import causes
from buildmatrix.audit.document import findings_in
from buildmatrix.cli.tables import SEVERITIES
from buildmatrix.nouns import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType

    from buildmatrix.nouns import Finding

GAP = 2  # cells between columns
PATH_ROOM = 32  # cells that a path gets beside the columns, if it is as long
MEANINGS = {rule.code: rule.meaning for rule in RULES}


def view(document: Mapping[str, Any]) -> RenderableType:
    """All of an audit's document, for people."""
    cell = f"{document['cell']}, " if "cell" in document else ""
    findings = findings_in(document)
    facts, has = document["facts"], frozenset(document["target"]["cpu_features"])
    return Group(
        *_target(cell, document["target"]),
        Text(),
        FactsTable(tuple(columns(facts, has)), tuple(one["file"] for one in facts)),
        Text(),
        *_causes(findings),
        _sum(findings),
    )


# -- what it was judged against -----------------------------------------------------------------


def _target(cell: str, target: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield Text.assemble(
        f"{cell}judged against ", (target["name"], "bold"), f": {target['summary']}"
    )
    stdcxx = target["libstdcxx"]
    page = target["page_size"]
    parts = (
        target["machine"],
        target["march"],
        target["fpu"],
        target["cpu"],
        f"glibc {target['glibc'] or 'any'}",
        f"libstdc++ {f'GLIBCXX_{stdcxx}' if stdcxx else 'any'}",
        f"pages of {page // 1024} KiB" if page else "pages of any size",
    )
    yield Flow(tuple(part for part in parts if part), ", ", style="dim")
    if target["cpu_features"]:
        yield Text(f"CPU features: {' '.join(target['cpu_features'])}", style="dim")
    for limit in target["limits_off"]:
        yield Text(limit, style="yellow")


# -- facts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One fact of every file, as text; `short` is its head in a table, two lines at most."""

    name: str
    short: str
    values: tuple[str, ...]
    right: bool = False

    @property
    def least(self) -> int:
        """The width that breaks no word; figures stay beside what they count."""
        words = (text.split("\n" if self.right else None) for text in self.values)
        heads = self.short.split("\n")
        return max(cell_len(word) for word in (*heads, *itertools.chain(*words)))

    @property
    def most(self) -> int:
        """The width in which no line of a value is broken."""
        return max(cell_len(line) for text in (self.short, *self.values) for line in _lines(text))


def _lines(text: str) -> list[str]:
    return text.split("\n")


def columns(facts: Sequence[Mapping[str, Any]], cpu_features: frozenset[str]) -> Iterator[Column]:
    """The columns that tell something: what no file has, and a machine that all share, is none.

    Of the features that code needs those are told that a CPU with `cpu_features` lacks.
    """
    rows = (
        ("machine", "machine", [f["machine"].removeprefix("EM_") for f in facts]),
        ("float", "float", [f["float_abi"] for f in facts]),
        ("cpu", "cpu", [f["cpu_arch"] for f in facts]),
        ("fp", "fp", [f["fp_arch"] for f in facts]),
        ("SIMD", "SIMD", [f["simd"] for f in facts]),
        ("CPU lacks", "CPU\nlacks", [_lacking(f, cpu_features) for f in facts]),
        ("vector multiplies", "vector\nmultiplies", [multiplies(f) for f in facts]),
        ("glibc", "glibc", [f["glibc_max"] for f in facts]),
        ("libstdc++", "libstdc++", [f["glibcxx_max"] for f in facts]),
    )
    for name, short, values in rows:
        known = {value for value in values if value not in ("", "unspecified")}
        always = name in ("vector multiplies", "glibc", "libstdc++")
        if always or (known and not (name == "machine" and len(known) == 1)):
            shown = tuple("-" if v in ("", "unspecified") else v for v in values)
            yield Column(name, short, shown, right=name == "vector multiplies")


def _lacking(facts: Mapping[str, Any], cpu_features: frozenset[str]) -> str:
    used = {use["feature"] for use in facts["features"] or ()}
    return " ".join(sorted(used - cpu_features))


def multiplies(facts: Mapping[str, Any]) -> str:
    """Vector multiplies by what they multiply, a line each; '?': not known what is code.

    >>> multiplies({"neon_instructions": 70, "multiplies": None})
    '70 f32'
    >>> multiplies({"neon_instructions": 0, "multiplies": {"float32": 0, "int8": 12, "int16": 0}})
    '12 int8'
    >>> multiplies({"neon_instructions": None})
    '?'
    """
    if facts["neon_instructions"] is None:
        return "?"
    kinds = facts.get("multiplies") or {"float32": facts["neon_instructions"]}
    words = {"float32": "f32", "float32_pair": "f32x2", "float16": "f16", "bfloat16": "bf16"}
    counts = [f"{number} {words.get(kind, kind)}" for kind, number in kinds.items() if number]
    return "\n".join(counts) or "0"


@dataclass(frozen=True, slots=True)
class FactsTable:
    """A row for each file where the path has room beside the columns, else two lines."""

    columns: tuple[Column, ...]
    files: tuple[str, ...]

    def __rich_console__(
        self, _console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        if not self.files:
            return
        longest = max(map(cell_len, self.files))
        least = [min(longest, PATH_ROOM), *(column.least for column in self.columns)]
        spare = options.max_width - sum(least) - GAP * len(self.columns)
        if spare >= 0:
            most = [longest, *(column.most for column in self.columns)]
            yield self._table(_widened(least, most, spare))
        else:
            yield from self._stacked()

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        table.add_column("file", overflow="fold", width=widths[0])
        for column, width in zip(self.columns, widths[1:], strict=True):
            side: JustifyMethod = "right" if column.right else "left"
            table.add_column(column.short, justify=side, width=width)
        for number, file in enumerate(self.files):
            table.add_row(Text(file), *(Text(column.values[number]) for column in self.columns))
        return table

    def _stacked(self) -> Iterator[RenderableType]:
        for number, file in enumerate(self.files):
            yield Text(file, overflow="fold")
            values = (one.values[number].replace("\n", " + ") for one in self.columns)
            pairs = tuple(map("{0.name} {1}".format, self.columns, values))
            yield Flow(pairs, "  ", indent=4, style="dim")


def _widened(least: Sequence[int], most: Sequence[int], spare: int) -> list[int]:
    """Widths between least and most, the first ones served first.

    >>> _widened([10, 5, 5], [12, 5, 9], 3)
    [12, 5, 6]
    """
    widths = []
    for low, high in zip(least, most, strict=True):
        given = min(high - low, spare)
        widths.append(low + given)
        spare -= given
    return widths


# -- findings -----------------------------------------------------------------------------------


def _causes(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """A code with its meaning, under it each cause with its files, then the mend, told once."""
    code, hint = "", ""
    for cause in causes(findings):
        if hint and (cause.code, cause.hint) != (code, hint):
            yield _mend(hint)
        if cause.code != code:
            colour = SEVERITIES[cause.severity]
            meaning = MEANINGS.get(cause.code, "")
            yield Text.assemble((cause.code, colour), f" {cause.severity.value}: {meaning}")
        code, hint = cause.code, cause.hint
        yield _indented(cause.message, 2)
        for folder, names in places(cause.files):
            yield Flow(names, ", ", head=f"in {folder}: " if folder else "", indent=4, style="cyan")
    if hint:
        yield _mend(hint)


def _mend(hint: str) -> RenderableType:
    return Group(_indented(hint, 2, style="dim"), Text())


def _indented(words: str, cells: int, style: str = "") -> Padding:
    return Padding(Text(words, style=style), (0, 0, 0, cells), expand=False)


def places(files: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Files by folder, where that says less: many of one folder are told by their names in it.

    >>> places(["lib/a.so", "lib/b.so", "run"])
    [('', ('lib/a.so', 'lib/b.so')), ('', ('run',))]
    >>> places(["x/lib/a.so", "x/lib/b.so", "x/lib/c.so"])
    [('x/lib', ('a.so', 'b.so', 'c.so'))]
    """
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(str(PurePosixPath(file).parent), []).append(file)
    return [
        ("", tuple(there))
        if folder == "." or len(there) < 3
        else (folder, tuple(file.removeprefix(f"{folder}/") for file in there))
        for folder, there in folders.items()
    ]


@dataclass(frozen=True, slots=True)
class Flow:
    """Items one after the other, none of them broken that fits on a line of its own."""

    items: tuple[str, ...]
    separator: str
    head: str = ""
    indent: int = 0
    style: str = ""

    def __rich_console__(
        self, _console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        room = options.max_width - self.indent
        lines = [self.head]
        for number, item in enumerate(self.items):
            last = number == len(self.items) - 1
            part = item if last else item + self.separator
            if lines[-1] and cell_len((lines[-1] + part).rstrip()) > room:
                lines.append("")
            lines[-1] += part
        for line in lines:
            text = Text(line.rstrip(), style=self.style, overflow="fold")
            yield Padding(text, (0, 0, 0, self.indent), expand=False)


def _sum(findings: Sequence[Finding]) -> Text:
    if not findings:
        return Text("no findings", style="green")
    counts = [(s, sum(f.severity is s for f in findings)) for s in Severity]
    words = ", ".join(f"{n} {s.value}{'s' if n > 1 else ''}" for s, n in counts if n)
    files = len({finding.file for finding in findings})
    return Text(f"{words} in {files} file{'s' if files > 1 else ''}")
