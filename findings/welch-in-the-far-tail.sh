#!/usr/bin/env bash
# How often tests for two means err where a table of many rows decides, and one side spreads ten times
# as wide as the other: 8 figures a side, nothing changed, normal noise.
#
# At 5 % scipy's Welch test is right to 1 %. At 0.01 / 27, where a row of a table of 27 is decided, it
# lets half as many again through: its degrees of freedom are estimated from the spreads, and where the
# estimate is too high the tail is too thin. With the degrees of the wider side, 7, it is right there
# too. The exact test of ranks, which supposes one shape on both sides, errs 1.6 times as often as it
# says at 5 %, and twelve times where a row is decided. buildmatrix therefore takes the wider side's degrees where the spreads of a row differ
# beyond chance, and asks both tests at half the rate (docs/statistics.md).
#
# Seen on 2026-11-29 with scipy 1.17.1 and numpy 2.4.6, Python 3.11.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'scipy==1.17.1' 'numpy==2.4.6'
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np, scipy
from scipy import stats

print(f"scipy {scipy.__version__}, numpy {np.__version__}")
rng = np.random.default_rng(2017)
ROWS, BLOCKS = 540_000, 8
narrow, wide = rng.normal(0, 0.005, (ROWS, BLOCKS)), rng.normal(0, 0.05, (ROWS, BLOCKS))
welch = stats.ttest_ind(narrow, wide, axis=1, equal_var=False)
wider = 2 * stats.t.sf(np.abs(welch.statistic), BLOCKS - 1)
ranks = stats.mannwhitneyu(wide[:60_000], narrow[:60_000], axis=1, method="exact").pvalue
rates = {}
for level in (0.05, 0.01 / 27):
    for name, p in (("Welch", welch.pvalue), ("7 degrees", wider), ("ranks, exact", ranks)):
        rates[name, level] = (p <= level).mean() / level
        print(f"asked at {level:.5f}: {name} errs {rates[name, level]:.2f} times as often")
deciding = 0.01 / 27
assert 0.97 < rates["Welch", 0.05] < 1.03
assert rates["Welch", deciding] > 1.2
assert rates["7 degrees", deciding] < 1.15
assert rates["ranks, exact", deciding] > 8
PYTHON
