"""Weights that a TensorFlow Lite file keeps without their zeros, made whole.

Meanings as tensorflow v2.14.1: SparsityParameters of tensorflow/lite/schema/schema.fbs. Each axis
that is gone through, in the order of `order`, is dense, or says between which places of a list
(segments) the numbers of its entries (indices) lie. The axes behind the tensor's own are those of
blocks, each of which is a part of one axis of the tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import tflite

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LEAST = 32  # bytes that a level is counted as
VECTORS = {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}  # SparseIndexVector


@dataclass(frozen=True, slots=True)
class Level:
    """An axis: `size` entries at each place, or those in the lists where there are some."""

    size: int
    segments: NDArray[Any] | None = None
    indices: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Sparsity:
    """`order`: the axis that each level is; `blocks`: the tensor's axis that each block's cuts."""

    order: tuple[int, ...]
    blocks: tuple[int, ...]
    levels: tuple[Level, ...]


def sparsity(how: Any, take: Callable[[int], None]) -> Sparsity | None:
    """Of a tensor's table; None where there is none. `take` is told what is read, in bytes."""
    if how is None:
        return None
    order, blocks = how.TraversalOrderAsNumpy(), how.BlockMapAsNumpy()
    take(LEAST * how.DimMetadataLength())
    levels = (_level(how.DimMetadata(n), take) for n in range(how.DimMetadataLength()))
    return Sparsity(_numbers(order, take), _numbers(blocks, take), tuple(levels))


def _numbers(vector: Any, take: Callable[[int], None]) -> tuple[int, ...]:
    numbers = () if isinstance(vector, int) else tuple(vector.tolist())  # 0: it is not there
    take(4 * len(numbers))
    return numbers


def _level(one: Any, take: Callable[[int], None]) -> Level:
    if one.Format() == tflite.DimensionType.DENSE:
        return Level(one.DenseSize())
    lists = []
    for kind, table in (
        (one.ArraySegmentsType(), one.ArraySegments()),
        (one.ArrayIndicesType(), one.ArrayIndices()),
    ):
        vector = getattr(tflite, VECTORS.get(kind, "none"))()
        vector.Init(table.Bytes, table.Pos)
        lists.append(np.asarray(vector.ValuesAsNumpy()).astype(np.int64).reshape(-1))
        take(8 * len(lists[-1]))
    return Level(0, *lists)


def whole(content: NDArray[Any], sizes: tuple[int, ...], how: Sparsity) -> NDArray[Any]:
    """The weights with their zeros. Raises ValueError for lists that do not fit the sizes."""
    total = prod(sizes)
    if sorted(how.order) != list(range(len(sizes) + len(how.blocks))):
        raise ValueError("its levels are not its axes")
    places, numbers = np.zeros(1, np.int64), [np.zeros(1, np.int64)] * len(how.order)
    for axis, level in zip(how.order, how.levels, strict=True):
        parents, places, entries = _entered(level, places, total)
        numbers = [one[parents] for one in numbers]
        numbers[axis] = entries
    lengths = {axis: level.size for axis, level in zip(how.order, how.levels, strict=True)}
    for block, axis in enumerate(how.blocks, start=len(sizes)):
        numbers[axis] = numbers[axis] * lengths[block] + numbers[block]
    made = np.zeros(sizes, content.dtype)
    made[tuple(numbers[: len(sizes)])] = content.reshape(-1)[places]
    return made


def _entered(
    level: Level, places: NDArray[Any], most: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of each entry of a level: which of the places above it is in, its own place, its number."""
    above = np.arange(len(places))
    if level.segments is None or level.indices is None:
        if not 0 <= level.size * len(places) <= most:
            raise ValueError("it has more entries than numbers")
        entries = np.tile(np.arange(level.size), len(places))
        return above.repeat(level.size), places.repeat(level.size) * level.size + entries, entries
    starts, ends = level.segments[places], level.segments[places + 1]
    counts = ends - starts
    if counts.min(initial=0) < 0 or counts.sum() > most:
        raise ValueError("it has more entries than numbers")
    if min(starts.min(initial=0), level.indices.min(initial=0)) < 0:
        raise ValueError("an entry is before the first")
    first = (counts.cumsum() - counts).repeat(counts)
    own = starts.repeat(counts) + np.arange(counts.sum()) - first
    return above.repeat(counts), own, level.indices[own]
