"""The processors that a run is bound to: words of `cores` as numbers of one board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.nouns import ALL_CORES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.nouns import DeviceInfo


def numbered(board: DeviceInfo, cores: str) -> str:
    """'all' as it is; 'little' and 'big', the board's weakest and strongest kind, and a list as the
    kernel writes one: '0-3,5'.

    Raises InputError for a board of one kind, and for processors that it does not have.
    """
    if cores == ALL_CORES:
        return cores
    if cores in ("little", "big"):
        if len(board.clusters) < 2:
            raise InputError(
                f"{board.name} has processors of one kind, none of which is {cores}",
                hint="bind a run by their numbers: --cores 0-1",
            )
        return listed(board.clusters[0 if cores == "little" else -1].cpus)
    asked, there = _numbers(cores), {cpu for one in board.clusters for cpu in one.cpus}
    if not asked:
        raise InputError(f"cores {cores} are none: the lower number comes first")
    if lacking := sorted(asked - there) if there else []:
        raise InputError(
            f"{board.name} has no processor {listed(lacking)}, but {listed(there)}",
            hint="--cores takes numbers of these",
        )
    return listed(asked)


def listed(cpus: Iterable[int]) -> str:
    """
    >>> listed((5, 0, 1, 2)), listed([7])
    ('0-2,5', '7')
    """
    spans: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if spans and spans[-1][-1] == cpu - 1:
            spans[-1][1:] = [cpu]
        else:
            spans.append([cpu])
    return ",".join("-".join(map(str, span)) for span in spans)


def _numbers(cores: str) -> set[int]:
    """
    >>> sorted(_numbers("0,4-5"))
    [0, 4, 5]
    """
    ends = [part.partition("-") for part in cores.split(",")]
    return {cpu for low, _, high in ends for cpu in range(int(low), int(high or low) + 1)}
