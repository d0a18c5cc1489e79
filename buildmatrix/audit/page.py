"""The tables of docs/audit.md, from the rules and the board kinds that they are a picture of.

    python -m buildmatrix.audit docs/audit.md      writes them anew

The prose around them is written by hand; a test holds the tables fresh.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buildmatrix.audit import RULES
from buildmatrix.baseline import kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BLOCK = re.compile(r"(?P<begin><!-- (?P<name>\w+): [^>]*-->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def refreshed(page: str) -> str:
    """The page with each block between `<!-- NAME: … -->` and `<!-- end -->` written anew.

    Raises KeyError for a block that has no table here.
    """
    tables = {"rules": _rules, "boards": _boards, "systems": _systems}
    return BLOCK.sub(lambda m: f"{m['begin']}{tables[m['name']]()}\n{m['end']}", page)


def _rules() -> str:
    heads = ("code", "severity", "what it means", "how to mend it")
    return table(heads, ((r.code, r.severity.value, r.meaning, r.hint) for r in RULES))


def _boards() -> str:
    rows = []
    for name in kinds.names():
        one = kinds.kind(name, "EM_AARCH64")
        code = one.target.march + (f", -mfpu={one.target.fpu}" if one.target.fpu else "")
        pages = f"{one.page_size // 1024} KiB"
        listed = " ".join(sorted(one.features))
        rows.append((name, one.cpu, code, listed, pages))
    heads = ("--target", "CPU", "-march", "features in /proc/cpuinfo", "pages")
    return table(heads, rows)


def _systems() -> str:
    rows = []
    for suite in kinds.suites():
        one = kinds.kind(f"pi4-64@{suite}", "EM_AARCH64")
        versions = [v for row in one.libraries.values() for v in row]
        rows.append((suite, one.target.libc_floor, ", ".join(versions)))
    return table(("suite", "glibc", "what its libraries define, 64-bit"), rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a bar inside a cell is escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    cells = ([cell.replace("|", r"\|") for cell in row] for row in lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
