"""Which page of which file a block's code lies in, whoever ran it and at whatever address.

QEMU 10 translates code of a full system without its address: two processes, or two runs of one,
that map a page of a file share its translations, and a plugin is told the address of the first. So
the address names nothing; the page of memory does, and all blocks in it together tell which page of
a file it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.profile.counting import BasicBlock, Counts
    from buildmatrix.profile.folding import Files
    from buildmatrix.profile.mappings import Mapping

PAGE = 4096
Page = tuple[int, bytes, int]  # its address in the process, the file, its offset there


def resettled(counts: Counts, parts: Iterable[Mapping], files: Files) -> Counts:
    """The same counts with each block at the address that one process has its file mapped at.

    `parts` are that process's mappings. A block in no file of them stays where it is.
    """
    pages = _pages(parts, files)
    together: dict[int, list[BasicBlock]] = defaultdict(list)
    for block in counts:
        together[block.place // PAGE].append(block)
    made: Counts = Counter()
    for place, blocks in together.items():
        page = _page(blocks, pages) if place else None
        for block in blocks:
            made[_moved(block, page)] += counts[block]
    return made


def _moved(block: BasicBlock, page: Page | None) -> BasicBlock:
    if page is None or not _holds(page, block):
        return block
    return replace(block, address=page[0] + block.place % PAGE)


def _pages(parts: Iterable[Mapping], files: Files) -> list[Page]:
    return [
        (part.start + offset, code.data, part.offset + offset)
        for part in parts
        if (code := files(part.path)) is not None
        for offset in range(0, part.end - part.start, PAGE)
    ]


def _page(blocks: Sequence[BasicBlock], pages: Sequence[Page]) -> Page | None:
    """The page that holds these blocks; of several alike, the first. The longest speak first, and
    a block that all pages left deny has no say: its memory was another file's at another time."""
    left: Sequence[Page] = pages
    for block in sorted(blocks, key=lambda one: -len(one.instructions)):
        left = [page for page in left if _holds(page, block)] or (() if left is pages else left)
        if len(left) < 2:
            break
    return left[0] if left else None


def _holds(page: Page, block: BasicBlock) -> bool:
    _, data, offset = page
    return data.startswith(b"".join(block.instructions), offset + block.place % PAGE)
