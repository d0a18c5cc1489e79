"""The pages that people read: their blocks, as they stand there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
DIRECTIVE = re.compile(r"^```\{.*?^```$", re.DOTALL | re.MULTILINE)  # to Sphinx, which checks it


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: the page and line where it begins, what it is in, and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> tuple[Block, ...]:
    """All blocks of a page, in their order."""
    content = DIRECTIVE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())
    name = str(page.relative_to(ROOT))
    return tuple(
        Block(name, content.count("\n", 0, found.start()) + 1, found["language"], found["text"])
        for found in FENCE.finditer(content)
    )


def sections(page: Path) -> dict[str, str]:
    """Heading of the second level -> all commands below it."""
    content = page.read_text()
    heads = [(m[1], m.start()) for m in re.finditer(r"^## (.+)$", content, re.MULTILINE)]
    ends = [*(start for _, start in heads[1:]), len(content)]
    return {
        title: "".join(m["text"] for m in FENCE.finditer(content, start, end) if m["language"])
        for (title, start), end in zip(heads, ends, strict=True)
    }
