"""Which baseline a word of the command line means. The files' machine decides what it leaves open.

A choice is a function of the machines of the files that are to be judged, because a board of two
widths, and the default, are what most of the files are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix import baseline, shelf
from buildmatrix.baseline import Baseline, kinds
from buildmatrix.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.nouns import DeviceInfo
    from buildmatrix.toolchain import Toolchain

Choice = Callable[[Sequence[str]], Baseline]


def by_default(machines: Sequence[str]) -> Baseline:
    """A Raspberry Pi 3, of the width that most files are for."""
    return kinds.default(*baseline.by_majority(machines))


def named(word: str, folder: Path) -> Choice:
    """The choice that `--target WORD` makes: a toolchain, below `folder` or shipped, or a board
    kind.

    Raises UsageError when it is neither, InputError for a toolchain that is wrongly written.
    """
    from buildmatrix import toolchain  # few audits name one, and it costs pydantic

    toolchains = toolchain.load_all(folder, shelf.folders(folder.parent, "toolchains"))
    if word in toolchains:
        one = of_toolchain(toolchains[word])
        return lambda _machines: one
    if kinds.is_kind(word):
        return lambda machines: kinds.kind(word, baseline.by_majority(machines)[0])
    there = [*kinds.names(), *toolchains]
    raise UsageError(
        f"--target {word}: neither a board kind nor a toolchain{did_you_mean(word, there)}",
        hint=f"one of {', '.join(there)}; a board kind may name its suite, as pi4-64@trixie; "
        "a board that answers is named with --host",
    )


def of_toolchain(one: Toolchain) -> Baseline:
    """Any board that a toolchain is for."""
    target = one.target
    system = kinds.system(one.spec.suite, target.machine)
    return baseline.of_toolchain(one.name, target, system, kinds.sonames())


def of_board(info: DeviceInfo, *, seen: str, cached: bool, sonames: tuple[str, ...] = ()) -> Choice:
    """The choice that `--host BOARD` makes, of what it said when it was asked (see baseline)."""
    like = kinds.like(info.features, info.cpu_parts, info.elf_machine)
    board = baseline.of_board(info, like, seen=seen, cached=cached)
    one = replace(board, provided=sonames or board.provided)
    return lambda _machines: one
