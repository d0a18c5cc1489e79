"""Weights that a TensorFlow Lite file keeps without their zeros are read with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as lite_schema

from buildmatrix.errors import InputError
from buildmatrix.export.flat import Operator
from tests.unit.test_imported_lite import ALLOWED, drawn, error, file, packed, read, window, write

if TYPE_CHECKING:
    from pathlib import Path

WEIGHT = (8, 3, 3, 4)


def a_list(numbers: list[int], bits: int) -> tuple[int, Any]:
    kind = {32: "Int32Vector", 16: "Uint16Vector", 8: "Uint8Vector"}[bits]
    vector = getattr(lite_schema, f"{kind}T")()
    vector.values = np.array(numbers, {32: np.int32, 16: np.uint16, 8: np.uint8}[bits])
    return getattr(lite_schema.SparseIndexVector, kind), vector


def level(size: int = 0, segments: Any = None, indices: Any = None) -> Any:
    made = lite_schema.DimensionMetadataT()
    if segments is None:
        made.format, made.denseSize = lite_schema.DimensionType.DENSE, size
        return made
    made.format = lite_schema.DimensionType.SPARSE_CSR
    made.arraySegmentsType, made.arraySegments = a_list(segments, 32)
    made.arrayIndicesType, made.arrayIndices = a_list(indices, 8)
    return made


def without_zeros(weight: Any, block: int) -> tuple[Any, Any]:
    """The numbers that are kept and how: every axis dense but the last one's blocks, of `block`
    inputs each, or of `block` outputs when it is below zero, as a fast kernel wants them."""
    how = lite_schema.SparsityParametersT()
    rows, size = weight.reshape(-1, weight.shape[-1]), abs(block)
    if block < 0:  # outputs are gone through by blocks, and each block's outputs last
        split = weight.reshape(-1, size, *weight.shape[1:])
        rows = np.moveaxis(split, 1, -1).reshape(-1, weight.shape[-1], size)
        first = weight.shape[0] // size
        how.blockMap = [0]
    else:
        rows, first = rows.reshape(len(rows), -1, size), weight.shape[0]
        how.blockMap = [3]
    there = np.abs(rows).max(axis=-1) > 0
    segments = [0, *np.cumsum(there.sum(axis=1)).tolist()]
    how.traversalOrder = [0, 1, 2, 3, 4]
    how.dimMetadata = [
        *(level(n) for n in (first, *weight.shape[1:3])),
        level(segments=segments, indices=np.nonzero(there)[1].tolist()),
        level(size),
    ]
    return rows[there], how


def sparse(weight: Any, block: int, spoil: Any = None) -> bytes:
    """A convolution whose weight lies there without its zeros."""
    kept, how = without_zeros(weight, block)
    made = [
        Operator("DENSIFY", ("w",), "d", ("DensifyOptions", {})),
        Operator("CONV_2D", ("x", "d", "b"), "y", ("Conv2DOptions", window())),
    ]
    constants = {"w": kept.ravel(), "b": drawn(8)}
    model = lite_schema.ModelT.InitFromPackedBuf(
        file(*made, d=weight.shape, y=(1, 3, 8, 8), constants=constants), 0
    )
    (tensor,) = (one for one in model.subgraphs[0].tensors if one.name == b"w")
    tensor.shape, tensor.sparsity = list(weight.shape), how
    if spoil is not None:
        spoil(how)
    return packed(model)


def drawn_sparse(block: int) -> Any:
    """Weights of which half the blocks are zero."""
    gone = np.arange(8 * 3 * 3 * 4).reshape(WEIGHT) * 7 % 11 < 6
    if block < 0:
        gone = gone[::-block].repeat(-block, axis=0)
    else:
        gone = gone[..., ::block].repeat(block, axis=-1)
    return np.where(gone, np.float32(0), drawn(*WEIGHT))


@pytest.mark.parametrize("block", [1, 2, 4, -4], ids=str)
def test_what_a_sparse_weight_is_made_of_is_what_tensorflow_lite_makes(
    tmp_path: Path, block: int
) -> None:
    weight = drawn_sparse(block)
    assert 0 < np.count_nonzero(weight) < weight.size
    assert error(tmp_path, sparse(weight, block)) < ALLOWED


def beyond(how: Any) -> None:
    how.dimMetadata[3].arrayIndices.values[0] = 200


def too_many(how: Any) -> None:
    how.dimMetadata[0].denseSize = 1 << 30


def unordered(how: Any) -> None:
    how.traversalOrder = [0, 0, 0, 0, 0]


def falling(how: Any) -> None:
    how.dimMetadata[3].arraySegments.values[1] = 1 << 20


def before(how: Any) -> None:
    how.dimMetadata[3].arraySegments.values[:2] = -3


@pytest.mark.parametrize("spoil", [beyond, too_many, unordered, falling, before])
def test_a_sparse_weight_that_does_not_fit_its_sizes_is_refused_in_one_line(
    tmp_path: Path, spoil: Any
) -> None:
    write(tmp_path, sparse(drawn_sparse(2), 2, spoil))
    with pytest.raises(InputError, match="the operator DENSIFY 'd' is not what it should be: "):
        read(tmp_path)
