#!/usr/bin/env bash
# MXNet 1.9.1's wheel (PyPI, x86-64) makes one oneDNN operator of a convolution and the sum behind
# it. Where the sum adds the convolution to itself (a doubled value, as a simplifier leaves it), the
# network is bound, and its first pass ends with an MXNetError about the shape of another input:
# - conv + conv: the error, with any number of channels;
# - conv * 2, conv + relu(conv): right;
# - conv + conv with MXNET_SUBGRAPH_BACKEND=NONE, or with MXNET_MKLDNN_ENABLED=0: right.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Its Python part knows NumPy's names of before 1.24.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mxnet==1.9.1 numpy==1.23.5

cd "$folder"
cat >one.py <<'PYTHON'
import sys

import mxnet as mx
import numpy as np

kind, channels = sys.argv[1], int(sys.argv[2])
value = np.random.default_rng(0).normal(size=(1, channels, 5, 5)).astype(np.float32)
weight = np.random.default_rng(1).normal(size=(channels, channels, 3, 3)).astype(np.float32)
bias = np.random.default_rng(2).normal(size=channels).astype(np.float32)


def network(conv):
    if kind == "sum":
        return conv + conv
    return conv * 2 if kind == "product" else conv + mx.sym.relu(conv)


def answer(symbol):
    given = {"x": value, "c_weight": weight, "c_bias": bias}
    given = {name: mx.nd.array(numbers) for name, numbers in given.items()}
    return symbol.bind(mx.cpu(), given).forward()[0].asnumpy()


plain = mx.sym.Convolution(mx.sym.var("x"), kernel=(3, 3), num_filter=channels, name="c")
alone = answer(plain)
try:
    found = answer(network(plain))
except mx.MXNetError as fault:
    print("refused" if "hape" in str(fault) else f"other: {fault}")
else:
    right = alone + np.maximum(alone, 0) if kind == "relu" else 2 * alone
    print("right" if np.allclose(found, right, atol=1e-5) else "wrong")
PYTHON

expect() {
  wanted=$1
  shift
  found=$(env "$@" 2>log | tail -n 1)
  echo "$*: $found"
  [ "$found" = "$wanted" ]
}
python=$folder/venv/bin/python
expect refused "$python" one.py sum 2
expect refused "$python" one.py sum 16
expect right "$python" one.py product 2
expect right "$python" one.py relu 2
expect right MXNET_SUBGRAPH_BACKEND=NONE "$python" one.py sum 2
expect right MXNET_MKLDNN_ENABLED=0 "$python" one.py sum 2
echo "as described"
