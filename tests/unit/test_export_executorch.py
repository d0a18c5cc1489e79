"""A program of ExecuTorch's, read back by its schema's numbers; what it cannot say is refused.

That ExecuTorch computes the right answer with it is shown by tests/integration/test_executorch.py.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from buildmatrix.export import able, export, prepared
from tests.networks import with_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.network import NetworkSpec

SIZES = (2, 5, 4)  # channels, height, width
CONV = {"type": "conv", "name": "c", "outputs": 3, "kernel": 3, "pad": 1}


def network(*layers: dict[str, Any]) -> NetworkSpec:
    return with_outputs(*layers, size=SIZES)


class Read:
    """A table, its fields by their place in the schema."""

    def __init__(self, data: bytes, at: int | None = None) -> None:
        root = encode.Get(number_types.UOffsetTFlags.packer_type, data, 0)
        self.table = Table(data, root if at is None else at)

    def _at(self, place: int) -> int:
        return int(self.table.Offset(4 + 2 * place))

    def number(self, place: int, kind: type = number_types.Uint32Flags) -> Any:
        at = self._at(place)
        return self.table.Get(kind, self.table.Pos + at) if at else 0

    def text(self, place: int) -> bytes:
        return bytes(self.table.String(self.table.Pos + self._at(place)))

    def part(self, place: int) -> Read:
        return Read(self.table.Bytes, self.table.Indirect(self.table.Pos + self._at(place)))

    def parts(self, place: int) -> list[Read]:
        start, count = self.table.Vector(self._at(place)), self.table.VectorLen(self._at(place))
        return [Read(self.table.Bytes, self.table.Indirect(start + 4 * i)) for i in range(count)]

    def numbers(self, place: int, kind: str) -> list[int]:
        start, count = self.table.Vector(self._at(place)), self.table.VectorLen(self._at(place))
        return [int(n) for n in np.frombuffer(self.table.Bytes, kind, count, start)]


def written(net: NetworkSpec, folder: Path) -> bytes:
    export(net, format="executorch", destination=folder)
    return (folder / "net.pte").read_bytes()


def blob_of(program: bytes) -> bytes:
    (data,) = Read(program).parts(3)
    return bytes(data.numbers(0, "u1"))


def test_the_program_is_one_call_of_the_backend_for_any_batch(tmp_path: Path) -> None:
    program = written(network(CONV), tmp_path)
    assert program[4:8] == b"ET12"
    (plan,) = Read(program).parts(1)
    assert plan.text(0) == b"forward"
    assert [backend.text(0) for backend in plan.parts(7)] == [b"XnnpackBackend"]
    (chain,) = plan.parts(5)
    (call,) = chain.parts(2)
    assert call.part(1).numbers(1, "<i4") == [0, 1]
    ends = [value.part(1).numbers(2, "<i4") for value in plan.parts(2)]
    assert ends == [[1024, 5, 4, 2], [1024, 1, 1, 3]]


def test_the_backend_s_header_leads_to_the_graph_and_to_the_weights(tmp_path: Path) -> None:
    net = network(CONV)
    blob = blob_of(written(net, tmp_path))
    magic, length, start, size, behind, constants = struct.unpack("<4x4sHIIIQ", blob[:30])
    assert (magic, length) == (b"XH00", 30)
    assert start % 16 == behind % 16 == 0
    assert behind >= start + size
    assert behind + constants == len(blob)
    graph = Read(blob[start : start + size])
    places = [
        (p.number(0, number_types.Uint64Flags), p.number(1, number_types.Uint64Flags))
        for p in graph.parts(8)
    ]
    at, many = places[1]
    held = np.frombuffer(blob, "<f4", many // 4, behind + at).reshape(3, 3, 3, 2)
    learnt = prepared(net)[0][0].weight
    assert np.array_equal(held, learnt.transpose(0, 2, 3, 1))
    assert all(at % 16 == 0 for at, _ in places)


def test_a_relu_is_a_limit_of_the_node_before_it(tmp_path: Path) -> None:
    blob = blob_of(written(network(CONV, {"type": "relu", "name": "r"}), tmp_path))
    _, _, start, size, *_ = struct.unpack("<4x4sHIIIQ", blob[:30])
    nodes = Read(blob[start : start + size]).parts(1)
    assert [node.number(0, number_types.Uint8Flags) for node in nodes] == [7, 20, 2]
    least, most = (nodes[0].part(3).number(i, number_types.Float32Flags) for i in (0, 1))
    assert (least, most) == (0.0, np.inf)


@pytest.mark.parametrize(
    ("many", "kinds"),
    [(4, [34]), (5, [38]), (6, [38, 32]), (7, [38, 32, 32]), (26, [38] * 6)],
)
def test_a_node_joins_five_values_at_most(tmp_path: Path, many: int, kinds: list[int]) -> None:
    joined = {"type": "concat", "name": "k", "inputs": ["data"] * many}
    blob = blob_of(written(network(joined), tmp_path))
    _, _, start, size, *_ = struct.unpack("<4x4sHIIIQ", blob[:30])
    graph = Read(blob[start : start + size])
    made = [node.number(0, number_types.Uint8Flags) for node in graph.parts(1)]
    assert made[: len(kinds)] == kinds
    channels = [value.part(1).numbers(2, "<u4")[-1] for value in graph.parts(2)]
    assert SIZES[0] * many in channels


def test_the_same_network_is_the_same_bytes(tmp_path: Path) -> None:
    first = written(network(CONV), tmp_path / "first")
    assert written(network(CONV), tmp_path / "second") == first


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([{"type": "upsample", "name": "u", "factor": 2, "mode": "nearest"}], "upsample to the"),
        ([{"type": "pad", "name": "p", "pad": 1, "mode": "reflect"}], "pad of mode reflect"),
        ([{"type": "deconv", "name": "d", "outputs": 2, "kernel": 2, "stride": 2}], "deconv"),
        (
            [{"type": "lrn", "name": "l", "size": 3, "alpha": 1.0, "beta": 0.75, "bias": 1.0}],
            "lrn",
        ),
        ([{"type": "concat", "name": "k", "inputs": ["data"]}], "concat of one value"),
        (
            [{"type": "pool", "name": "p", "method": "max", "kernel": 1, "stride": 1}],
            "pooling of single values",
        ),
    ],
)
def test_what_the_backend_lacks_is_named(layers: list[dict[str, Any]], words: str) -> None:
    said = able.gap(network(*layers), "executorch")
    assert said.startswith(f"the format executorch has no {words}")
