"""What a block took of power, from the readings of the board's meter beside its timed passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.bench.journal import BlockResult

END = 0.2  # seconds that the runner may take from its last pass to its end


def watts(block: BlockResult, samples_ns: Sequence[int]) -> tuple[float, ...]:
    """The readings, in watts, that were taken during the timed passes of a block.

    They end just before the uptime that was read after the runner, less what it took for all that
    was asked after them; loading the model and warming up are left out.
    """
    end = (block.after or {}).get("uptime")
    if end is None:
        return ()
    end -= ((block.result or {}).get("after_ns") or 0) / 1e9
    begin, end = end - sum(samples_ns) / 1e9, end - END
    return tuple(
        read for at, read in block.power if at is not None and read is not None and begin < at < end
    )
