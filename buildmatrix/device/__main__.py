"""Writes the table of a boards page anew, in place: python -m buildmatrix.device docs/boards.md"""

from __future__ import annotations

import sys
from pathlib import Path

from buildmatrix.device.page import refreshed

for page in map(Path, sys.argv[1:]):
    page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
