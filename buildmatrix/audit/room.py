"""Rules about room in memory: the addresses that a program asks for, and how much it needs.

Held against Debian 12's kernels for arm64 and armhf in QEMU, with programs at some 20 addresses and
with variables of 0.5 GiB to 128 TiB, started by root and by another user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.audit.rule import ERROR, WARNING, Rule
from buildmatrix.isa.features import features_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.tree import Fault, Tree

GIB = 1 << 30
PAGE = 4096  # the least that Linux has
FIRST32 = 0x2000  # FIRST_USER_ADDRESS of 32-bit kernels: the vectors' pages, to root as well
LAST32 = 0xBF000000  # their TASK_SIZE: three gigabytes but the 16 MiB of modules
COMPAT = 0xFFFF0000  # of 64-bit kernels for 32-bit programs: the vectors' page is theirs
LAST64, SHORT64 = 1 << 48, 1 << 39  # with four levels of page tables, and with three
SWAP = 2  # times the memory with swap: what Raspberry Pi OS sets up is no more


def no_such_address(tree: Tree) -> Iterator[Fault]:
    """What no kernel of the board's gives to a program that is not root's."""
    page = tree.policy.page_size or PAGE
    wide = tree.target.machine == "EM_AARCH64"
    last = LAST64 if wide else COMPAT if _may_be_64(tree) else LAST32
    for facts in tree.own:
        first, end = facts.linking.fixed
        if end and first < page:
            yield facts.file, f"{_asks(first, end)}: Linux gives the first page to root alone"
        elif end and not wide and not _may_be_64(tree) and first < FIRST32:
            yield facts.file, f"{_asks(first, end)}: a 32-bit kernel gives none below {FIRST32:#x}"
        elif end > last:
            yield facts.file, f"{_asks(first, end)}: Linux gives none from {last:#x} on"


def by_kernel(tree: Tree) -> Iterator[Fault]:
    """What hangs on how wide the kernel's addresses are."""
    for facts in tree.own:
        first, end = facts.linking.fixed
        if tree.target.machine == "EM_AARCH64":
            if SHORT64 < end <= LAST64:
                yield (
                    facts.file,
                    f"{_asks(first, end)}: a kernel of 39-bit addresses gives none from "
                    f"{SHORT64:#x} on",
                )
        elif (
            _may_be_64(tree) and PAGE <= first < end <= COMPAT and (first < FIRST32 or end > LAST32)
        ):
            yield (
                facts.file,
                f"{_asks(first, end)}: a 32-bit kernel gives {FIRST32:#x} to {LAST32:#x}",
            )


def too_large(tree: Tree) -> Iterator[Fault]:
    memory = tree.policy.memory
    for facts in tree.own if memory else ():
        if facts.linking.variables > SWAP * memory:
            size = facts.linking.variables / GIB
            yield (
                facts.file,
                f"has {size:.1f} GiB of variables, the board at most {memory / GIB:.1f} GiB of "
                "memory: Linux promises none of them",
            )


def _may_be_64(tree: Tree) -> bool:
    """Whether the board's kernel for 32-bit programs may be one of 64 bits."""
    return "armv8" in features_of(tree.target)


def _asks(first: int, end: int) -> str:
    return f"must lie at {first:#x} to {end:#x}"


RULES = (
    Rule(
        "BM154",
        WARNING,
        "The program must lie at addresses that some of the board's kernels do not give.",
        "Link it as a position-independent one (-pie), or leave out -Ttext-segment.",
        by_kernel,
    ),
    Rule(
        "BM169",
        ERROR,
        "The program must lie at addresses that no program is given.",
        "Link it as a position-independent one (-pie), or leave out -Ttext-segment.",
        no_such_address,
    ),
    Rule(
        "BM170",
        ERROR,
        "The variables of the file need more memory than the board has.",
        "Allocate large arrays when they are needed (malloc), or name a larger board.",
        too_large,
    ),
)
