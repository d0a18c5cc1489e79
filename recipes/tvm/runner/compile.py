"""Compiles an ONNX file to code for a processor: `compile.py NET TRIPLE FOLDER`.

Into FOLDER go objects that tell TVM's runtime of themselves, and net.h with the size of an image.
Loops are arranged by one rule, which is the same for every processor. Nothing is tuned: to tune,
TVM runs candidates on a board and keeps the fastest, and no build can repeat that.
"""

import sys
from itertools import product
from math import ceil, prod
from pathlib import Path

import onnx
import tvm
from tvm import relax, s_tir, tirx
from tvm.relax.backend.cpu_generic import pipeline as passes
from tvm.relax.frontend.onnx import from_onnx
from tvm.s_tir import dlight

LANES, SUMS = 4, 20  # floats of a NEON register, and how many of the 32 hold a tile's sums


def input_shape(model):
    """Channels, height and width of the one input of an ONNX model."""
    (data,) = model.graph.input
    return [size.dim_value for size in data.type.tensor_type.shape.dim[1:]]


def compiled(net, triple, **how):
    """The executable of an ONNX file, for any processor of a triple."""
    target = tvm.target.Target({"kind": "llvm", "mtriple": triple})
    pipeline = tvm.transform.Sequential(
        [
            *passes.library_dispatch_passes(target),
            *passes.legalize_passes(target),
            dlight.ApplyDefaultSchedule(Tiles()),
            *passes.dataflow_lower_passes(target),
            *passes.finalize_passes(target),
            in_order,
        ]
    )
    return relax.build(from_onnx(onnx.load(net)), target, relax_pipeline=pipeline, **how)


@tvm.transform.module_pass(opt_level=0)
def in_order(module, _context):
    """A module whose sizes that depend on the batch are computed in the order of their places.

    VMShapeLower computes them in the order of addresses in memory: another one each time.
    """
    for name, func in module.functions_items():
        if name.name_hint.startswith("shape_func") and isinstance(func.body, tirx.SeqStmt):
            stores = sorted(func.body.seq, key=lambda store: int(store.indices[0]))
            module[name] = func.with_body(tirx.SeqStmt(stores))
    return module


class Tiles(dlight.ScheduleRule):
    """Sums over a window or a row are kept in registers, a tile of them at a time, and what
    follows is computed where a tile is written. The threads share the tiles, and the channels of
    what sums nothing."""

    def apply(self, func, _target, _tunable):
        schedule = s_tir.Schedule(func)
        blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
        places = [place for place, block in enumerate(blocks) if summed(schedule, block)]
        if len(places) > 1:
            return None  # a softmax, which is small
        before = blocks[: places[0]] if places else blocks
        for block in before:
            if places and isinstance(schedule.get(block).body.value, tvm.ir.TensorLoad):
                schedule.compute_inline(block)  # a copy: of what is not padded, say
            else:
                schedule.parallel(schedule.fuse(*schedule.get_loops(block)[:2]))
        if places:
            total, *after = blocks[places[0] :]
            for block in after[:-1]:
                schedule.compute_inline(block)
            tile(schedule, total, after[-1] if after else schedule.cache_write(total, 0, "local"))
        return schedule


def summed(schedule, block):
    """Whether one of a block's loops is summed over."""
    kinds = (variable.iter_type for variable in schedule.get(block).iter_vars)
    return any(kind == tirx.IterVar.CommReduce for kind in kinds)


def tile(schedule, total, out):
    """Compute the sums of block `total` tile by tile of what block `out` writes of them."""
    outer, inner = schedule.get_loops(out), []
    places = (1, -1) if len(outer) > 2 else (-1,)  # channels, and what is beside each other
    sizes = fitting(*(int(schedule.get(outer[place]).extent) for place in places))
    for place, size in zip(places, sizes, strict=True):
        outer[place], part = schedule.split(outer[place], [None, size])
        inner.append(part)
    schedule.reorder(*outer, *inner)
    tiles = schedule.fuse(*outer)
    schedule.parallel(tiles)
    schedule.compute_at(total, tiles, preserve_unit_loops=True)
    schedule.set_scope(total, 0, "local")
    kinds = [variable.iter_type for variable in schedule.get(total).iter_vars]
    loops = list(zip(schedule.get_loops(total)[-len(kinds) :], kinds, strict=True))
    sums = [loop for loop, kind in loops if kind == tirx.IterVar.CommReduce]
    schedule.reorder(*sums, *(loop for loop, kind in loops if kind != tirx.IterVar.CommReduce))
    in_registers(schedule, schedule.get_loops(out)[1:])
    in_registers(schedule, schedule.get_loops(total)[1 + len(sums) :])
    first = schedule.decompose_reduction(total, sums[0])
    in_registers(schedule, schedule.get_loops(first)[1:])


def in_registers(schedule, loops):
    """Write loops out, the innermost in vectors of a register where that divides it."""
    *around, beside = loops
    if int(schedule.get(beside).extent) % LANES == 0:
        quads, beside = schedule.split(beside, [None, LANES])
        around.append(quads)
    for loop in around:
        schedule.unroll(loop)
    schedule.vectorize(beside)


def fitting(*sizes):
    """The tile, of what divides these sizes, whose sums need the fewest loads: for each of a
    window's places its inputs beside each other and a weight for each channel."""

    def sums_to_a_load(tile):
        registers, channels = ceil(tile[-1] / LANES), prod(tile[:-1])
        worth = 1 if tile[-1] % LANES == 0 else 0.5  # LLVM makes poor code of odd vectors
        return worth * prod(tile) / (registers + channels) if registers * channels <= SUMS else 0

    return max(product(*map(divisors, sizes)), key=sums_to_a_load)


def divisors(size):
    return [part for part in range(1, size + 1) if size % part == 0]


if __name__ == "__main__":
    net, triple, folder = sys.argv[1:]
    made = compiled(net, triple, system_lib=True)
    # The objects stay where they are made: the runner's compiler links them.
    made.export_library(folder, fcompile=lambda *_: None, workspace_dir=folder)
    sizes = ", ".join(map(str, input_shape(onnx.load(net))))
    text = f"constexpr int input_shape[] = {{{sizes}}};\n"
    (Path(folder) / "net.h").write_text(text)
