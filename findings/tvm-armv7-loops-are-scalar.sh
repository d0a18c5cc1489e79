#!/usr/bin/env bash
# Of a loop that TVM is told nothing about, LLVM makes NEON's vectors for 64-bit ARM; for 32-bit ARM it
# leaves it scalar, since NEON there takes denormals for zero, unless TVM's target says `fast-math`.
# A loop that a schedule vectorizes becomes vectors on both. TVM's own pipeline for processors has no
# schedule of a convolution: so a network that it compiles for armv7 has no NEON in its sums, and says
# nothing. buildmatrix arranges the loops itself (recipes/tvm/runner/compile.py); a 32-bit cell it
# cannot offer for another reason: apache-tvm has no 32-bit wheel and no source package, so that
# there is no runtime for such a board.
#
# Seen on 2026-11-30 with apache-tvm 0.27.0.post1 (LLVM 22.1.0), apache-tvm-ffi 0.1.15.post2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  apache-tvm==0.27.0.post1 apache-tvm-ffi==0.1.15.post2 ml_dtypes==0.6.0 numpy==2.4.6

"$folder/venv/bin/python" - <<'PYTHON'
import re

import tvm
from tvm import s_tir, te

ARM64 = {"kind": "llvm", "mtriple": "aarch64-linux-gnu"}
ARMV7 = {
    **{"kind": "llvm", "mtriple": "armv7l-linux-gnueabihf"},
    **{"mattr": ["+neon", "+vfp4"], "mfloat-abi": "hard"},
}
VECTORS = r"\t(?:vfma|vmla|vmul)\.f32\tq|\tfm(?:la|ul)\tv\d+\.4s"
SCALARS = r"\t(?:vfma|vmla|vmul)\.f32\ts|\tfm(?:add|ul)\ts"


def multiplies(target, vectorized):
    """How many instructions of a loop of 64 products multiply four floats, and how many one."""
    left, right = (te.placeholder((64,), name=name) for name in "ab")
    product = te.compute((64,), lambda i: left[i] * right[i] + left[i], name="c")
    schedule = s_tir.Schedule(te.create_prim_func([left, right, product]))
    if vectorized:
        (loop,) = schedule.get_loops(schedule.get_sblock("c"))
        schedule.vectorize(schedule.split(loop, [None, 4])[1])
    code = tvm.compile(schedule.mod, tvm.target.Target(target)).mod.inspect_source("asm")
    return len(re.findall(VECTORS, code)), len(re.findall(SCALARS, code))


print("TVM", tvm.__version__)
found = {}
for name, target in {
    "arm64": ARM64,
    "armv7": ARMV7,
    "armv7, fast-math": {**ARMV7, "fast-math": True},
}.items():
    for vectorized in (False, True):
        case = name + (", vectorized by a schedule" if vectorized else "")
        vectors, scalars = multiplies(target, vectorized)
        print(f"{case}: {vectors} instructions multiply four floats, {scalars} one")
        found[case] = vectors > 0
assert [case for case, vectors in found.items() if not vectors] == ["armv7"], found
PYTHON
