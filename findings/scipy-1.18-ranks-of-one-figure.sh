#!/usr/bin/env bash
# Mann-Whitney's test of two sides that hold one and the same figure, as counts of instructions often do.
#
# SciPy 1.17.1 says p = 1 (method "asymptotic", continuity correction on, which are what ties need). SciPy
# 1.18.1 says that p is no number, without a warning; `false_discovery_control` then refuses the whole
# table of p-values, so one unchanged row takes the verdicts of all others away. "exact" says p = 1 in both.
# SciPy 1.18 asks for Python 3.12, so who stays on 3.11 does not meet it. buildmatrix says p = 1 itself
# where all blocks of both sides are one figure (buildmatrix/compare/blocks.py).
#
# Seen on 2026-11-29 with Python 3.12.1 and numpy 2.4.6. Takes a Python from 3.12 to 3.14 by PYTHON.
set -euo pipefail

PYTHON=${PYTHON:-python3.12}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$PYTHON" -m venv "$folder/venv"
for version in 1.17.1 1.18.1; do
    "$folder/venv/bin/pip" install -q "scipy==$version" 'numpy==2.4.6'
    "$folder/venv/bin/python" -W error - "$version" <<'PYTHON'
import sys

import numpy as np
import scipy
from scipy import stats

assert scipy.__version__ == sys.argv[1]
side = np.full((1, 8), 34_350_000.0)
p = {m: stats.mannwhitneyu(side, side, axis=1, method=m).pvalue for m in ("asymptotic", "exact")}
table = np.append(p["asymptotic"], [0.001, 0.5])
try:
    adjusted = str(stats.false_discovery_control(table))
except ValueError as error:
    adjusted = f"ValueError: {error}"
print(f"scipy {scipy.__version__}: {p}; a table with two other rows: {adjusted}")
assert p["exact"] == 1
if sys.argv[1] == "1.17.1":
    assert p["asymptotic"] == 1
else:
    assert np.isnan(p["asymptotic"])
    assert adjusted.startswith("ValueError")
PYTHON
done
