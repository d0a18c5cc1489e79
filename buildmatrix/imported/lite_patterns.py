"""Operators of TensorFlow Lite that are one layer together: channels of groups taken in turn are a
RESHAPE that parts the channels, a TRANSPOSE and a RESHAPE back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from buildmatrix.imported.lite_graph import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.imported.lite_graph import LiteGraph

SHUFFLE = "CHANNEL_SHUFFLE"  # no operator of the schema


def joined(graph: LiteGraph) -> Iterator[Operation]:
    """The operators with one in the place of three; its option `Groups` says how many there are."""
    makers = {number: one for one in graph.operations for number in one.outputs}
    uses = Counter((*graph.outputs, *(n for one in graph.operations for n in one.inputs)))
    gone: set[int] = set()
    whole: dict[int, Operation] = {}
    for back in graph.operations:
        turn = makers.get(back.inputs[0]) if back.inputs else None
        part = makers.get(turn.inputs[0]) if turn is not None and turn.inputs else None
        if turn is None or part is None or not part.inputs:
            continue
        groups = _groups(graph, part, turn, back)
        once = all(uses[one.outputs[0]] == 1 for one in (part, turn))
        if groups and once:
            gone |= {id(part), id(turn)}
            how = {"Groups": groups}
            whole[id(back)] = Operation(SHUFFLE, back.name, part.inputs[:1], back.outputs, how)
    for one in graph.operations:
        if id(one) not in gone:
            yield whole.get(id(one), one)


def _groups(graph: LiteGraph, part: Operation, turn: Operation, back: Operation) -> int:
    """How many groups there are; 0 where it is something else."""
    if (part.kind, turn.kind, back.kind) != ("RESHAPE", "TRANSPOSE", "RESHAPE"):
        return 0
    sizes, parted, again = (
        graph.values[number].sizes for number in (part.inputs[0], part.outputs[0], back.outputs[0])
    )
    order = graph.values[turn.inputs[1]].content if len(turn.inputs) > 1 else None
    rank = len(parted)
    exchanged = [*range(rank - 2), rank - 1, rank - 2]
    flat = len(sizes) == rank - 1 == 2  # of values that have no height and width
    if (len(sizes) != 4 and not flat) or sizes != again or rank < 3 or order is None:
        return 0
    if order.ravel().tolist() != exchanged or parted[-2] * parted[-1] != sizes[-1]:
        return 0
    return parted[-2]
